"""What a compressed frame says of its own size, before anything is decoded."""

import struct
from dataclasses import dataclass
from typing import Final

from serving.errors import DamagedImageError

_JPEG_START: Final = b"\xff\xd8"
_JPEG_MARKER: Final = 0xFF
# Baseline, extended sequential and lossless (ITU-T T.81), and JPEG-LS (T.87). The others, such as
# progressive ones, are of no transfer syntax that is read.
_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC3, 0xF7})
_JPEG_SCAN: Final = 0xDA
_MAX_JPEG_SEGMENTS: Final = 1000

_JPEG2000_START: Final = b"\xff\x4f\xff\x51"
_JPEG2000_SIZE: Final = struct.Struct(">HH8IH")
_MAX_JPEG2000_TILES: Final = 4096


@dataclass(frozen=True)
class Codestream:
    """A frame's size as its decoder will take it."""

    columns: int
    rows: int
    samples: int


def read_jpeg(frame: bytes) -> Codestream:
    """Of a JPEG or JPEG-LS frame.

    Raises:
        DamagedImageError: it is none, or of a kind that has no business here.
    """
    if not frame.startswith(_JPEG_START):
        raise DamagedImageError("the dicom file's pixels are not the jpeg that it says they are")
    position = len(_JPEG_START)
    for _ in range(_MAX_JPEG_SEGMENTS):
        prefix, marker, length = struct.unpack_from(">BBH", frame, position)
        if marker == _JPEG_MARKER:
            # A fill byte, as may stand before a marker (T.81, B.1.1.2).
            position += 1
            continue
        if prefix != _JPEG_MARKER or marker == _JPEG_SCAN:
            break
        if marker in _JPEG_FRAMES:
            _, rows, columns, samples = struct.unpack_from(">BHHB", frame, position + 4)
            return Codestream(columns, rows, samples)
        position += 2 + length
    raise DamagedImageError("the dicom file's jpeg has no size, or is of another kind")


def read_jpeg2000(frame: bytes) -> Codestream:
    """Of a JPEG 2000 codestream (T.800, A.5.1).

    Raises:
        DamagedImageError: it is none, or in more tiles than any scanner makes.
    """
    if not frame.startswith(_JPEG2000_START):
        raise DamagedImageError("the dicom file's pixels are not the jpeg 2000 that it says")
    fields = _JPEG2000_SIZE.unpack_from(frame, len(_JPEG2000_START))
    _, _, right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, samples = fields
    if not tile_width or not tile_height:
        raise DamagedImageError("the dicom file's jpeg 2000 has empty tiles")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _MAX_JPEG2000_TILES:
        raise DamagedImageError("the dicom file's jpeg 2000 has too many tiles")
    return Codestream(right - left, bottom - top, samples)
