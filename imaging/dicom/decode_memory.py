"""How much memory a DICOM file takes at most while one of its frames is read."""

from typing import Final

from imaging.dicom.data_set import read_data_set
from imaging.dicom.deflated import inflated
from imaging.dicom.reader import damage_reported
from imaging.limits import check_size

_PIXEL_BYTES: Final = 14
"""Of any encoding: JPEG 2000 works in four bytes a sample, on two copies, beside the records of its
blocks (``imaging/dicom/jpeg2000_structure.py``)."""
_FILE_COPIES: Final = 2
"""pydicom copies the pixels out of the file, and a frame out of the pixels."""


def dicom_memory_bytes(data: bytes, *, max_pixels: int) -> int:
    """The most memory that ``read_dicom`` takes for a file, in bytes, the file not counted.

    Raises:
        TooManyPixelsError: a frame has more than ``max_pixels``, or a side that is too long.
        UnreadableDicomError: see ``read_data_set``.
        DamagedImageError: it cannot be taken apart.
    """
    with damage_reported():
        plain = inflated(data)
        data_set = read_data_set(plain)
        rows, columns = (int(data_set.get(name) or 0) for name in ("Rows", "Columns"))
    check_size(columns, rows, max_pixels=max_pixels)
    # What is inflated is there in parts and whole for a moment.
    copies = _FILE_COPIES if plain is data else 2 * _FILE_COPIES
    return rows * columns * _PIXEL_BYTES + copies * len(plain)
