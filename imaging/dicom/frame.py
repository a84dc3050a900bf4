"""Reads one frame's stored values, uncompressed or with the codec of its codestream."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from imaging.dicom.codestream import (
    Codestream,
    Coding,
    read_jpeg,
    read_jpeg2000,
    without_boxes,
)
from imaging.dicom.header import DicomHeader
from imaging.dicom.jpeg2000_structure import check_structure
from imaging.dicom.jpeg_probe import pad_scans
from imaging.dicom.pixel_data import MAX_COMPARED_PIXELS, FrameBytes, Plain, frame_bytes
from imaging.errors import DamagedImageError
from imaging.formats.jpeg import read_scans


@dataclass(frozen=True)
class Frame:
    """A frame's stored values, uint8, int8, uint16 or int16 ``[rows, columns]``, native order."""

    values: NDArray[np.integer[Any]]
    bits: int
    """How many bits of a value are used: as the header says, or fewer in a codestream."""


@dataclass(frozen=True)
class _Codec:
    """How to read a compressed frame."""

    read_size: Callable[[bytes], Codestream]
    decode: Callable[[bytes], NDArray[Any]]
    trim: Callable[[bytes], bytes]
    """Removes data around the codestream, and rejects input that is unsafe to decode."""
    pad: Callable[[bytes], bytes] | None = None
    """Inserts bytes that change the result if a decoder fills in missing data (decision 9)."""


_MIN_CROSSED: Final = 0.001
"""As a share of the pixels; fewer prove nothing."""
_FAR_APART: Final = 0.875
"""As a share of the range."""
_MOSTLY: Final = 0.75
_END_OF_IMAGE: Final = b"\xff\xd9"
_PADDING: Final = b"\0\xff"


def _trim_jpeg_ls(frame: bytes) -> bytes:
    # CharLS takes seconds to detect a missing end marker, and rejects bytes after it. Writers pad
    # items to an even length with 00 or FF.
    trimmed = frame.rstrip(_PADDING)
    if not trimmed.endswith(_END_OF_IMAGE[1:]) or not frame.startswith(
        _END_OF_IMAGE, len(trimmed) - len(_END_OF_IMAGE)
    ):
        raise DamagedImageError("the DICOM file's pixels are truncated or corrupt")
    return trimmed


def _decode_jpeg2000(codestream: bytes) -> NDArray[Any]:
    check_structure(codestream)
    values: NDArray[Any] = imagecodecs.jpeg2k_decode(codestream)
    return values


_CODECS: Final[dict[Coding, _Codec]] = {
    Coding.JPEG: _Codec(
        read_jpeg,
        imagecodecs.jpeg8_decode,
        lambda frame: frame,
        lambda frame: pad_scans(frame, read_scans(frame)),
    ),
    Coding.JPEG_LS: _Codec(read_jpeg, imagecodecs.jpegls_decode, _trim_jpeg_ls),
    Coding.JPEG_2000: _Codec(read_jpeg2000, _decode_jpeg2000, without_boxes),
}

_CODEC_ERRORS: Final = (RuntimeError, ValueError, TypeError, IndexError, MemoryError)
"""What imagecodecs raises; its own errors are subclasses of RuntimeError."""


def read_frame(data_set: FileDataset, header: DicomHeader, index: int) -> Frame:
    """Read the stored values of a frame.

    Args:
        data_set: the file's.
        header: the file's; the caller has checked its size.
        index: of the frame, starting at 0.

    Raises:
        UnsupportedTransferSyntaxError: the transfer syntax is not supported.
        DamagedImageError: the frame is truncated or corrupt, or contradicts the header.
    """
    found = frame_bytes(data_set, header, index)
    if isinstance(found.coding, Coding):
        frame = _decoded(found.data, header, _CODECS[found.coding])
    else:
        frame = _plain(found, header)
    if np.issubdtype(frame.values.dtype, np.signedinteger) and _wraps(frame):
        raise DamagedImageError(
            "the DICOM file contradicts itself: its header says that pixel values are signed, but"
            " they only form a picture as unsigned values"
        )
    return frame


def _plain(found: FrameBytes, header: DicomHeader) -> Frame:
    if found.coding is Plain.RUN_LENGTHS:
        values = _rle_frame(found.data, header)
    else:
        values = _native_frame(found.data, header, big_endian=found.coding is Plain.BIG_ENDIAN)
    return Frame(_stored_bits(values, header.bits_stored, header), header.bits_stored)


def _native_frame(
    data: bytes, header: DicomHeader, *, big_endian: bool
) -> NDArray[np.integer[Any]]:
    dtype = np.dtype(f"{'>' if big_endian else '<'}u{header.bits_allocated // 8}")
    frame = np.frombuffer(data, dtype, header.rows * header.columns)
    shaped = frame.reshape(header.rows, header.columns)
    return shaped.astype(dtype.newbyteorder("="), copy=False)


