"""JPEG: segments, and scans of entropy-coded blocks (ITU-T T.81).

A decoder fills missing parts of a scan with grey and only warns. Here such warnings are errors, and
the segments must declare every coefficient, because libjpeg does not warn if the last scan is
missing.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
import simplejpeg

from imaging.errors import DamagedImageError, UndecodableImageError
from imaging.formats.image_format import (
    PICTURE_BYTES,
    ImageFormat,
    ImageHeader,
    Pixels,
    decode_eight_bits,
)

MAX_SEGMENTS: Final = 1_000
MAX_SCANS: Final = 24
"""Decoding a scan visits every block, however short the scan. Encoders write about ten."""

# Fill bytes, any number of 0xFF, may precede a marker (T.81, B.1.1.2). Kept as two patterns: a
# combined one would backtrack over every byte of a long run.
_FILL: Final = re.compile(rb"\xff+")
_MARKER: Final = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
_START_OF_IMAGE: Final = b"\xff\xd8"
_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
_APP1: Final = 0xE1
_RESTART_INTERVAL: Final = 0xDD
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_COEFFICIENTS: Final = 64
_COEFFICIENT_BYTES: Final = 2
_MAX_BLOCK_SIDE: Final = 32
"""A decoder rounds both sides up to a whole number of blocks."""


@dataclass(frozen=True)
class JpegScans:
    """Where each scan's data begin and end in the file, and how the file is coded."""

    spans: tuple[tuple[int, int], ...]
    progressive: bool
    restarts: bool
    """Whether a segment says that scans are in intervals."""
    has_app1: bool
    """Whether there is a segment that may hold EXIF."""


def read_scans(data: bytes) -> JpegScans:
    """Walk over the segments of a JPEG file up to its end marker.

    Raises:
        DamagedImageError: a segment or the end is missing, the scans together do not cover the
            picture, or there are more segments or scans than ``MAX_SEGMENTS``, ``MAX_SCANS``.
    """
    spans: list[tuple[int, int]] = []
    missing: set[tuple[int, int]] = set()
    progressive = restarts = has_app1 = False
    at = len(_START_OF_IMAGE)
    for _ in range(MAX_SEGMENTS):
        fill = _FILL.match(data, at)
        marker = fill and _MARKER.match(data, fill.end() - 1)
        if marker is None:
            raise DamagedImageError("the jpeg file is truncated or corrupt")
        kind = marker[1][0]
        if kind == _END_OF_IMAGE:
            if missing or not spans:
                raise DamagedImageError("the jpeg file lacks scans")
            return JpegScans(tuple(spans), progressive, restarts, has_app1)
        (size,) = struct.unpack_from(">H", data, marker.end())
        segment = data[marker.end() + 2 : marker.end() + size]
        at = marker.end() + size
        if kind in _FRAMES:
            progressive = kind in _PROGRESSIVE
            missing = _all_coefficients(segment)
        elif kind == _RESTART_INTERVAL:
            restarts = True
        elif kind == _APP1:
            has_app1 = True
        elif kind == _START_OF_SCAN:
            missing = _after_scan(missing, segment, progressive=progressive)
            end = _MARKER.search(data, at)
            if end is None or len(spans) == MAX_SCANS:
                raise DamagedImageError(f"the jpeg file has no end or over {MAX_SCANS} scans")
            start = at
            at = start + len(data[start : end.start()].rstrip(b"\xff"))
            spans.append((start, at))
    raise UndecodableImageError(f"the jpeg file has more than {MAX_SEGMENTS} segments")


def _all_coefficients(frame: bytes) -> set[tuple[int, int]]:
    return {(component, k) for component in frame[6::3] for k in range(_COEFFICIENTS)}


def _after_scan(
    missing: set[tuple[int, int]], scan: bytes, *, progressive: bool
) -> set[tuple[int, int]]:
    """The coefficients that are still missing or incomplete after a scan."""
    components = scan[1 : 1 + 2 * scan[0] : 2]
    first, last, bits = scan[-3:] if progressive else (0, _COEFFICIENTS - 1, 0)
    touched = {(component, k) for component in components for k in range(first, last + 1)}
    return missing | touched if bits & 0x0F else missing - touched


def _matches(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8\xff")


def _check_structure(data: bytes) -> None:
    read_scans(data)


def _decode(data: bytes, header: ImageHeader) -> Pixels:
    """Decode a complete file. The pixels are those of OpenCV, which is not as strict."""
    oriented = read_scans(data).has_app1
    try:
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if oriented else "RGB", strict=True)
    except ValueError as error:
        # simplejpeg's message is the only way to distinguish this error.
        if "subsampling" in str(error):
            raise UndecodableImageError(
                "the jpeg file is corrupt or has an unsupported subsampling"
            ) from error
        raise DamagedImageError("the jpeg file is truncated or corrupt") from error
    if oriented:
        # Only OpenCV applies the orientation, so such a file is decoded twice.
        return decode_eight_bits(data, header)
    return Pixels(np.asarray(pixels, np.uint8))


def _memory_bytes(data: bytes, header: ImageHeader) -> int:
    scans = read_scans(data)
    picture = header.pixels * PICTURE_BYTES
    if len(scans.spans) == 1 and not scans.progressive:
        return picture
    # A decoder keeps the coefficients of all blocks if there are several scans.
    width, height = (
        -(-side // _MAX_BLOCK_SIDE) * _MAX_BLOCK_SIDE for side in (header.width, header.height)
    )
    return picture + width * height * header.channels * _COEFFICIENT_BYTES


JPEG: Final = ImageFormat(
    "jpeg",
    matches=_matches,
    check_structure=_check_structure,
    decode=_decode,
    memory_bytes=_memory_bytes,
)
