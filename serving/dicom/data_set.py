"""A file's data set: what its pixels need, and of the patient nothing."""

import io
import logging
import struct
import warnings
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from serving.errors import DamagedImageError, NoPixelsError, UnsupportedTransferSyntaxError
from serving.known_codecs import forget_unknown_codecs

DATA_SET_ERRORS: Final = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, NotImplementedError, RecursionError, struct.error),
    pydicom.errors.BytesLengthException,
)
"""What pydicom raises of data sets that are not what it expects."""

_KEYWORDS: Final = (
    *("SOPClassUID", "Modality", "ViewPosition", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
)
_SEQUENCES: Final = tuple(keyword for keyword in _KEYWORDS if keyword.endswith("Sequence"))

_MAX_READS: Final = 200_000
"""Some three for each element; a CT slice has 300 elements, one of 500 frames 15,000."""
_MAX_SEQUENCE_BYTES: Final = 1024 * 1024
"""They are taken apart element by element, when they are first looked at."""

# What pydicom has to say of a file quotes it.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False
warnings.filterwarnings("ignore", module="pydicom")
# It looks up whatever character set a file names.
forget_unknown_codecs()


class _BoundedReader(io.BytesIO):
    """A file that does not let itself be read in ever so many pieces."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise DamagedImageError("the dicom file has too many elements")
        return super().read(size)


def read_data_set(data: bytes) -> FileDataset:
    """Read the elements that the pixels need.

    Raises:
        UnsupportedTransferSyntaxError: it is deflated as a whole.
        NoPixelsError: it is a DICOMDIR.
        DamagedImageError: it ends within an element, or has too many, or too large ones.
        Exception: one of ``DATA_SET_ERRORS``, where it is damaged.
    """
    # pydicom would inflate all of it, however much that is.
    if DeflatedExplicitVRLittleEndian.encode() in data:
        raise UnsupportedTransferSyntaxError("a deflated dicom file is not read")
    data_set = pydicom.dcmread(_BoundedReader(data), force=True, specific_tags=list(_KEYWORDS))
    if data_set.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise NoPixelsError("the dicom file is a directory of other files")
    if not data_set:
        # This is also all that pydicom gives where a file ends before a delimiter that must come.
        raise DamagedImageError("the dicom file ends within an element, or has nothing of an image")
    for keyword in _SEQUENCES:
        if keyword in data_set:
            value = data_set.get_item(keyword).value
            if isinstance(value, bytes) and len(value) > _MAX_SEQUENCE_BYTES:
                raise DamagedImageError("the dicom file has a sequence that is too long")
    return data_set


def functional_group(data_set: Dataset, index: int, keyword: str) -> Dataset:
    """Where a frame's elements are that a sequence of the functional groups holds.

    They are in the frame's own group, in the group that all frames share (PS3.3, C.7.6.16), or, in
    files that have no such groups, in the data set itself.
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
