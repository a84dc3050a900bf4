"""Reads the size and precision of a compressed frame from its header, before decoding."""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imaging.errors import DamagedImageError, UndecodableImageError

_JPEG_START: Final = b"\xff\xd8"
_JPEG_MARKER: Final = 0xFF
_JPEG_LS_FRAME: Final = 0xF7
# Baseline, extended sequential and lossless (ITU-T T.81), and JPEG-LS (T.87). The others, such as
# progressive, belong to no supported transfer syntax.
_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC3, _JPEG_LS_FRAME})
_JPEG_SCAN: Final = 0xDA
_MAX_JPEG_SEGMENTS: Final = 1000

_JPEG2000_START: Final = b"\xff\x4f\xff\x51"
_JPEG2000_SIZE: Final = struct.Struct(">HH8IHB")
_JPEG2000_SIGNED: Final = 0x80
_MAX_JPEG2000_TILES: Final = 4096

_JP2_SIGNATURE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
_JP2_CODESTREAM: Final = b"jp2c"
_JP2_LONG_LENGTH: Final = 1
_MAX_JP2_BOXES: Final = 100

_FILL_BYTES: Final = b"\xff"


class Coding(StrEnum):
    """How a frame is compressed, detected from its first bytes."""

    JPEG = "jpeg"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg 2000"


@dataclass(frozen=True)
class Codestream:
    """A frame's size and sample format, as its decoder will read them."""

    columns: int
    rows: int
    samples: int
    bits: int
    """The precision of a sample."""
    signed: bool = False


def coding_of(frame: bytes) -> Coding | None:
    """Which codestream the bytes are; None if they are none of these."""
    if frame.startswith((_JPEG2000_START, _JP2_SIGNATURE)):
        return Coding.JPEG_2000
    if not frame.startswith(_JPEG_START + bytes([_JPEG_MARKER])):
        return None
    return Coding.JPEG_LS if _jpeg_frame(frame)[0] == _JPEG_LS_FRAME else Coding.JPEG


def read_jpeg(frame: bytes) -> Codestream:
    """Read the header of a JPEG or JPEG-LS frame.

    Raises:
        DamagedImageError: it is not one, or of an unsupported kind.
    """
    return _jpeg_frame(frame)[1]


def _jpeg_frame(frame: bytes) -> tuple[int, Codestream]:
    position = len(_JPEG_START)
    for _ in range(_MAX_JPEG_SEGMENTS):
        # Fill bytes may precede a marker (T.81, B.1.1.2).
        start = _after_fill_bytes(frame, position)
        if start == position or start + 3 > len(frame):
            break
        marker, length = struct.unpack_from(">BH", frame, start)
        if marker == _JPEG_SCAN:
            break
        if marker in _JPEG_FRAMES:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", frame, start + 3)
            return marker, Codestream(columns, rows, samples, bits)
        position = start + 1 + length
    raise DamagedImageError("the DICOM file's JPEG has no size, or is of another kind")


def _after_fill_bytes(frame: bytes, position: int) -> int:
    """The position of the first byte that is not 0xFF, found without copying."""
    end = position
    while frame.startswith(_FILL_BYTES, end):
        end += 1
        if end - position > _MAX_JPEG_SEGMENTS:
            raise UndecodableImageError("the DICOM file's JPEG has too many fill bytes")
    return end


def read_jpeg2000(frame: bytes) -> Codestream:
    """Read the header of a JPEG 2000 codestream (T.800, A.5.1).

    Raises:
        DamagedImageError: it is not one, or has more tiles than any scanner writes.
    """
    if not frame.startswith(_JPEG2000_START):
        raise DamagedImageError("the DICOM file's pixels are not JPEG 2000, but it says so")
    fields = _JPEG2000_SIZE.unpack_from(frame, len(_JPEG2000_START))
    _, _, right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = fields[:10]
    samples, depth = fields[10:]
    if not tile_width or not tile_height:
        raise DamagedImageError("the DICOM file's JPEG 2000 has empty tiles")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _MAX_JPEG2000_TILES:
        raise UndecodableImageError("the DICOM file's JPEG 2000 has too many tiles")
    bits, signed = (depth & ~_JPEG2000_SIGNED) + 1, bool(depth & _JPEG2000_SIGNED)
    return Codestream(right - left, bottom - top, samples, bits, signed)


def without_boxes(frame: bytes) -> bytes:
    """Return the codestream of a JPEG 2000 frame, which some writers wrap in JP2 boxes.

    Raises:
        DamagedImageError: there are boxes without a codestream.
    """
    if not frame.startswith(_JP2_SIGNATURE):
        return frame
    position = 0
    for _ in range(_MAX_JP2_BOXES):
        if position + 8 > len(frame):
            break
        length, kind = struct.unpack_from(">I4s", frame, position)
        head = 8
        if length == _JP2_LONG_LENGTH:
            (length,) = struct.unpack_from(">Q", frame, position + 8)
            head = 16
        end = position + length if length else len(frame)
        if kind == _JP2_CODESTREAM:
            return frame[position + head : end]
        if length and length < head:
            break
        position = end
    raise DamagedImageError("the DICOM file's JPEG 2000 has boxes without a codestream")
