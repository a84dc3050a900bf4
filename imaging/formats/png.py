"""PNG: chunks with checksums, their pixels deflated (ISO/IEC 15948).

Decoders ignore unreadable chunks other than pixels, and decompress texts and profiles
unnecessarily. Here every checksum is verified and decompressed sizes are limited.
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
"""On average, in a file with more pixel chunks than that; encoders write at least 8,192."""

_MAX_UNPACKED_BYTES: Final = 2_000_000
"""Of all texts and profiles together; the largest profiles in use have 1 MB."""
# Decompresses to 4 MB at most.
_UNPACKED_AT_ONCE: Final = 4_096
_PROFILE: Final = b"iCCP"
# The bytes between the zero after the keyword or name and the compressed bytes.
_PACKED_AFTER: Final = {b"zTXt": 1, _PROFILE: 1, b"iTXt": 2}
_PACKED_FLAG_SET: Final = 1


_BITS_AT: Final = 24
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type."""
_SLACK_BYTES: Final = 65_536
# Decompresses to 16 MB at most.
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
    # The decoder would decompress everything, even what no pixel needs: 500 MB from 500 kB.
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
    # sBIT describes samples that were scaled to the full range.
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
        DamagedImageError: a chunk extends past the end of the file, or there are far too many
            small ones.
        struct.error: the file ends before its last chunk.
    """
    at = len(_SIGNATURE)
    pixel_chunks = 0
    name = b""
    while name != _END:
        size, name = _HEAD.unpack_from(data, at)
        start = at + _HEAD.size
        at = start + size + _CHECKSUM.size
        # OpenCV allocates a chunk's memory before it checks whether the file has it: up to 4 GB.
        if at > len(data):
            raise DamagedImageError("the file is truncated")
        pixel_chunks += name == _PIXELS
        if pixel_chunks > _MAX_SMALL_PIXEL_CHUNKS + len(data) // _MIN_PIXEL_CHUNK_BYTES:
            raise UndecodableImageError("the png file's pixels are in too many parts")
        yield Chunk(name, start, size)


def _announced_bits(data: bytes) -> int | None:
    """The significant bits of a sample (``sBIT``); None if the file does not say."""
    for chunk in _chunks(data):
        if chunk.name == _PIXELS:
            break
        if chunk.name == b"sBIT" and chunk.size:
            return max(data[chunk.start : chunk.start + chunk.size])
    return None


def _check_checksum(data: bytes, chunk: Chunk) -> None:
    """Verify the checksum of a chunk; the decoder verifies those of pixel chunks."""
    end = chunk.start + chunk.size
    checksum = zlib.crc32(memoryview(data)[chunk.start - 4 : end])
    if _CHECKSUM.unpack_from(data, end)[0] != checksum:
        raise DamagedImageError("a part of the png file has a wrong checksum")


def _check_unpacked(data: bytes, chunks: list[Chunk]) -> None:
    """Reject texts and profiles that decompress to more than any program writes."""
    left = _MAX_UNPACKED_BYTES
    for chunk in chunks:
        packed = _packed(data, chunk)
        inflater = zlib.decompressobj()
        for start in range(0, len(packed), _UNPACKED_AT_ONCE):
            try:
                left -= len(inflater.decompress(packed[start : start + _UNPACKED_AT_ONCE]))
            except zlib.error as error:
                if chunk.name == _PROFILE:
                    # Decoders ignore a broken profile.
                    break
                raise DamagedImageError("a text in the png file cannot be decompressed") from error
            if left < 0:
                raise UndecodableImageError(
                    "the png file's texts or profile decompress to too much"
                )


def _packed(data: bytes, chunk: Chunk) -> bytes:
    """A chunk's compressed bytes; empty if it is not compressed."""
    head = _PACKED_AFTER.get(chunk.name)
    if head is None:
        return b""
    content = data[chunk.start : chunk.start + chunk.size]
    _, _, rest = content.partition(b"\0")
    if chunk.name != b"iTXt":
        return rest[head:]
    if rest[:1] != bytes([_PACKED_FLAG_SET]):
        return b""
    # After language and translated keyword, each ended by a zero.
    return rest[head:].split(b"\0", 2)[-1]
