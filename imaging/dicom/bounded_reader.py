"""Limits how much of a file pydicom reads.

pydicom creates an object for every element, and for every value of a multi-valued element: a
megabyte of short numbers takes seconds and 230 MB. So long values are limited before they are
converted.
"""

import io
import struct
from typing import Final

from pydicom.datadict import tag_for_keyword

from imaging.dicom.file_format import ITEM_TAG, META_GROUP
from imaging.errors import DamagedImageError, UndecodableImageError

MAX_VALUE_BYTES: Final = 4096
"""For an element with numbers or a word; 256 windows fit."""
MAX_SEQUENCE_BYTES: Final = 1024 * 1024
MAX_SEQUENCE_ITEMS: Final = 16_384
"""Including nested items; a CT with 500 frames has 5,000."""

_MAX_READS: Final = 200_000
"""About three for each element; a CT slice has 300 elements, a CT with 500 frames 15,000."""
_MAX_META_BYTES: Final = 65_536
_MAX_CHARACTER_SET_BYTES: Final = 8_192
"""For all character sets together: pydicom looks these up at once, other elements on access."""
_MAX_VALUES: Final = 16_384
_HEAD_BYTES: Final = 8
_LONG_LENGTH_BYTES: Final = 4
_META_GROUP_BYTES: Final = struct.pack("<H", META_GROUP)
_BIG_ENDIAN_ITEM_TAG: Final = b"\xff\xfe\xe0\x00"


def tags_of(*keywords: str) -> frozenset[bytes]:
    """The tags as bytes in a file, in both byte orders."""
    tags = [tag_for_keyword(keyword) or 0 for keyword in keywords]
    return frozenset(
        struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) for tag in tags for order in "<>"
    )


_ITEM_TAGS: Final = frozenset({ITEM_TAG, _BIG_ENDIAN_ITEM_TAG})
_CHARACTER_SET_TAGS: Final = tags_of("SpecificCharacterSet")


class BoundedReader(io.BytesIO):
    """A DICOM file in memory.

    Args:
        data: the file.
        short: the tags (``tags_of``) of elements with numbers or a word.
    """

    def __init__(self, data: bytes, *, short: frozenset[bytes]) -> None:
        super().__init__(data)
        self._short = short
        self._tag = b""
        self._reads_left = _MAX_READS
        self._items_left = MAX_SEQUENCE_ITEMS
        self._character_set_bytes_left = _MAX_CHARACTER_SET_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as ``io.BytesIO`` does.

        Raises:
            DamagedImageError: a limit is exceeded.
        """
        if size is None or size < 0:
            # pydicom reads the whole rest only to inflate it, without a limit.
            raise DamagedImageError("the DICOM file is deflated in an unknown way")
        self._reads_left -= 1
        if self._reads_left < 0:
            raise UndecodableImageError("the DICOM file has too many elements")
        if size == _HEAD_BYTES:
            head = super().read(size)
            self._tag = head[:4]
            if self._tag in _ITEM_TAGS:
                self._items_left -= 1
                if self._items_left < 0:
                    raise UndecodableImageError("the DICOM file has too many items")
            return head
        if size > _LONG_LENGTH_BYTES:
            self._check_value(size)
        return super().read(size)

    def _check_value(self, size: int) -> None:
        if self._tag in _CHARACTER_SET_TAGS:
            self._character_set_bytes_left -= size
        if self._character_set_bytes_left < 0 or (
            self._tag in self._short and size > MAX_VALUE_BYTES
        ):
            raise UndecodableImageError("the DICOM file has an element with too many values")
        if self._tag[:2] == _META_GROUP_BYTES and size > _MAX_META_BYTES:
            raise UndecodableImageError("the DICOM file has an element that is too long")


def check_sequence(raw: bytes) -> None:
    """Check the limits of a sequence that pydicom has not parsed.

    Raises:
        DamagedImageError: the sequence is too long, or has too many items or values.
    """
    if len(raw) > MAX_SEQUENCE_BYTES:
        raise UndecodableImageError("the DICOM file has a sequence that is too long")
    items = max(raw.count(ITEM_TAG), raw.count(_BIG_ENDIAN_ITEM_TAG))
    if items > MAX_SEQUENCE_ITEMS:
        raise UndecodableImageError("the DICOM file has too many items")
    if raw.count(b"\\") > _MAX_VALUES:
        raise UndecodableImageError("the DICOM file has an element with too many values")
