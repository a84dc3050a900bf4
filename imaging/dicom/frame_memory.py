"""The peak memory for reading one frame of a DICOM file."""

from typing import Final

from imaging.dicom.data_set import read_data_set
from imaging.dicom.deflated import inflated
from imaging.dicom.reader import damage_reported
from imaging.limits import check_size

_PIXEL_BYTES: Final = 14
"""The maximum over all encodings: JPEG 2000 uses four bytes per sample, in two copies, and records
for its blocks (``imaging/dicom/jpeg2000_structure.py``)."""
_FILE_COPIES: Final = 2
"""pydicom copies the pixels from the file, and a frame from the pixels."""


def dicom_memory_bytes(data: bytes, *, max_pixels: int) -> int:
    """The peak memory of ``read_dicom`` for a file, in bytes, without the file itself.

    Raises:
        TooManyPixelsError: a frame has more than ``max_pixels``, or a side that is too long.
        UnreadableDicomError: see ``read_data_set``.
        DamagedImageError: the file cannot be parsed.
    """
    with damage_reported():
        plain = inflated(data)
        data_set = read_data_set(plain)
        rows, columns = (int(data_set.get(name) or 0) for name in ("Rows", "Columns"))
    check_size(columns, rows, max_pixels=max_pixels)
    # Inflated data briefly exists both in parts and as a whole.
    copies = _FILE_COPIES if plain is data else 2 * _FILE_COPIES
    return rows * columns * _PIXEL_BYTES + copies * len(plain)
