"""What an image file is built of, looked at before any decoder opens it.

A decoder spends time on every part of a file, whether it belongs to the picture or not, and takes
the first picture of several. Here a file of too many parts, or of more than one picture, is
refused.
"""

import struct
from collections.abc import Iterator
from typing import Final

from imaging.errors import DamagedImageError, SeveralImagesError, UnknownImageFormatError
from imaging.formats.jpeg_scans import read_scans
from imaging.formats.png_chunks import (
    PIXELS,
    SIGNATURE,
    Chunk,
    check_chunk,
    check_unpacked,
    png_chunks,
)

MAX_METADATA_PARTS: Final = 100
"""Chunks of a PNG or WebP file beside its pixels."""
MAX_EXIF_BYTES: Final = 65_536
"""What EXIF can be in a JPEG file; in PNG and WebP it could be of any size."""
MAX_TIFF_NUMBERS: Final = 600_000
"""Of all TIFF tags, bytes not counted: tiles of 16 x 16 on 40 million pixels are twice 156,250, and
transfer functions of 16 bits three times 65,536."""
MAX_TIFF_FRACTIONS: Final = 10_000

_RIFF_CHUNK_OVERHEAD: Final = 8
_ANIMATION_PARTS: Final = (b"acTL", b"ANIM", b"ANMF")
_EXIF_PARTS: Final = (b"eXIf", b"EXIF")
_TIFF_FRACTIONS: Final = frozenset({5, 10})
_TIFF_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_ENTRY_BYTES: Final = 12
_TIFF_TYPE_BYTES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
_BMP_FILE_HEADER_BYTES: Final = 14
_BMP_INFO_HEADER_BYTES: Final = 40
_BMP_PALETTE_BITS: Final = 8
_BMP_MASKS: Final = 3
_BMP_USUAL_MASKS: Final = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)


def check_parts(data: bytes) -> None:
    """Refuse what is built oddly; what has no known signature passes.

    Raises:
        SeveralImagesError: an animation, or a TIFF file of several pages.
        UnknownImageFormatError: a BigTIFF file.
        DamagedImageError: the parts do not fit into the file, or are more than an image needs.
    """
    try:
        if data.startswith(SIGNATURE):
            _check_png(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            for _ in _checked(webp_chunks(data)):
                pass
        elif data[:4] in _TIFF_BYTE_ORDERS:
            _check_tiff(data, _TIFF_BYTE_ORDERS[data[:4]])
        elif data[:4] in {b"II+\0", b"MM\0+"}:
            raise UnknownImageFormatError("a BigTIFF file is not read")
        elif data.startswith(b"\xff\xd8\xff"):
            read_scans(data)
        elif data.startswith(b"BM"):
            _check_bmp(data)
    except (IndexError, ValueError, struct.error) as error:
        raise DamagedImageError("a part of the file is cut") from error


def png_pixel_parts(data: bytes) -> Iterator[bytes]:
    """The compressed pixels of a PNG file that has passed ``check_parts``, part by part."""
    for chunk in png_chunks(data):
        if chunk.name == PIXELS:
            yield data[chunk.start : chunk.start + chunk.size]


def _check_png(data: bytes) -> None:
    others = []
    for chunk in _checked(png_chunks(data), PIXELS):
        check_chunk(data, chunk)
        others.append(chunk)
    check_unpacked(data, others)


def webp_chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a WebP file.

    Raises:
        DamagedImageError: a chunk ends behind the file.
        struct.error: the file ends within a chunk's head.
    """
    end = min(len(data), struct.unpack_from("<I", data, 4)[0] + _RIFF_CHUNK_OVERHEAD)
    at = 12
    while at < end:
        name, size = struct.unpack_from("<4sI", data, at)
        start = at + _RIFF_CHUNK_OVERHEAD
        at = start + size
        if at > len(data):
            raise DamagedImageError("a part of the file is cut")
        at += size % 2
        yield Chunk(name, start, size)


def _checked(chunks: Iterator[Chunk], pixels: bytes | None = None) -> Iterator[Chunk]:
    """The chunks that are no pixels, each held against the limits."""
    others = 0
    for chunk in chunks:
        if chunk.name == pixels:
            continue
        others += 1
        if chunk.name in _ANIMATION_PARTS:
            raise SeveralImagesError("the file is an animation")
        if others > MAX_METADATA_PARTS:
            raise DamagedImageError(f"the file has more than {MAX_METADATA_PARTS} parts")
        if chunk.name in _EXIF_PARTS and chunk.size > MAX_EXIF_BYTES:
            raise DamagedImageError(f"the file has more than {MAX_EXIF_BYTES} bytes of EXIF")
        yield chunk


def _check_tiff(data: bytes, order: str) -> None:
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    end = directory + 2 + entries * _TIFF_ENTRY_BYTES
    (following,) = struct.unpack_from(f"{order}I", data, end)
    if following >= len(data):
        raise DamagedImageError("the tiff file is cut before its next page")
    if following != 0:
        raise SeveralImagesError("the tiff file has several pages")
    values = numbers = fractions = 0
    for at in range(directory + 2, end, _TIFF_ENTRY_BYTES):
        kind, count = struct.unpack_from(f"{order}2xHI", data, at)
        size = _TIFF_TYPE_BYTES[kind] if kind < len(_TIFF_TYPE_BYTES) else 0
        values += count * size
        numbers += count * (size > 1)
        fractions += count * (kind in _TIFF_FRACTIONS)
    # Entries that share their bytes would be copied once for each.
    if values > len(data):
        raise DamagedImageError("the tiff file's directory claims more than the file holds")
    # Pillow makes a Python object of each.
    if numbers > MAX_TIFF_NUMBERS or fractions > MAX_TIFF_FRACTIONS:
        raise DamagedImageError("the tiff file's directory has too many numbers")


def _check_bmp(data: bytes) -> None:
    pixels, header = struct.unpack_from("<II", data, 10)
    palette = 0
    if header >= _BMP_INFO_HEADER_BYTES:
        bits, coding = struct.unpack_from("<HI", data, 28)
        (colours,) = struct.unpack_from("<I", data, 46)
        if bits <= _BMP_PALETTE_BITS:
            palette = 4 * (colours or 1 << bits)
        if coding == _BMP_MASKS and bits == 32 and data[54:66] != _BMP_USUAL_MASKS:  # noqa: PLR2004
            # OpenCV does not look at them.
            raise DamagedImageError("the bmp file's colour masks are not the usual ones")
    if pixels < _BMP_FILE_HEADER_BYTES + header + palette:
        raise DamagedImageError("the bmp file's pixels would begin within its header or palette")
