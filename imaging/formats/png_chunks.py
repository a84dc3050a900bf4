"""The chunks of a PNG file, and whether each is what it says.

Decoders leave out what they cannot read beside the pixels, and unpack texts and profiles without
need. Here every chunk's checksum is held against its content, and what is packed is counted.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from imaging.errors import DamagedImageError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PIXELS: Final = b"IDAT"

_END: Final = b"IEND"
_HEAD: Final = struct.Struct(">I4s")
_CHECKSUM: Final = struct.Struct(">I")
_MAX_SMALL_PIXEL_CHUNKS: Final = 1_000
_MIN_PIXEL_CHUNK_BYTES: Final = 256
"""On average, of a file with more pixel chunks than that: encoders write 8,192 and more."""

_MAX_UNPACKED_BYTES: Final = 2_000_000
"""Of all texts and profiles together; the largest profiles in use have 1 MB."""
# Becomes 4 MB at most.
_UNPACKED_AT_ONCE: Final = 4_096
_PROFILE: Final = b"iCCP"
# A keyword or name, a zero, and what comes before the packed bytes.
_PACKED_AFTER: Final = {b"zTXt": 1, _PROFILE: 1, b"iTXt": 2}
_PACKED_FLAG_SET: Final = 1


class Chunk(NamedTuple):
    """A chunk, and where its content begins."""

    name: bytes
    start: int
    size: int


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks up to the last one.

    Raises:
        DamagedImageError: a chunk ends behind the file, or there are far too many small ones.
        struct.error: the file ends before its last chunk.
    """
    at = len(SIGNATURE)
    pixel_chunks = 0
    name = b""
    while name != _END:
        size, name = _HEAD.unpack_from(data, at)
        start = at + _HEAD.size
        at = start + size + _CHECKSUM.size
        # OpenCV takes memory for a chunk before it looks whether it is there: up to 4 GB.
        if at > len(data):
            raise DamagedImageError("a part of the file is cut")
        pixel_chunks += name == PIXELS
        if pixel_chunks > _MAX_SMALL_PIXEL_CHUNKS + len(data) // _MIN_PIXEL_CHUNK_BYTES:
            raise DamagedImageError("the png file's pixels are in too many parts")
        yield Chunk(name, start, size)


def announced_bits(data: bytes) -> int | None:
    """The significant bits of a sample that a PNG file announces (``sBIT``), where it does."""
    for chunk in png_chunks(data):
        if chunk.name == PIXELS:
            break
        if chunk.name == b"sBIT" and chunk.size:
            return max(data[chunk.start : chunk.start + chunk.size])
    return None


def check_chunk(data: bytes, chunk: Chunk) -> None:
    """Hold a chunk's checksum against its content; that of pixels is the decoder's to check.

    Raises:
        DamagedImageError: they differ.
    """
    if chunk.name == PIXELS:
        return
    end = chunk.start + chunk.size
    checksum = zlib.crc32(memoryview(data)[chunk.start - 4 : end])
    if _CHECKSUM.unpack_from(data, end)[0] != checksum:
        raise DamagedImageError("a part of the png file has a wrong checksum")


def check_unpacked(data: bytes, chunks: list[Chunk]) -> None:
    """Refuse texts and profiles that unpack to more than anybody writes.

    Raises:
        DamagedImageError: they do, or cannot be unpacked.
    """
    left = _MAX_UNPACKED_BYTES
    for chunk in chunks:
        packed = _packed(data, chunk)
        inflater = zlib.decompressobj()
        for start in range(0, len(packed), _UNPACKED_AT_ONCE):
            try:
                left -= len(inflater.decompress(packed[start : start + _UNPACKED_AT_ONCE]))
            except zlib.error as error:
                if chunk.name == _PROFILE:
                    # Decoders do without it.
                    break
                raise DamagedImageError("a text in the png file cannot be unpacked") from error
            if left < 0:
                raise DamagedImageError("the png file's texts or profile unpack to too much")


def _packed(data: bytes, chunk: Chunk) -> bytes:
    """A chunk's packed bytes; none of a chunk that is not packed."""
    head = _PACKED_AFTER.get(chunk.name)
    if head is None:
        return b""
    content = data[chunk.start : chunk.start + chunk.size]
    _, _, rest = content.partition(b"\0")
    if chunk.name != b"iTXt":
        return rest[head:]
    if rest[:1] != bytes([_PACKED_FLAG_SET]):
        return b""
    # Language and translated keyword, each with its zero.
    return rest[head:].split(b"\0", 2)[-1]