def _decoded(frame: bytes, header: DicomHeader, codec: _Codec) -> Frame:
    trimmed = codec.trim(frame)
    claimed = codec.read_size(trimmed)
    # Checked before decoding, because decoders allocate what the frame declares, not the header.
    if (claimed.columns, claimed.rows, claimed.samples) != (header.columns, header.rows, 1):
        raise DamagedImageError("the DICOM file contradicts itself about its size")
    if claimed.bits > header.bits_allocated:
        raise DamagedImageError(
            f"the DICOM file contradicts itself: its pixels have {claimed.bits} bits, its header"
            f" says {header.bits_allocated}"
        )
    try:
        values = codec.decode(trimmed)
        whole = codec.pad is None or np.array_equal(values, codec.decode(codec.pad(trimmed)))
    except _CODEC_ERRORS as error:
        raise DamagedImageError("the DICOM file's pixels are truncated or corrupt") from error
    if not whole:
        raise DamagedImageError("the DICOM file's pixels are truncated")
    if values.shape != (header.rows, header.columns) or values.dtype.itemsize not in {1, 2}:
        raise DamagedImageError("the DICOM file contradicts itself about its size")
    if claimed.signed and not header.signed and values.size and values.min() < 0:
        raise DamagedImageError("the DICOM file contradicts itself about the sign of its pixels")
    # A 12-bit codestream has its sign in the twelfth bit, whatever the header says.
    bits = min(claimed.bits, header.bits_stored)
    # Decoders that support signed samples have already applied the sign.
    same = np.issubdtype(values.dtype, np.signedinteger) == header.signed
    if header.signed and claimed.bits < header.bits_stored and not same:
        same = _is_unsigned(values, bits)
    return Frame(values if same else _stored_bits(values, bits, header), bits)


def _is_unsigned(values: NDArray[np.integer[Any]], bits: int) -> bool:
    """Whether an unsigned frame is a plausible picture only if its top bit is not a sign.

    With the wrong interpretation, neighbours in the middle of the range become its two ends.
    """
    half = 1 << (bits - 1)
    crossed = _differences_across(half, values)
    # For a pair on both sides of the middle, one interpretation is close together, the other far
    # apart.
    return bool(2 * np.count_nonzero(crossed < half) > crossed.size)


def _wraps(frame: Frame) -> bool:
    """Whether signed values are really unsigned: at a change of sign they jump across the range.

    Padding next to tissue jumps too, but a real picture has enough other neighbours.
    """
    crossed = _differences_across(0, frame.values)
    if crossed.size < _MIN_CROSSED * min(frame.values.size, MAX_COMPARED_PIXELS):
        return False
    far = np.count_nonzero(crossed >= _FAR_APART * (1 << frame.bits))
    return bool(far >= _MOSTLY * crossed.size)


def _differences_across(level: int, values: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Differences of row neighbours across the level; for large frames, in some of the rows."""
    step = -(-values.size // MAX_COMPARED_PIXELS)
    rows = values[::step].astype(np.int32)
    left, right = rows[:, :-1], rows[:, 1:]
    return np.asarray(np.abs(left - right)[(left < level) != (right < level)])


def _rle_frame(frame: bytes, header: DicomHeader) -> NDArray[Any]:
    dtype = np.dtype(f"<u{header.bits_allocated // 8}")
    # A fixed size, because a run of two bytes may expand to sixty times as many.
    room = bytearray(header.rows * header.columns * dtype.itemsize)
    # Padding after the last run would be read as another run, but the run itself may end in zeros.
    ends = (len(frame), len(frame) - 1, len(frame) - 2, len(frame) - 3, len(frame.rstrip(_PADDING)))
    for trimmed in (frame[:end] for end in ends if not frame[end:].strip(_PADDING)):
        try:
            decoded = imagecodecs.dicomrle_decode(trimmed, dtype, out=room)
            return np.frombuffer(decoded, dtype).reshape(header.rows, header.columns)
        except _CODEC_ERRORS as error:
            damage = error
    raise DamagedImageError("the DICOM file's pixels are truncated or corrupt") from damage


def _stored_bits(
    values: NDArray[np.integer[Any]], bits: int, header: DicomHeader
) -> NDArray[np.integer[Any]]:
    """The stored bits only, with their sign; older files have overlays in the other bits."""
    width = 8 * values.dtype.itemsize
    unused = max(0, width - bits)
    unsigned = values.view(f"u{values.dtype.itemsize}") << unused
    shifted = unsigned.view(f"i{values.dtype.itemsize}") if header.signed else unsigned
    return shifted >> unused
