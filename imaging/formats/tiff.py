"""TIFF: a directory of tags, and strips or tiles of pixels (TIFF 6.0)."""

import io
import struct
from typing import Final

from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLEFORMAT,
    TILELENGTH,
    TILEWIDTH,
    ImageFileDirectory_v2,
    TiffImageFile,
)

from imaging.errors import (
    DamagedImageError,
    SeveralImagesError,
    UndecodableImageError,
    UnsupportedVariantError,
)
from imaging.formats.image_format import (
    BYTE_BITS,
    DEEP_PICTURE_BYTES,
    PICTURE_BYTES,
    PILLOW_BYTES,
    ImageFormat,
    ImageHeader,
    Pixels,
    SampleDepth,
)
from imaging.formats.sample_depth import decode_used_bits

MAXSAMPLEVALUE: Final = 281
SMAXSAMPLEVALUE: Final = 341

MAX_NUMBERS: Final = 600_000
"""Of all tags, bytes not counted: tiles of 16 x 16 on 40 million pixels are twice 156,250, and
transfer functions of 16 bits three times 65,536."""
MAX_FRACTIONS: Final = 10_000

_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_BIG: Final = frozenset({b"II+\0", b"MM\0+"})
_DIRECTORY_OFFSET_AT: Final = 4
"""Directly after byte order and version."""
_ENTRY_COUNT_BYTES: Final = 2
# An entry has a tag, a type, a count, and the values or their offset.
_ENTRY_BYTES: Final = 12
_TYPE_AND_COUNT: Final = "2xHI"
_TYPE_BYTES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
"""The size of a value, by its type."""
_FRACTIONS: Final = frozenset({5, 10})
"""The types RATIONAL and SRATIONAL."""

# None, LZW, Deflate under both its numbers, PackBits: lossless, and truncation is detected.
_COMPRESSIONS: Final = frozenset({1, 5, 8, 32946, 32773})
# Grey both ways, RGB, palette, CMYK.
_PHOTOMETRICS: Final = frozenset({0, 1, 2, 3, 5})
_BITS: Final = frozenset({1, 8, 16})
_UNSIGNED: Final = frozenset({1})
_MAX_TILE_SIDE: Final = 1024
_OPAQUE: Final = 255


def _matches(data: bytes) -> bool:
    return data[:4] in _BYTE_ORDERS or data[:4] in _BIG


def _check_structure(data: bytes) -> None:
    if data[:4] in _BIG:
        raise UnsupportedVariantError("BigTIFF is not supported")
    order = _BYTE_ORDERS[data[:4]]
    (directory,) = struct.unpack_from(f"{order}I", data, _DIRECTORY_OFFSET_AT)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    start = directory + _ENTRY_COUNT_BYTES
    end = start + entries * _ENTRY_BYTES
    (following,) = struct.unpack_from(f"{order}I", data, end)
    if following >= len(data):
        raise DamagedImageError("the tiff file ends before its next page")
    if following != 0:
        raise SeveralImagesError("the tiff file has several pages")
    values = numbers = fractions = 0
    for at in range(start, end, _ENTRY_BYTES):
        kind, count = struct.unpack_from(f"{order}{_TYPE_AND_COUNT}", data, at)
        size = _TYPE_BYTES[kind] if kind < len(_TYPE_BYTES) else 0
        values += count * size
        numbers += count * (size > 1)
        fractions += count * (kind in _FRACTIONS)
    # Bytes that several entries share would be copied for each entry.
    if values > len(data):
        raise DamagedImageError("the tiff file's directory claims more than the file holds")
    # Pillow makes a Python object of each.
    if numbers > MAX_NUMBERS or fractions > MAX_FRACTIONS:
        raise UndecodableImageError("the tiff file's directory has too many numbers")


def _depth(_data: bytes, image: Image.Image) -> SampleDepth:
    tags = _tags(image)
    bits = tags.get(BITSPERSAMPLE, (1,))
    if (
        tags.get(COMPRESSION, 1) not in _COMPRESSIONS
        or tags.get(PHOTOMETRIC_INTERPRETATION, 0) not in _PHOTOMETRICS
        or not _BITS.issuperset(bits)
        or not _UNSIGNED.issuperset(tags.get(SAMPLEFORMAT, (1,)))
        or max(tags.get(TILEWIDTH, 0), tags.get(TILELENGTH, 0)) > _MAX_TILE_SIDE
    ):
        raise UnsupportedVariantError("this kind of TIFF is not supported")
    return SampleDepth(
        max(BYTE_BITS, *map(int, bits)),
        announced_bits=_announced_bits(tags),
        white_is_zero=tags.get(PHOTOMETRIC_INTERPRETATION) == 0,
    )


def _tags(image: Image.Image) -> ImageFileDirectory_v2:
    if not isinstance(image, TiffImageFile):
        raise DamagedImageError("the image's header cannot be read")
    return image.tag_v2


def _announced_bits(tags: ImageFileDirectory_v2) -> int | None:
    tag = tags.get(MAXSAMPLEVALUE) or tags.get(SMAXSAMPLEVALUE)
    highest = tag[0] if isinstance(tag, tuple) else tag
    # Some programs write the number of values instead: 4096 for 12 bits.
    return (int(highest) - 1).bit_length() if highest else None


def _check_complete(data: bytes, _header: ImageHeader) -> None:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        image.load()
        # OpenCV would darken them.
        if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != _OPAQUE:
            raise UnsupportedVariantError("TIFF with transparent pixels is not supported")


def _decode(data: bytes, header: ImageHeader) -> Pixels:
    return decode_used_bits(data, header)


def _memory_bytes(_data: bytes, header: ImageHeader) -> int:
    bits = header.depth.bits
    # A strip or tile may be as large as the picture, and is held compressed and decompressed.
    sample_bytes = max(1, bits // BYTE_BITS) * header.channels
    picture = DEEP_PICTURE_BYTES if bits > BYTE_BITS else PICTURE_BYTES
    return header.pixels * (picture + PILLOW_BYTES + sample_bytes)


TIFF: Final = ImageFormat(
    "tiff",
    matches=_matches,
    check_structure=_check_structure,
    depth=_depth,
    check_complete=_check_complete,
    decode=_decode,
    memory_bytes=_memory_bytes,
)
