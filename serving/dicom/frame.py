"""One frame's stored values, uncompressed or through the codec of its transfer syntax."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import FileDataset
from pydicom.encaps import get_frame

from serving.dicom.codestream import Codestream, read_jpeg, read_jpeg2000
from serving.dicom.header import DicomHeader
from serving.errors import DamagedImageError, UnsupportedTransferSyntaxError
from serving.jpeg_scans import pad_scans, read_scans

_NATIVE: Final = frozenset(
    {uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian}
)


@dataclass(frozen=True)
class _Codec:
    """How a compressed frame is read, whole or not at all."""

    read_size: Callable[[bytes], Codestream]
    decode: Callable[[bytes], NDArray[Any]]
    pad: Callable[[bytes], bytes] | None = None
    """Puts bytes where a decoder that fills up what is missing would find them (decision 9)."""


def _decode_jpeg_ls(frame: bytes) -> NDArray[Any]:
    # CharLS takes seconds to find out that a frame has no end.
    if not frame.rstrip(b"\0").endswith(_END_OF_IMAGE):
        raise DamagedImageError("the dicom file's pixels are truncated or corrupt")
    values: NDArray[Any] = imagecodecs.jpegls_decode(frame)
    return values


_END_OF_IMAGE: Final = b"\xff\xd9"

_JPEG: Final = _Codec(
    read_jpeg, imagecodecs.jpeg8_decode, lambda frame: pad_scans(frame, read_scans(frame))
)
_JPEG_LS: Final = _Codec(read_jpeg, _decode_jpeg_ls)
_JPEG_2000: Final = _Codec(read_jpeg2000, imagecodecs.jpeg2k_decode)
_CODECS: Final[dict[uid.UID, _Codec]] = {
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGExtended12Bit: _JPEG,
    uid.JPEGLossless: _JPEG,
    uid.JPEGLosslessSV1: _JPEG,
    uid.JPEGLSLossless: _JPEG_LS,
    uid.JPEGLSNearLossless: _JPEG_LS,
    uid.JPEG2000Lossless: _JPEG_2000,
    uid.JPEG2000: _JPEG_2000,
    uid.HTJ2KLossless: _JPEG_2000,
    uid.HTJ2KLosslessRPCL: _JPEG_2000,
    uid.HTJ2K: _JPEG_2000,
}

_ITEM_TAG: Final = b"\xfe\xff\x00\xe0"
_MAX_ITEMS: Final = 65_536

_CODEC_ERRORS: Final = (RuntimeError, ValueError, TypeError, IndexError, MemoryError)
"""What imagecodecs raises; its own errors are runtime errors."""


def read_frame(data_set: FileDataset, header: DicomHeader, index: int) -> NDArray[np.integer[Any]]:
    """The stored values of a frame.

    Args:
        data_set: the file's.
        header: the file's, whose size the caller has found to be within limits.
        index: of the frame, from 0 on.

    Returns:
        uint8, int8, uint16 or int16 ``[rows, columns]``, in the byte order of the machine.

    Raises:
        UnsupportedTransferSyntaxError: the frame is encoded in a way that is not read.
        DamagedImageError: it is truncated, corrupt, or of another size than the header says.
    """
    syntax = header.transfer_syntax
    if syntax in _NATIVE:
        return _signed_or_not(_native_frame(data_set, header, index), header)
    if syntax == uid.RLELossless:
        return _signed_or_not(_rle_frame(_encoded(data_set, header, index), header), header)
    if syntax in _CODECS:
        values = _decoded(_encoded(data_set, header, index), header, _CODECS[syntax])
        # A decoder that knows of signs has put them right.
        same = np.issubdtype(values.dtype, np.signedinteger) == header.signed
        return values if same else _signed_or_not(values, header)
    # A private one has only its number, and that may be anything.
    name = f"{syntax.name!r}" if syntax.name != str(syntax) else "that is not known"
    raise UnsupportedTransferSyntaxError(f"the dicom file has a transfer syntax {name}")


def _native_frame(
    data_set: FileDataset, header: DicomHeader, index: int
) -> NDArray[np.integer[Any]]:
    big_endian = header.transfer_syntax == uid.ExplicitVRBigEndian
    dtype = np.dtype(f"{'>' if big_endian else '<'}u{header.bits_allocated // 8}")
    pixels = header.rows * header.columns
    data = data_set.PixelData
    if big_endian and dtype.itemsize == 1 and data_set["PixelData"].VR == "OW":
        data = np.frombuffer(data[: len(data) // 2 * 2], np.uint16).byteswap().tobytes()
    offset = index * pixels * dtype.itemsize
    if len(data) < offset + pixels * dtype.itemsize:
        raise DamagedImageError("the dicom file ends before its pixels do")
    frame = np.frombuffer(data, dtype, pixels, offset).reshape(header.rows, header.columns)
    return frame.astype(dtype.newbyteorder("="), copy=False)


def _encoded(data_set: FileDataset, header: DicomHeader, index: int) -> bytes:
    data = data_set.PixelData
    if data.count(_ITEM_TAG) > _MAX_ITEMS:
        raise DamagedImageError("the dicom file's pixels are in too many pieces")
    offsets = data_set.get("ExtendedOffsetTable"), data_set.get("ExtendedOffsetTableLengths")
    return get_frame(
        data,
        index,
        number_of_frames=header.frames,
        extended_offsets=offsets if all(offsets) else None,
    )


def _decoded(frame: bytes, header: DicomHeader, codec: _Codec) -> NDArray[Any]:
    # Before anything is decoded: a decoder makes room for what the frame claims, not the header.
    if codec.read_size(frame) != Codestream(header.columns, header.rows, 1):
        raise DamagedImageError("the dicom file contradicts itself about its size")
    try:
        values = codec.decode(frame)
        whole = codec.pad is None or np.array_equal(values, codec.decode(codec.pad(frame)))
    except _CODEC_ERRORS as error:
        raise DamagedImageError("the dicom file's pixels are truncated or corrupt") from error
    if not whole:
        raise DamagedImageError("the dicom file's pixels are truncated")
    return _checked(values, header)


def _rle_frame(frame: bytes, header: DicomHeader) -> NDArray[Any]:
    dtype = np.dtype(f"<u{header.bits_allocated // 8}")
    # Of this size and no larger: runs of two bytes may claim sixty times as many.
    room = bytearray(header.rows * header.columns * dtype.itemsize)
    try:
        decoded = imagecodecs.dicomrle_decode(frame, dtype, out=room)
        values = np.frombuffer(decoded, dtype).reshape(header.rows, header.columns)
    except _CODEC_ERRORS as error:
        raise DamagedImageError("the dicom file's pixels are truncated or corrupt") from error
    return _checked(values, header)


def _checked(values: NDArray[Any], header: DicomHeader) -> NDArray[Any]:
    if values.shape != (header.rows, header.columns) or values.dtype.itemsize not in {1, 2}:
        raise DamagedImageError("the dicom file contradicts itself about its size")
    return values


def _signed_or_not(
    values: NDArray[np.integer[Any]], header: DicomHeader
) -> NDArray[np.integer[Any]]:
    """The stored bits alone, as older files have overlays in the others, and with their sign."""
    width = 8 * values.dtype.itemsize
    unused = max(0, width - header.bits_stored)
    unsigned = values.view(f"u{values.dtype.itemsize}") << unused
    shifted = unsigned.view(f"i{values.dtype.itemsize}") if header.signed else unsigned
    return shifted >> unused
