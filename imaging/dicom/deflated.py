"""Inflates files of the deflated transfer syntax (PS3.5, A.5) within limits, for pydicom.

pydicom itself would inflate everything at once, without a limit.
"""

import struct
import zlib
from typing import Final, NamedTuple

from pydicom import uid

from imaging.dicom.file_format import MAGIC, META_GROUP, PREAMBLE_BYTES, has_preamble
from imaging.errors import DamagedImageError, UndecodableImageError

MAX_INFLATED_BYTES: Final = 256_000_000
MAX_RATIO: Final = 100
"""A slice becomes two to five times larger; a blank image a thousand times."""
_ALLOWED_BYTES: Final = 4_000_000

_ELEMENT_HEAD: Final = struct.Struct("<HH2sH")
_LONG_LENGTH: Final = struct.Struct("<I")
_LONGEST_HEAD_BYTES: Final = _ELEMENT_HEAD.size + _LONG_LENGTH.size
_GROUP_LENGTH: Final = 0
_TRANSFER_SYNTAX: Final = 0x0010
_MAX_META_ELEMENTS: Final = 100
_LONG_LENGTHS: Final = frozenset({b"OB", b"OW", b"UN", b"UT", b"SQ", b"UC", b"UR", b"OF", b"OD"})
_INFLATED_AT_ONCE: Final = 65_536


class _Meta(NamedTuple):
    """The position of the transfer syntax, and the end of the file meta information."""

    syntax_start: int
    syntax_end: int
    end: int


def inflated(data: bytes) -> bytes:
    """The uncompressed file; the same bytes if the file is not deflated.

    Raises:
        DamagedImageError: the deflated data is truncated or corrupt, or inflates to far too much.
    """
    meta = _read_meta(data)
    if meta is None:
        return data
    syntax = data[meta.syntax_start : meta.syntax_end]
    if syntax.rstrip(b"\0 ") != uid.DeflatedExplicitVRLittleEndian.encode():
        return data
    plain = uid.ExplicitVRLittleEndian.encode().ljust(len(syntax), b"\0")
    head = data[: meta.syntax_start] + plain + data[meta.syntax_end : meta.end]
    return head + _inflate(memoryview(data)[meta.end :])


def _inflate(packed: memoryview) -> bytes:
    left = min(MAX_INFLATED_BYTES, _ALLOWED_BYTES + MAX_RATIO * len(packed))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    parts = []
    try:
        for start in range(0, len(packed), _INFLATED_AT_ONCE):
            # Inflates to at most a thousand times as much.
            parts.append(inflater.decompress(packed[start : start + _INFLATED_AT_ONCE], left + 1))
            left -= len(parts[-1])
            if left < 0 or inflater.unconsumed_tail:
                raise UndecodableImageError("the DICOM file inflates to far more than an image")
            if inflater.eof:
                return b"".join(parts)
    except zlib.error as error:
        raise DamagedImageError("the DICOM file is deflated and corrupt") from error
    raise DamagedImageError("the DICOM file is deflated and truncated")


def _read_meta(data: bytes) -> _Meta | None:
    """Parse the file meta information; None if it names no transfer syntax."""
    position = PREAMBLE_BYTES + len(MAGIC) if has_preamble(data) else 0
    stated_end = None
    syntax = None
    for _ in range(_MAX_META_ELEMENTS):
        if position + _LONGEST_HEAD_BYTES > len(data) or position == stated_end:
            break
        group, element, vr, length = _ELEMENT_HEAD.unpack_from(data, position)
        if group != META_GROUP:
            break
        start = position + _ELEMENT_HEAD.size
        if vr in _LONG_LENGTHS:
            (length,) = _LONG_LENGTH.unpack_from(data, start)
            start += _LONG_LENGTH.size
        position = start + length
        if element == _GROUP_LENGTH and length == _LONG_LENGTH.size:
            stated_end = position + _LONG_LENGTH.unpack_from(data, start)[0]
        elif element == _TRANSFER_SYNTAX:
            syntax = (start, position)
    return _Meta(*syntax, position) if syntax else None
