"""Decompresses data in bounded pieces, so that a decompression bomb costs no memory.

The readers of ``zipfile`` and ``tarfile`` do not limit how much bzip2 and LZMA output for one piece
of input, nor how large a dictionary LZMA requests.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE_BYTES: Final = 1 << 16

_MAX_XZ_BYTES: Final = 288 << 20
"""Memory limit for a decompressor. ``xz -9`` needs 65 MiB, and 7-Zip's best setting 257 MiB."""

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
_RAW_DEFLATE_WBITS: Final = -zlib.MAX_WBITS
"""How zlib's functions are asked for gzip's header, and for none."""

_LZMA_PROPERTIES_BYTES: Final = 5
"""One for the three parameters lc, lp and pb, and four for the size of the dictionary."""
_LC_VALUES: Final = 9
_LP_VALUES: Final = 5
_PB_VALUES: Final = 5
"""The first byte is ``(pb * 5 + lp) * 9 + lc``."""
_MIN_DICTIONARY_BYTES: Final = 4096

INFLATE_ERRORS: Final = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
"""The exceptions raised when damaged data is read."""


class Decompressor(Protocol):
    """The interface of the decompressors of ``bz2`` and ``lzma``, and of ``Deflate``."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether more input is needed before there is more output."""

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most ``max_length`` bytes."""


class Packed(Protocol):
    """A source of compressed data."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes from the current position."""


class Deflate:
    """A Deflate decompressor with the interface of those of ``bz2`` and ``lzma``.

    Args:
        wbits: the format of the header, as for ``zlib.decompressobj``.
    """

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self._was_cut = False

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether more input is needed before there is more output."""
        return not self._was_cut and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most ``max_length`` bytes."""
        found = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        # All input may have been consumed while some of its output is still pending.
        self._was_cut = len(found) == max_length
        return found


def gzip_decompressor() -> Decompressor:
    """Return a decompressor for one member of a gzip file."""
    return Deflate(_GZIP_WBITS)


def raw_deflate_decompressor() -> Decompressor:
    """Return a decompressor for Deflate data without a header, as in a ZIP archive."""
    return Deflate(_RAW_DEFLATE_WBITS)


def bzip2_decompressor() -> Decompressor:
    """Return a decompressor for one stream of a bzip2 file."""
    return bz2.BZ2Decompressor()


def xz_decompressor() -> Decompressor:
    """Return a decompressor for one stream of an ``.xz`` or ``.lzma`` file."""
    return lzma.LZMADecompressor(memlimit=_MAX_XZ_BYTES)


def raw_lzma_decompressor(properties: bytes, max_length: int) -> Decompressor:
    """Return a decompressor for LZMA data in a ZIP archive.

    Args:
        properties: the 5 bytes that describe the compression.
        max_length: the most bytes that will be read.

    Raises:
        ValueError: the properties are invalid.
    """
    if (
        len(properties) != _LZMA_PROPERTIES_BYTES
        or properties[0] >= _LC_VALUES * _LP_VALUES * _PB_VALUES
    ):
        raise ValueError("LZMA properties are damaged")
    rest, lc = divmod(properties[0], _LC_VALUES)
    pb, lp = divmod(rest, _LP_VALUES)
    # No match can reach back beyond the beginning.
    dictionary = min(
        int.from_bytes(properties[1:], "little"), max(max_length, _MIN_DICTIONARY_BYTES)
    )
    chain = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain])


class Inflated(io.RawIOBase):
    """Compressed data as a readable and seekable file. Seeking back restarts decompression.

    Reading raises ``INFLATE_ERRORS`` if the data is damaged, ``EOFError`` if it is truncated.

    Args:
        packed: the compressed data.
        make: creates a decompressor for each of the concatenated streams.
        rewind: returns to the beginning of the data. Without it, seeking back is not possible.
    """

    def __init__(
        self,
        packed: Packed,
        make: Callable[[], Decompressor],
        rewind: Callable[[], object] | None = None,
    ) -> None:
        self._packed, self._make, self._rewind = packed, make, rewind
        self._position = 0
        self._decompressor, self._pending = make(), b""
        self._may_be_rubbish = self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes from the beginning."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position counted from the beginning, at most to the end."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        if offset < self._position:
            if self._rewind is None:
                raise io.UnsupportedOperation("cannot seek back")
            self._rewind()
            self._begin(b"", may_be_rubbish=False)
            self._position = 0
        while self._position < offset:
            if not self.read(min(_PIECE_BYTES, offset - self._position)):
                break
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read some bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        found = self._read_some(len(view)) if len(view) else b""
        view[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _read_some(self, max_length: int) -> bytes:
        while not self._ended:
            if self._decompressor.eof:
                self._begin_next_stream()
                continue
            data, self._pending = self._pending, b""
            if not data and self._decompressor.needs_input:
                data = self._packed.read(_PIECE_BYTES)
                if not data:
                    raise EOFError("the compressed data is cut off")
            try:
                found = self._decompressor.decompress(data, max_length)
            except INFLATE_ERRORS:
                if not self._may_be_rubbish:
                    raise
                self._ended = True
                break
            if found:
                self._may_be_rubbish = False
                return found
        return b""

    def _begin_next_stream(self) -> None:
        rest = self._decompressor.unused_data
        # Tapes are padded with zeros.
        while not rest.strip(b"\0"):
            rest = self._packed.read(_PIECE_BYTES)
            if not rest:
                self._ended = True
                return
        # Like gunzip, ignore trailing data that is not a stream.
        self._begin(rest.lstrip(b"\0"), may_be_rubbish=True)

    def _begin(self, data: bytes, *, may_be_rubbish: bool) -> None:
        self._decompressor, self._pending = self._make(), data
        self._may_be_rubbish, self._ended = may_be_rubbish, False
