"""Builds JPEG 2000 codestreams that no encoder writes: any headers, and zeros as pixel data."""

import struct
from collections.abc import Sequence

END = b"\xff\xd9"


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">HH", marker, len(content) + 2) + content


def size(width: int, height: int, *, tile: tuple[int, int] | None = None, bits: int = 8) -> bytes:
    sides = struct.pack(">H8I", 0, width, height, 0, 0, *(tile or (width, height)), 0, 0)
    return segment(0xFF51, sides + struct.pack(">H3B", 1, bits - 1, 1, 1))


def coding(
    *,
    levels: int = 0,
    block: tuple[int, int] = (6, 6),
    precincts: Sequence[int] | None = None,
    layers: int = 1,
    component: bool = False,
) -> bytes:
    """A COD or COC segment; block sizes are exponents of two, precincts the bytes of the file."""
    has_precincts = int(precincts is not None)
    style = struct.pack(">5B", levels, block[0] - 2, block[1] - 2, 0, 1) + bytes(precincts or ())
    if component:
        return segment(0xFF53, struct.pack(">BB", 0, has_precincts) + style)
    return segment(0xFF52, struct.pack(">BBHB", has_precincts, 0, layers, 0) + style)


def quantisation(levels: int = 0) -> bytes:
    return segment(0xFF5C, bytes([0x40]) + bytes([8 << 3] * (3 * levels + 1)))


def tile_part(headers: bytes = b"", data: bytes = bytes(200)) -> bytes:
    head = struct.pack(">HHHIBB", 0xFF90, 10, 0, 14 + len(headers) + len(data), 0, 1)
    return head + headers + b"\xff\x93" + data


def codestream(*headers: bytes, tile_headers: bytes = b"") -> bytes:
    """Join the headers, of which the first is SIZ, and one tile-part."""
    return b"\xff\x4f" + b"".join(headers) + tile_part(tile_headers) + END


def boxed(stream: bytes) -> bytes:
    """Wrap a codestream in a JP2 file."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    height, width = struct.unpack_from(">II", stream, 12), struct.unpack_from(">I", stream, 8)
    image = struct.pack(">IIHBBBB", height[0], *width, 1, stream[42], 7, 0, 0)
    header = box(b"ihdr", image) + box(b"colr", struct.pack(">BBBI", 1, 0, 0, 17))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", header) + box(b"jp2c", stream)
