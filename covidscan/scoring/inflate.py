"""Unpacks compressed data in bounded pieces, so that a bomb of a few bytes costs no memory.

The readers of ``zipfile`` and ``tarfile`` do not bound what bzip2 and LZMA give for one piece of
input, nor how large a dictionary LZMA asks for.
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
"""That a decompressor may take; ``xz -9`` needs 65 MiB, and 7-Zip's best 257 MiB."""

INFLATE_ERRORS: Final = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
"""What reading from damaged data raises."""


class Decompressor(Protocol):
    """What ``bz2`` and ``lzma`` have, and ``Deflate`` here."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing more to get from what was given."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Up to so many bytes."""


class Packed(Protocol):
    """Compressed data, from where they stand."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes."""


class Deflate:
    """A decompressor for Deflate, with the attributes of those of ``bz2`` and ``lzma``.

    Args:
        wbits: as in ``zlib``: -15 for raw data, 31 for gzip.
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
        """Whether there is nothing more to get from what was given."""
        return not self._was_cut and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Up to so many bytes."""
        found = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        # All input may be taken in while some of its output still waits.
        self._was_cut = len(found) == max_length
        return found


def gzip_decompressor() -> Decompressor:
    """For one member of a gzip file."""
    return Deflate(31)


def bzip2_decompressor() -> Decompressor:
    """For one stream of a bzip2 file."""
    return bz2.BZ2Decompressor()


def xz_decompressor() -> Decompressor:
    """For one stream of an ``.xz`` or ``.lzma`` file."""
    return lzma.LZMADecompressor(memlimit=_MAX_XZ_BYTES)


def raw_lzma_decompressor(properties: bytes, max_length: int) -> Decompressor:
    """For LZMA data as ZIP archives hold it, of which no more than some bytes are wanted.

    Args:
        properties: the 5 bytes that say how it was packed.
        max_length: how many bytes will be read at most.

    Raises:
        ValueError: these are no properties.
    """
    if len(properties) != 5 or properties[0] >= 9 * 5 * 5:  # noqa: PLR2004
        raise ValueError("LZMA properties are damaged")
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    # No match can go back further than to the beginning.
    dictionary = min(int.from_bytes(properties[1:], "little"), max(max_length, 4096))
    chain = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain])


class Inflated(io.RawIOBase):
    """Compressed data as a file that can be read and sought; going back starts anew.

    Reading raises ``INFLATE_ERRORS`` where the data are damaged, ``EOFError`` where they are cut.

    Args:
        packed: the compressed data.
        make: makes a decompressor for each of the streams that follow one another in them.
        rewind: goes back to their beginning; without it there is no going back.
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
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought."""
        return True

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place counted from the beginning; no further than the end."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        if offset < self._position:
            if self._rewind is None:
                raise io.UnsupportedOperation("there is no going back")
            self._rewind()
            self._begin(b"", may_be_rubbish=False)
            self._position = 0
        while self._position < offset:
            if not self.read(min(_PIECE_BYTES, offset - self._position)):
                break
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Some bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        found = self._some(len(view)) if len(view) else b""
        view[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _some(self, max_length: int) -> bytes:
        while not self._ended:
            if self._decompressor.eof:
                self._begin_next_stream()
                continue
            data, self._pending = self._pending, b""
            if not data and self._decompressor.needs_input:
                data = self._packed.read(_PIECE_BYTES)
                if not data:
                    raise EOFError("the compressed data are cut off")
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
        # As gunzip does: what follows and is no stream is left alone.
        self._begin(rest.lstrip(b"\0"), may_be_rubbish=True)

    def _begin(self, data: bytes, *, may_be_rubbish: bool) -> None:
        self._decompressor, self._pending = self._make(), data
        self._may_be_rubbish, self._ended = may_be_rubbish, False
