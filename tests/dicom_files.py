"""Makes DICOM files, valid and invalid ones."""

import io
from collections.abc import Callable
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

PATIENT: Final = "Mustermann^Erika"
"""The name and ID of the patient in every file."""


def encode_rle(pixels: NDArray[Any]) -> bytes:
    """Encode as PS3.5, annex G: a segment per byte of a pixel, highest first, in literal runs."""
    planes = pixels.astype(pixels.dtype.newbyteorder(">")).view(np.uint8)
    segments = []
    for byte in range(pixels.dtype.itemsize):
        plane = planes.reshape(-1, pixels.dtype.itemsize)[:, byte].tobytes()
        runs = [plane[start : start + 128] for start in range(0, len(plane), 128)]
        segment = b"".join(bytes([len(run) - 1]) + run for run in runs)
        segments.append(segment + b"\0" * (len(segment) % 2))
    offsets = np.cumsum([64, *map(len, segments)])[:-1]
    header = np.zeros(16, "<u4")
    header[: len(segments) + 1] = [len(segments), *offsets]
    return header.tobytes() + b"".join(segments)


CT_IMAGE: Final = uid.CTImageStorage
_ENCODERS: Final[dict[uid.UID, Callable[[NDArray[Any]], bytes]]] = {
    uid.JPEGBaseline8Bit: lambda pixels: imagecodecs.jpeg8_encode(pixels, level=100),
    uid.JPEGExtended12Bit: lambda pixels: imagecodecs.jpeg8_encode(
        pixels, level=100, bitspersample=12
    ),
    uid.JPEGLossless: lambda pixels: imagecodecs.jpeg8_encode(
        pixels, lossless=True, predictor=6, bitspersample=8 * pixels.dtype.itemsize
    ),
    uid.JPEGLosslessSV1: lambda pixels: imagecodecs.jpeg8_encode(
        pixels, lossless=True, predictor=1, bitspersample=8 * pixels.dtype.itemsize
    ),
    uid.JPEGLSLossless: lambda pixels: imagecodecs.jpegls_encode(pixels, level=0),
    uid.JPEGLSNearLossless: lambda pixels: imagecodecs.jpegls_encode(pixels, level=2),
    uid.JPEG2000Lossless: lambda pixels: imagecodecs.jpeg2k_encode(
        pixels, codecformat="j2k", level=0, reversible=True
    ),
    uid.JPEG2000: lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", level=80),
    uid.HTJ2KLossless: lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True),
    uid.RLELossless: encode_rle,
}

COMPRESSIONS: Final = tuple(_ENCODERS)


def ct_pixels(rows: int = 48, columns: int = 64) -> NDArray[np.int16]:
    """Hounsfield units from air to bone, int16 ``[rows, columns]``."""
    y, x = np.mgrid[:rows, :columns]
    return (-1000 + 1400 * x / (columns - 1) + 300 * np.sin(y / 5)).astype(np.int16)


def make_data_set(pixels: NDArray[Any], **elements: object) -> Dataset:
    """Make a CT of one or more frames with these stored values; more elements by keyword."""
    data_set = Dataset()
    data_set.SOPClassUID = CT_IMAGE
    data_set.SOPInstanceUID = "2.25.1"
    data_set.Modality = "CT"
    data_set.PatientName = PATIENT
    data_set.PatientID = PATIENT
    frames = pixels if pixels.ndim == 3 else pixels[None]
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.Rows, data_set.Columns = frames.shape[1:]
    if len(frames) > 1:
        data_set.NumberOfFrames = len(frames)
    bits = 8 * pixels.dtype.itemsize
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = bits, bits, bits - 1
    data_set.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    _set(data_set, {"PixelData": frames.tobytes(), **elements})
    return data_set


def make_dicom(
    pixels: NDArray[Any] | None = None,
    *,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    preamble: bool = True,
    **elements: object,
) -> bytes:
    """Make a CT file of one or more frames.

    Args:
        pixels: the stored values, by default those of ``ct_pixels``.
        syntax: the transfer syntax.
        preamble: whether it has the preamble and file meta information of PS3.10.
        elements: elements to set, by keyword; None removes one.
    """
    values = ct_pixels() if pixels is None else pixels
    data_set = make_data_set(values, **elements)
    if syntax in _ENCODERS:
        frames = values if values.ndim == 3 else values[None]
        encoded = [_ENCODERS[syntax](np.ascontiguousarray(frame)) for frame in frames]
        data_set.PixelData = encapsulate(encoded)
        data_set["PixelData"].VR = "OB"
        data_set["PixelData"].is_undefined_length = True
    elif "PixelData" in data_set:
        data_set["PixelData"].VR = "OW" if data_set.get("BitsAllocated") == 16 else "OB"
        if syntax == uid.ExplicitVRBigEndian:
            data_set.PixelData = values.astype(values.dtype.newbyteorder(">")).tobytes()
    return write_dicom(data_set, syntax=syntax, preamble=preamble)


def make_encapsulated(
    *frames: bytes, like: NDArray[Any], syntax: uid.UID, undefined: bool = True, **elements: object
) -> bytes:
    """Make a file with these frames, each in an item, and a header that describes an array.

    Args:
        frames: the contents of the items.
        like: the array whose rows, columns, bits and sign the header gives.
        syntax: the transfer syntax that the header names.
        undefined: whether the pixel data has an undefined length, as it should.
        elements: more elements, by keyword.
    """
    data_set = make_data_set(like, **elements)
    data_set.PixelData = encapsulate(list(frames))
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = undefined
    if not syntax.is_compressed and undefined:
        # pydicom does not encapsulate pixel data under an uncompressed transfer syntax.
        compressed = write_dicom(data_set, syntax=uid.JPEGBaseline8Bit)
        old, new = uid.JPEGBaseline8Bit.encode(), syntax.encode()
        return compressed.replace(old, new.ljust(len(old), b"\0"), 1)
    return write_dicom(data_set, syntax=syntax)


def write_dicom(
    data_set: Dataset, *, syntax: uid.UID = uid.ExplicitVRLittleEndian, preamble: bool = True
) -> bytes:
    """Write a data set as a file."""
    file = io.BytesIO()
    if preamble:
        data_set.file_meta = FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = syntax
        data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
        data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
        private = {"implicit_vr": False, "little_endian": True} if syntax.is_private else {}
        data_set.save_as(file, enforce_file_format=True, **private)
    else:
        data_set.save_as(
            file,
            implicit_vr=syntax == uid.ImplicitVRLittleEndian,
            little_endian=syntax != uid.ExplicitVRBigEndian,
        )
    return file.getvalue()


def item(**elements: object) -> Sequence:
    """Make a sequence with one item."""
    data_set = Dataset()
    _set(data_set, elements)
    return Sequence([data_set])


def look_up_table(entries: NDArray[np.uint16], *, first: int, bits: int) -> Sequence:
    """Make a modality or VOI look-up table."""
    table = item(LUTDescriptor=[len(entries), first, bits], LUTData=entries.tobytes())
    table[0]["LUTData"].VR = "OW"
    return table


def _set(data_set: Dataset, elements: dict[str, Any]) -> None:
    for keyword, value in elements.items():
        if value is not None:
            setattr(data_set, keyword, value)
        elif keyword in data_set:
            delattr(data_set, keyword)
