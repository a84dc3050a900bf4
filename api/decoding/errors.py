"""Errors of decoding that are not known to be the file's fault."""


class DecodingError(Exception):
    """The base of these errors."""


class DecodeTimeoutError(DecodingError):
    """The file was not decoded within its deadline."""


class DecoderEndedError(DecodingError):
    """The decoder process ended, but not because of the file."""


class DecoderFaultError(DecodingError):
    """The decoder raised an unexpected exception; the message has its type and source line."""
