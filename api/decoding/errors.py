"""Why a file was not decoded although nothing is known to be wrong with it."""


class DecodingError(Exception):
    """The base of the errors of decoder processes that are not a file's fault."""


class DecodeTimeoutError(DecodingError):
    """The file was not decoded within its deadline."""


class DecoderEndedError(DecodingError):
    """The decoder process ended, and not because of what it was decoding."""


class DecoderFaultError(DecodingError):
    """The decoder raised an error that nobody expected; the message says its type and place."""
