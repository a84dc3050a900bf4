"""What an image file is built of, looked at before any decoder opens it.

A decoder spends time on every part of a file, whether it belongs to the picture or not, and takes
the first picture of several. Here a file of too many parts, or of more than one picture, is
refused.
"""

import struct
from collections.abc import Iterator
from typing import Final

from serving.errors import DamagedImageError, SeveralImagesError, UnknownImageFormatError
from serving.jpeg_scans import read_scans

MAX_METADATA_PARTS: Final = 100
"""Chunks of a PNG or WebP file beside its pixels."""
MAX_EXIF_BYTES: Final = 65_536
"""What EXIF can be in a JPEG file; in PNG and WebP it could be of any size."""

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK_OVERHEAD: Final = 12
_PNG_PIXELS: Final = b"IDAT"
_RIFF_CHUNK_OVERHEAD: Final = 8
_ANIMATION_PARTS: Final = (b"acTL", b"ANIM", b"ANMF")
_EXIF_PARTS: Final = (b"eXIf", b"EXIF")
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
        if data.startswith(_PNG_SIGNATURE):
            _check_chunks(_png_chunks(data), _PNG_PIXELS)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            _check_chunks(_webp_chunks(data))
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
    at = len(_PNG_SIGNATURE)
    for name, size in _png_chunks(data):
        if name == _PNG_PIXELS:
            yield data[at + 8 : at + 8 + size]
        at += size + _PNG_CHUNK_OVERHEAD


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    at = len(_PNG_SIGNATURE)
    name = b""
    while name != b"IEND":
        size, name = struct.unpack_from(">I4s", data, at)
        at += size + _PNG_CHUNK_OVERHEAD
        _check_end(at, data)
        yield name, size


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    end = min(len(data), struct.unpack_from("<I", data, 4)[0] + _RIFF_CHUNK_OVERHEAD)
    at = 12
    while at < end:
        name, size = struct.unpack_from("<4sI", data, at)
        at += size + _RIFF_CHUNK_OVERHEAD
        _check_end(at, data)
        at += size % 2
        yield name, size


def _check_end(end: int, data: bytes) -> None:
    # OpenCV takes memory for a part before it looks whether there is one: up to 4 GB for 300 bytes.
    if end > len(data):
        raise DamagedImageError("a part of the file is cut")


def _check_chunks(chunks: Iterator[tuple[bytes, int]], pixels: bytes | None = None) -> None:
    others = 0
    for name, size in chunks:
        if name == pixels:
            continue
        others += 1
        if name in _ANIMATION_PARTS:
            raise SeveralImagesError("the file is an animation")
        if others > MAX_METADATA_PARTS:
            raise DamagedImageError(f"the file has more than {MAX_METADATA_PARTS} parts")
        if name in _EXIF_PARTS and size > MAX_EXIF_BYTES:
            raise DamagedImageError(f"the file has more than {MAX_EXIF_BYTES} bytes of EXIF")


def _check_tiff(data: bytes, order: str) -> None:
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    end = directory + 2 + entries * _TIFF_ENTRY_BYTES
    (following,) = struct.unpack_from(f"{order}I", data, end)
    if following >= len(data):
        raise DamagedImageError("the tiff file is cut before its next page")
    if following != 0:
        raise SeveralImagesError("the tiff file has several pages")
    values = 0
    for at in range(directory + 2, end, _TIFF_ENTRY_BYTES):
        kind, count = struct.unpack_from(f"{order}2xHI", data, at)
        values += count * (_TIFF_TYPE_BYTES[kind] if kind < len(_TIFF_TYPE_BYTES) else 0)
    # Entries that share their bytes would be copied once for each.
    if values > len(data):
        raise DamagedImageError("the tiff file's directory claims more than the file holds")


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
