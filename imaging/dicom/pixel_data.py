"""Finds the bytes of one frame and their encoding, by the bytes and not by the header alone.

Some files have compressed frames under an uncompressed transfer syntax, or the other way round. If
such a header were trusted, compressed bytes would become grey values.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from pydicom import uid
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame

from imaging.dicom.codestream import (
    Coding,
    coding_of,
    read_jpeg,
    read_jpeg2000,
    without_boxes,
)
from imaging.dicom.file_format import ITEM_TAG
from imaging.dicom.header import DicomHeader
from imaging.errors import DamagedImageError, UndecodableImageError, UnsupportedTransferSyntaxError


class Plain(StrEnum):
    """Encodings of frames that are not codestreams."""

    NATIVE = "native"
    BIG_ENDIAN = "native, big endian"
    RUN_LENGTHS = "rle"


@dataclass(frozen=True)
class FrameBytes:
    """The bytes of a frame in the file, and their encoding."""

    data: bytes
    coding: Coding | Plain


_NATIVE: Final = frozenset(
    {uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian}
)
_COMPRESSED: Final = frozenset(
    {
        *(uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1),
        *(uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000),
        *(uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K, uid.RLELossless),
        uid.UID("1.2.840.10008.1.2.1.98"),
    }
)

_DELIMITER_TAG: Final = b"\xfe\xff\xdd\xe0"
_ITEM_HEAD: Final = struct.Struct("<4sI")
_MAX_ITEMS: Final = 65_536

MAX_COMPARED_PIXELS: Final = 1 << 20
"""The number of pixels of a large frame that are compared with their neighbours."""

_BYTE: Final = 8
_RLE_HEAD: Final = struct.Struct("<16I")


def frame_bytes(data_set: FileDataset, header: DicomHeader, index: int) -> FrameBytes:
    """Find a frame and its encoding.

    Args:
        data_set: the file's.
        header: the file's; the caller has checked its size.
        index: of the frame, starting at 0.

    Raises:
        UnsupportedTransferSyntaxError: the transfer syntax is not supported.
        DamagedImageError: the encoding is unknown, or there are too few or too many bytes.
        Exception: one of ``DATA_SET_ERRORS``, if the file is damaged.
    """
    syntax = header.transfer_syntax
    if syntax not in _NATIVE | _COMPRESSED:
        # A private one only has a UID, which may contain anything.
        name = f"{syntax.name!r}" if syntax.name != str(syntax) else "that is not known"
        raise UnsupportedTransferSyntaxError(f"the DICOM file has a transfer syntax {name}")
    data: bytes = data_set.PixelData
    if data_set["PixelData"].is_undefined_length:
        return _encapsulated(_item_of(data, data_set, header, index), header)
    if end := _items_end(data):
        return _encapsulated(_item_of(data[:end], data_set, header, index), header)
    return _not_encapsulated(data, data_set, header, index)


def _encapsulated(frame: bytes, header: DicomHeader) -> FrameBytes:
    coding = coding_of(frame)
    if coding is not None:
        return FrameBytes(frame, coding)
    if _is_run_lengths(frame, header):
        return FrameBytes(frame, Plain.RUN_LENGTHS)
    if len(frame) in {header.frame_bytes, header.frame_bytes + 1}:
        return FrameBytes(frame, Plain.NATIVE)
    raise DamagedImageError("the DICOM file's pixels are not what its transfer syntax says")


def _not_encapsulated(
    data: bytes, data_set: FileDataset, header: DicomHeader, index: int
) -> FrameBytes:
    expected = header.frame_bytes * header.frames
    # An odd length is padded with one byte.
    fits = len(data) in {expected, expected + 1}
    coding = _bare_coding(data, header, fits=fits)
    if coding is not None and header.frames == 1:
        return FrameBytes(data, coding)
    if len(data) < expected:
        raise DamagedImageError("the DICOM file ends before the end of its pixels")
    if not fits and (data[expected:].strip(b"\0") or _is_sheared(data, header)):
        # Rows, columns, bits or frames are wrong: the picture would be sheared, or one of several.
        raise DamagedImageError("the DICOM file has more pixels than its header says")
    start = index * header.frame_bytes
    end = start + header.frame_bytes
    if header.transfer_syntax != uid.ExplicitVRBigEndian:
        return FrameBytes(data[start:end], Plain.NATIVE)
    if header.bits_allocated == _BYTE and data_set["PixelData"].VR == "OW":
        # A frame may start in the middle of a word.
        words = np.frombuffer(data[: len(data) // 2 * 2], np.uint16)
        return FrameBytes(words.byteswap().tobytes()[start:end], Plain.NATIVE)
    return FrameBytes(data[start:end], Plain.BIG_ENDIAN)


def _is_sheared(data: bytes, header: DicomHeader) -> bool:
    """Whether trailing zeros belong to the pixels, as rows are longer than declared."""
    more, rest = divmod(len(data), header.rows * header.bits_allocated // _BYTE)
    if header.frames > 1 or rest or more <= header.columns:
        return False
    # Rows resemble the row above, but less so with a wrong row length.
    values = np.frombuffer(data, f"u{header.bits_allocated // _BYTE}")
    if header.transfer_syntax == uid.ExplicitVRBigEndian:
        values = values.byteswap()
    start = max(0, (len(values) - MAX_COMPARED_PIXELS) // 2)
    part = values[start : start + MAX_COMPARED_PIXELS].astype(np.int32)
    said, longer = (np.abs(part[n:] - part[:-n]).sum() for n in (header.columns, more))
    return bool(longer < said)


def _bare_coding(data: bytes, header: DicomHeader, *, fits: bool) -> Coding | None:
    """Which codestream the data is, without items; None if it is none."""
    if not fits or header.transfer_syntax not in _NATIVE:
        return coding_of(data)
    # Some writers reserve space for an uncompressed frame and do not clear the rest. Only a
    # codestream with exactly the header's size is accepted here: grey values may begin like one.
    try:
        coding = coding_of(data)
        if coding is None:
            return None
        read = read_jpeg2000 if coding is Coding.JPEG_2000 else read_jpeg
        size = read(without_boxes(data))
    except (DamagedImageError, struct.error):
        return None
    return coding if (size.columns, size.rows) == (header.columns, header.rows) else None


def _items_end(data: bytes) -> int:
    """Where the items at the start of the data end (PS3.5, A.4); zero if there are none.

    A delimiter and zeros may follow.
    """
    position = 0
    for _ in range(_MAX_ITEMS):
        if position + _ITEM_HEAD.size > len(data):
            break
        tag, length = _ITEM_HEAD.unpack_from(data, position)
        if tag != ITEM_TAG:
            break
        position += _ITEM_HEAD.size + length
    rest = data[position:]
    ended = rest.startswith(_DELIMITER_TAG) or not rest.strip(b"\0")
    return position if ended and position <= len(data) else 0


def _item_of(data: bytes, data_set: FileDataset, header: DicomHeader, index: int) -> bytes:
    if data.count(ITEM_TAG) > _MAX_ITEMS:
        raise UndecodableImageError("the DICOM file's pixels are in too many pieces")
    offsets = data_set.get("ExtendedOffsetTable"), data_set.get("ExtendedOffsetTableLengths")
    return get_frame(
        data,
        index,
        number_of_frames=header.frames,
        extended_offsets=offsets if all(offsets) else None,
    )


def _is_run_lengths(frame: bytes, header: DicomHeader) -> bool:
    """Whether the frame begins with an RLE header (PS3.5, G.5)."""
    if len(frame) < _RLE_HEAD.size:
        return False
    segments, *offsets = _RLE_HEAD.unpack_from(frame)
    used = offsets[:segments]
    return (
        segments == header.bits_allocated // _BYTE
        and used[0] == _RLE_HEAD.size
        and used == sorted(used)
        and used[-1] < len(frame)
    )
