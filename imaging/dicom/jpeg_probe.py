"""Detects incomplete scans in a JPEG codestream, which its decoder does not report.

A decoder fills missing parts of a scan with grey. A scan is incomplete if and only if bytes
inserted after it change the picture: the decoder then reads them as the missing blocks.
"""

from typing import Final

from imaging.formats.jpeg import JpegScans

_RESTARTS: Final = tuple(bytes([0xFF, 0xD0 + number]) for number in range(8))

# Begins with ones, because decoders fill with zeros, and has no byte that could begin a marker.
_PADDING: Final = b"\xfe\xfd" + bytes((73 * i + 41) % 251 for i in range(254))


def pad_scans(data: bytes, scans: JpegScans) -> bytes:
    """Insert bytes after each scan; a decoder reads them only if the scan is incomplete."""
    parts: list[bytes] = []
    last = 0
    for start, end in scans.spans:
        # A scan may also end with a restart interval, so the next interval is begun.
        restarts = 0
        if scans.restarts:
            restarts = sum(data.count(restart, start, end) for restart in _RESTARTS)
        parts += [data[last:end], _PADDING, bytes([0xFF, 0xD0 + restarts % 8]), _PADDING]
        last = end
    return b"".join([*parts, data[last:]])
