"""WebP: a RIFF file of chunks (RFC 9649)."""

import struct
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from imaging.errors import DamagedImageError
from imaging.formats.chunks import Chunk, checked_metadata
from imaging.formats.image_format import PICTURE_BYTES, PILLOW_BYTES, ImageFormat, ImageHeader

_EXTENDED: Final = b"VP8X"
_PIXELS: Final = frozenset({b"VP8 ", b"VP8L"})
_CHUNK_OVERHEAD: Final = 8


def webp_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a file.

    Raises:
        DamagedImageError: a chunk extends past the end of the file.
        struct.error: the file ends within a chunk's head.
    """
    end = min(len(data), struct.unpack_from("<I", data, 4)[0] + _CHUNK_OVERHEAD)
    at = 12
    while at < end:
        name, size = struct.unpack_from("<4sI", data, at)
        start = at + _CHUNK_OVERHEAD
        at = start + size
        if at > len(data):
            raise DamagedImageError("the file is truncated")
        at += size % 2
        yield Chunk(name, start, size)


def _matches(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _check_structure(data: bytes) -> None:
    for _ in checked_metadata(webp_chunks(data)):
        pass


def _check_complete(data: bytes, _header: ImageHeader) -> None:
    """Decode the pixels of an extended file as if it were a simple file.

    The decoder accepts incomplete pixels in an extended file, but not in a simple one.
    """
    first, *others = webp_chunks(data)
    if first.name != _EXTENDED:
        return
    for chunk in others:
        if chunk.name in _PIXELS:
            content = memoryview(data)[chunk.start : chunk.start + chunk.size + chunk.size % 2]
            head = struct.pack(
                "<4sI4s4sI", b"RIFF", len(content) + 12, b"WEBP", chunk.name, chunk.size
            )
            simple = b"".join([head, content])
            if cv2.imdecode(np.frombuffer(simple, np.uint8), cv2.IMREAD_COLOR) is None:
                raise DamagedImageError("the webp file is truncated or corrupt")


def _memory_bytes(_data: bytes, header: ImageHeader) -> int:
    return header.pixels * (PICTURE_BYTES + PILLOW_BYTES)


WEBP: Final = ImageFormat(
    "webp",
    matches=_matches,
    check_structure=_check_structure,
    check_complete=_check_complete,
    memory_bytes=_memory_bytes,
)
