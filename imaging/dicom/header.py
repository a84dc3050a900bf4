"""Reads and checks the header of a DICOM file."""

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.dicom.description import MODALITIES, UNKNOWN_MODALITY
from imaging.dicom.elements import number, word
from imaging.errors import (
    DamagedImageError,
    NoPixelsError,
    UnsupportedPixelsError,
    UnsupportedTransferSyntaxError,
    WrongModalityError,
)

_OTHER_MODALITIES: Final = {
    "MR": "magnetic resonance",
    "US": "ultrasound",
    "PT": "positron emission tomography",
    "NM": "nuclear medicine",
    "MG": "mammography",
    "RF": "fluoroscopy",
    "XA": "angiography",
    "PX": "a panoramic radiograph",
    "IO": "an intra-oral radiograph",
    "OT": "other",
    "SR": "a structured report",
    "SEG": "a segmentation",
    "PR": "a presentation state",
    "KO": "a key object selection",
    "DOC": "a document",
    "REG": "a registration",
    "RTIMAGE": "a radiotherapy image",
    "RTDOSE": "a radiotherapy dose",
    "RTPLAN": "a radiotherapy plan",
    "RTSTRUCT": "a radiotherapy structure set",
    "ECG": "an electrocardiogram",
}
"""Unknown modalities are not quoted, because a file may contain anything there."""

_OTHER_SPELLINGS: Final = {"DR": "DX"}
"""What vendors write instead of the defined terms of PS3.3, C.7.3.1.1.1."""

_VIEWS: Final = frozenset({"PA", "AP", "LL", "RL", "RLD", "LLD", "RLO", "LLO"})

_ENCAPSULATED_DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."
_PIXEL_BITS: Final = (8, 16)


@dataclass(frozen=True)
class DicomHeader:
    """The header of a file whose pixels can be read."""

    modality: str
    view: str | None
    transfer_syntax: UID
    rows: int
    columns: int
    frames: int
    bits_allocated: int
    """8 or 16."""
    bits_stored: int
    signed: bool
    inverted: bool
    """Whether the lowest value is white: MONOCHROME1."""

    @property
    def frame_bytes(self) -> int:
        """The size of an uncompressed frame, in bytes."""
        return self.rows * self.columns * self.bits_allocated // 8


def read_header(data_set: FileDataset, *, any_modality: bool = False) -> DicomHeader:
    """Read and check the header.

    Args:
        data_set: the file.
        any_modality: whether to also accept images that are neither CT nor radiograph.

    Raises:
        WrongModalityError: the file is neither a CT nor a radiograph.
        NoPixelsError: the file has no image.
        UnsupportedTransferSyntaxError: the file does not say how its pixels are encoded.
        UnsupportedPixelsError: the pixels have colours, or another number of bits.
        DamagedImageError: the header contradicts itself.
    """
    modality = _modality(data_set, any_modality=any_modality)
    if "PixelData" not in data_set or not (data_set.get("Rows") and data_set.get("Columns")):
        raise NoPixelsError("the DICOM file has a header, but no image")
    _check_grey(data_set)
    header = DicomHeader(
        modality=modality,
        view=_view(data_set),
        transfer_syntax=_transfer_syntax(data_set),
        rows=int(data_set.Rows),
        columns=int(data_set.Columns),
        frames=int(number(data_set, "NumberOfFrames", default=1) or 1),
        bits_allocated=int(data_set.BitsAllocated),
        bits_stored=int(data_set.get("BitsStored", data_set.BitsAllocated)),
        signed=_signed(data_set),
        inverted=word(data_set, "PhotometricInterpretation") == "MONOCHROME1",
    )
    _check_bits(header, high_bit=int(data_set.get("HighBit", header.bits_stored - 1)))
    if header.frames < 1:
        raise DamagedImageError("the DICOM file says that it has no frame")
    return header


def _modality(data_set: Dataset, *, any_modality: bool) -> str:
    if str(data_set.get("SOPClassUID", "")).startswith(_ENCAPSULATED_DOCUMENTS):
        raise WrongModalityError("the DICOM file is a document, such as a PDF, not an image")
    modality = word(data_set, "Modality")
    modality = _OTHER_SPELLINGS.get(modality, modality)
    if modality in MODALITIES:
        return modality
    if any_modality:
        return modality if modality in _OTHER_MODALITIES else UNKNOWN_MODALITY
    if modality in _OTHER_MODALITIES:
        raise WrongModalityError(
            f"the DICOM file's modality is {modality}, {_OTHER_MODALITIES[modality]}"
        )
    said = "an unsupported modality" if modality else "no modality"
    raise WrongModalityError(f"the DICOM file has {said}")


def _signed(data_set: Dataset) -> bool:
    representation = number(data_set, "PixelRepresentation", default=0)
    if representation not in {0, 1}:
        raise DamagedImageError("the DICOM file does not say whether its pixel values are signed")
    return representation == 1


def _view(data_set: Dataset) -> str | None:
    view = word(data_set, "ViewPosition")
    return view if view in _VIEWS else None


def _check_grey(data_set: Dataset) -> None:
    # ACR-NEMA, the predecessor of DICOM, only had MONOCHROME2.
    photometric = word(data_set, "PhotometricInterpretation") or "MONOCHROME2"
    if data_set.get("SamplesPerPixel", 1) != 1 or photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise UnsupportedPixelsError("the DICOM file has colours")


def _check_bits(header: DicomHeader, *, high_bit: int) -> None:
    if header.bits_allocated not in _PIXEL_BITS:
        raise UnsupportedPixelsError(
            f"the DICOM file has {header.bits_allocated} bits per pixel, neither 8 nor 16"
        )
    if not 1 <= header.bits_stored <= header.bits_allocated:
        raise DamagedImageError("the DICOM file stores more bits than it allocates")
    if high_bit != header.bits_stored - 1:
        raise UnsupportedPixelsError("the DICOM file's high bit does not match its stored bits")


def _transfer_syntax(data_set: FileDataset) -> UID:
    stated = data_set.file_meta.get("TransferSyntaxUID")
    if stated:
        return UID(stated)
    implicit, little_endian = data_set.original_encoding
    if data_set["PixelData"].is_undefined_length:
        raise UnsupportedTransferSyntaxError("the DICOM file does not say how it is compressed")
    if not little_endian:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
