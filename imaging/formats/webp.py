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
_CHUNK_HEAD: Final = struct.Struct("<4sI")
# A file is one RIFF chunk, whose content begins with "WEBP".
_FILE_HEAD: Final = struct.Struct("<4sI4s")


def webp_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a file.

    Raises:
        DamagedImageError: a chunk extends past the end of the file.
        struct.error: the file ends within a chunk's head.
    """
    _, file_size, _ = _FILE_HEAD.unpack_from(data)
    end = min(len(data), file_size + _CHUNK_HEAD.size)
    at = _FILE_HEAD.size
    while at < end:
        name, size = _CHUNK_HEAD.unpack_from(data, at)
        start = at + _CHUNK_HEAD.size
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
            size = len(b"WEBP") + _CHUNK_HEAD.size + len(content)
            head = _FILE_HEAD.pack(b"RIFF", size, b"WEBP")
            simple = b"".join([head, _CHUNK_HEAD.pack(chunk.name, chunk.size), content])
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
