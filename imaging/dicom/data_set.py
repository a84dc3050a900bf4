"""Reads the elements of a file that its pixels need, and none about the patient."""

import logging
import struct
import warnings
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import MediaStorageDirectoryStorage

from imaging.dicom.bounded_reader import BoundedReader, check_sequence, tags_of
from imaging.dicom.charset_cache import forget_unknown_codecs
from imaging.dicom.deflated import inflated
from imaging.errors import DamagedImageError, NoPixelsError, UndecodableImageError

DATA_SET_ERRORS: Final = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, NotImplementedError, RecursionError, struct.error),
    pydicom.errors.BytesLengthException,
)
"""What pydicom raises for malformed data sets."""

_KEYWORDS: Final = (
    *("SOPClassUID", "Modality", "ViewPosition", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
)
_SEQUENCES: Final = tuple(keyword for keyword in _KEYWORDS if keyword.endswith("Sequence"))

_TABLES: Final = frozenset({"ExtendedOffsetTable", "ExtendedOffsetTableLengths"})
_MAX_TABLE_BYTES: Final = 8 * 65_536
_SHORT: Final = tags_of(
    *(set(_KEYWORDS) - {"PixelData", *_SEQUENCES, *_TABLES}),
    *("TransferSyntaxUID", "MediaStorageSOPClassUID"),
)

# pydicom's messages quote the file, so they are not logged.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False
warnings.filterwarnings("ignore", module="pydicom")
# pydicom looks up any character set that a file names.
forget_unknown_codecs()


def read_data_set(data: bytes) -> FileDataset:
    """Read the elements that the pixels need.

    A deflated file is inflated first.

    Raises:
        NoPixelsError: the file is a DICOMDIR.
        DamagedImageError: the file ends within an element, or has too many or too large elements.
        Exception: one of ``DATA_SET_ERRORS``, if the file is damaged.
    """
    reader = BoundedReader(inflated(data), short=_SHORT)
    data_set = pydicom.dcmread(reader, force=True, specific_tags=list(_KEYWORDS))
    if data_set.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise NoPixelsError("the DICOM file is a directory of other files")
    if not data_set:
        # pydicom also returns nothing if a file ends before a required delimiter.
        raise DamagedImageError("the DICOM file ends within an element, or has no image")
    for keyword in (*_SEQUENCES, *_TABLES):
        value = data_set.get_item(keyword).value if keyword in data_set else None
        if isinstance(value, bytes) and keyword in _SEQUENCES:
            check_sequence(value)
        elif isinstance(value, bytes) and len(value) > _MAX_TABLE_BYTES:
            raise UndecodableImageError("the DICOM file has an offset table that is too long")
    return data_set


def functional_group(data_set: Dataset, index: int, keyword: str) -> Dataset:
    """The data set with a frame's elements from a sequence of the functional groups.

    The elements are in the frame's own group, in the group that all frames share (PS3.3, C.7.6.16),
    or, in files without such groups, in the data set itself.
    """
    groups = [
        *data_set.get("PerFrameFunctionalGroupsSequence", [])[index : index + 1],
        *data_set.get("SharedFunctionalGroupsSequence", [])[:1],
    ]
    for group in groups:
        if items := group.get(keyword):
            own: Dataset = items[0]
            return own
    return data_set
