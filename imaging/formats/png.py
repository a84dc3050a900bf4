"""PNG: chunks with checksums, their pixels deflated (ISO/IEC 15948).

Decoders skip what they cannot read beside the pixels, and unpack texts and profiles without need.
Here the checksum of every chunk is checked, and what is packed is counted.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image

from imaging.errors import DamagedImageError, UndecodableImageError
from imaging.formats.chunks import Chunk, checked_metadata
from imaging.formats.image_format import (
    BYTE_BITS,
    DEEP_PICTURE_BYTES,
    PICTURE_BYTES,
    ImageFormat,
    ImageHeader,
    Pixels,
    SampleDepth,
)
from imaging.formats.sample_depth import decode_used_bits

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = b"IDAT"

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


_BITS_AT: Final = 24
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type."""
_SLACK_BYTES: Final = 65_536
# Becomes 16 MB at most.
_INFLATED_AT_ONCE: Final = 16_384


def _matches(data: bytes) -> bool:
    return data.startswith(_SIGNATURE)


def _check_structure(data: bytes) -> None:
    others = []
    for chunk in checked_metadata(_chunks(data), _PIXELS):
        _check_checksum(data, chunk)
        others.append(chunk)
    _check_unpacked(data, others)


def _depth(data: bytes, _image: Image.Image) -> SampleDepth:
    # Pillow's mode has 8 bits for colours of 16.
    return SampleDepth(max(BYTE_BITS, data[_BITS_AT]), announced_bits=_announced_bits(data))


def _check_complete(data: bytes, header: ImageHeader) -> None:
    # The decoder would unpack to the end even what no pixel needs: 500 MB from 500 kB.
    bits, colour = data[_BITS_AT : _BITS_AT + 2]
    row_bytes = header.width * min(bits, 16) * _CHANNELS[colour] // 8 + 2
    # Interlaced pixels come in up to twice as many rows, each with its own filter byte.
    left = 2 * row_bytes * header.height + _SLACK_BYTES
    inflater = zlib.decompressobj()
    for chunk in _chunks(data):
        if chunk.name == _PIXELS:
            end = chunk.start + chunk.size
            for start in range(chunk.start, end, _INFLATED_AT_ONCE):
                piece = data[start : min(end, start + _INFLATED_AT_ONCE)]
                left -= len(inflater.decompress(piece))
                if left < 0:
                    raise UndecodableImageError("the png file holds far more than its pixels")


def _decode(data: bytes, header: ImageHeader) -> Pixels:
    # sBIT speaks of samples that were scaled to the full range.
    return decode_used_bits(data, header, scaled=True)


def _memory_bytes(_data: bytes, header: ImageHeader) -> int:
    deep = header.depth.bits > BYTE_BITS
    return header.pixels * (DEEP_PICTURE_BYTES if deep else PICTURE_BYTES)


PNG: Final = ImageFormat(
    "png",
    matches=_matches,
    check_structure=_check_structure,
    depth=_depth,
    check_complete=_check_complete,
    decode=_decode,
    memory_bytes=_memory_bytes,
)


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks up to the last one.

    Raises:
        DamagedImageError: a chunk ends behind the file, or there are far too many small ones.
        struct.error: the file ends before its last chunk.
    """
    at = len(_SIGNATURE)
    pixel_chunks = 0
    name = b""
    while name != _END:
        size, name = _HEAD.unpack_from(data, at)
        start = at + _HEAD.size
        at = start + size + _CHECKSUM.size
        # OpenCV takes memory for a chunk before it looks whether it is there: up to 4 GB.
        if at > len(data):
            raise DamagedImageError("a part of the file is cut")
        pixel_chunks += name == _PIXELS
        if pixel_chunks > _MAX_SMALL_PIXEL_CHUNKS + len(data) // _MIN_PIXEL_CHUNK_BYTES:
            raise UndecodableImageError("the png file's pixels are in too many parts")
        yield Chunk(name, start, size)


def _announced_bits(data: bytes) -> int | None:
    """The significant bits of a sample that a PNG file announces (``sBIT``), where it does."""
    for chunk in _chunks(data):
        if chunk.name == _PIXELS:
            break
        if chunk.name == b"sBIT" and chunk.size:
            return max(data[chunk.start : chunk.start + chunk.size])
    return None


def _check_checksum(data: bytes, chunk: Chunk) -> None:
    """Check the checksum of a chunk beside the pixels; the decoder checks those of pixels."""
    end = chunk.start + chunk.size
    checksum = zlib.crc32(memoryview(data)[chunk.start - 4 : end])
    if _CHECKSUM.unpack_from(data, end)[0] != checksum:
        raise DamagedImageError("a part of the png file has a wrong checksum")


def _check_unpacked(data: bytes, chunks: list[Chunk]) -> None:
    """Reject texts and profiles that unpack to more than anybody writes."""
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
                raise UndecodableImageError("the png file's texts or profile unpack to too much")


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
