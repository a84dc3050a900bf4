"""Finds out whether the scans of a JPEG codestream are whole, where the decoder does not say.

A decoder fills what a scan lacks with grey. A scan lacks something exactly if bytes that are put
behind it change the picture: the decoder then takes them for the missing blocks.
"""

from typing import Final

from imaging.formats.jpeg import JpegScans

_RESTARTS: Final = tuple(bytes([0xFF, 0xD0 + number]) for number in range(8))

# It begins with ones, as decoders fill with zeros, and has no byte that could begin a marker.
_PADDING: Final = b"\xfe\xfd" + bytes((73 * i + 41) % 251 for i in range(254))


def pad_scans(data: bytes, scans: JpegScans) -> bytes:
    """Put bytes behind each scan, which no decoder reads if the scan is whole."""
    parts: list[bytes] = []
    last = 0
    for start, end in scans.spans:
        # A scan may also end where a restart interval does: the next one is begun for it.
        restarts = 0
        if scans.restarts:
            restarts = sum(data.count(restart, start, end) for restart in _RESTARTS)
        parts += [data[last:end], _PADDING, bytes([0xFF, 0xD0 + restarts % 8]), _PADDING]
        last = end
    return b"".join([*parts, data[last:]])
