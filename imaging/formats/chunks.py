"""Chunks, of which PNG and WebP files are made, within limits."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from imaging.errors import SeveralImagesError, UndecodableImageError

MAX_METADATA_PARTS: Final = 100
"""The largest number of chunks other than pixels."""
MAX_EXIF_BYTES: Final = 65_536
"""The largest EXIF that fits into a JPEG file; PNG and WebP set no limit."""

_ANIMATION_PARTS: Final = (b"acTL", b"ANIM", b"ANMF")
_EXIF_PARTS: Final = (b"eXIf", b"EXIF")


class Chunk(NamedTuple):
    """A chunk, and where its content begins."""

    name: bytes
    start: int
    size: int


def checked_metadata(chunks: Iterator[Chunk], pixels: bytes | None = None) -> Iterator[Chunk]:
    """The chunks without pixels, each checked against the limits.

    Raises:
        SeveralImagesError: the file is an animation.
        DamagedImageError: there are too many, or one is too large.
    """
    others = 0
    for chunk in chunks:
        if chunk.name == pixels:
            continue
        others += 1
        if chunk.name in _ANIMATION_PARTS:
            raise SeveralImagesError("the file is an animation")
        if others > MAX_METADATA_PARTS:
            raise UndecodableImageError(f"the file has more than {MAX_METADATA_PARTS} parts")
        if chunk.name in _EXIF_PARTS and chunk.size > MAX_EXIF_BYTES:
            raise UndecodableImageError(f"the file has more than {MAX_EXIF_BYTES} bytes of EXIF")
        yield chunk
