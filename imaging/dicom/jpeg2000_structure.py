"""Whether a JPEG 2000 codestream is built of a number of parts that its picture can need.

A decoder keeps records of every code-block and precinct: some 560 bytes for each. A file of 570
bytes can ask for one of both for each pixel. Every header that can set their sizes is read before
the decoder starts, in the main header and in those of the tile-parts (T.800, annex A).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from imaging.errors import DamagedImageError

_SIZE: Final = 0xFF51
_CODING: Final = 0xFF52
_COMPONENT_CODING: Final = 0xFF53
_PROGRESSIONS: Final = 0xFF5F
_TILE_PART: Final = 0xFF90
_DATA: Final = 0xFF93
_END: Final = 0xFFD9
# What decoders skip by its length: capabilities and profile, lengths, quantisation, region of
# interest, packed packet headers, registration, comments.
_SKIPPED: Final = frozenset(
    {0xFF50, 0xFF55, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF60, 0xFF61, 0xFF63, 0xFF64}
)
_READ: Final = frozenset({_SIZE, _CODING, _COMPONENT_CODING, _PROGRESSIONS})
_PADDING: Final = frozenset({0x0000, 0xFFFF})
_PROGRESSION_BYTES: Final = 7
_WIDE_COMPONENTS: Final = 257
"""From so many on a component's number has two bytes."""

_MAX_SEGMENTS: Final = 20_000
_MAX_LEVELS: Final = 32
_MAX_BLOCK_EXPONENT: Final = 10
_MAX_BLOCK_AREA_EXPONENT: Final = 12
_WHOLE_PRECINCT: Final = 15

_BLOCK_BYTES: Final = 560
_PRECINCT_BYTES: Final = 300
_MAX_BYTES_PER_PIXEL: Final = 4
"""Blocks of 16 x 16 take 3, those of 64 x 64, which encoders write, 0.2."""
_ALLOWED_BYTES: Final = 4_000_000
_MAX_PACKETS: Final = 4_000_000
"""Layers times precincts: half a second for the decoder to look for all of them."""


@dataclass(frozen=True)
class _Style:
    """What one header says of blocks and precincts; the sizes are exponents of two."""

    levels: int
    block: tuple[int, int]
    precincts: tuple[tuple[int, int], ...]
    """Of each resolution, from the lowest on."""


@dataclass(frozen=True)
class _Tiling:
    """A tile's sides, how many tiles there are, and their components."""

    width: int
    height: int
    tiles: int
    components: int


def check_structure(codestream: bytes) -> None:
    """Hold what all headers announce against what the size of the picture allows.

    Raises:
        DamagedImageError: there are far more code-blocks, precincts, layers or headers than the
            picture needs, or a header is cut or unknown.
    """
    try:
        _check(codestream)
    except (struct.error, IndexError) as error:
        raise DamagedImageError("the dicom file's jpeg 2000 has a header that is cut") from error


def _check(codestream: bytes) -> None:
    tiling = _Tiling(0, 0, 0, 0)
    styles: list[_Style] = []
    layers = progressions = 1
    for kind, segment in _segments(codestream):
        if kind == _SIZE:
            tiling = _tiling(segment)
        elif kind == _CODING:
            layers = max(layers, *struct.unpack_from(">H", segment, 2))
            styles.append(_style(segment[5:], own_precincts=bool(segment[0] & 1)))
        elif kind == _COMPONENT_CODING:
            at = 1 if tiling.components < _WIDE_COMPONENTS else 2
            styles.append(_style(segment[at + 1 :], own_precincts=bool(segment[at] & 1)))
        elif kind == _PROGRESSIONS:
            progressions += len(segment) // _PROGRESSION_BYTES
    # A tile may have any of the styles, and so it is taken for the most costly one.
    for style in set(styles):
        _check_style(style, tiling, layers * progressions)


def _check_style(style: _Style, tiling: _Tiling, passes: int) -> None:
    blocks, precincts = _parts(style, tiling)
    needed = tiling.components * (blocks * _BLOCK_BYTES + precincts * _PRECINCT_BYTES)
    pixels = tiling.width * tiling.height
    if needed > _ALLOWED_BYTES + pixels * _MAX_BYTES_PER_PIXEL:
        raise DamagedImageError("the dicom file's jpeg 2000 has far too many blocks or precincts")
    packets = tiling.components * precincts * passes
    if packets * tiling.tiles > _MAX_PACKETS or 2 * packets > _ALLOWED_BYTES:
        raise DamagedImageError("the dicom file's jpeg 2000 has far too many layers")


def _segments(codestream: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of the main header and of each tile-part's, without their lengths."""
    position, tile_part_end = 2, 0
    for _ in range(_MAX_SEGMENTS):
        if position + 2 > len(codestream):
            return
        (kind,) = struct.unpack_from(">H", codestream, position)
        if kind == _END or (tile_part_end and kind in _PADDING):
            return
        if kind == _DATA:
            if tile_part_end < position + 2:
                raise DamagedImageError("the dicom file's jpeg 2000 has a header that is cut")
            position = tile_part_end
            continue
        (length,) = struct.unpack_from(">H", codestream, position + 2)
        if kind == _TILE_PART:
            (size,) = struct.unpack_from(">I", codestream, position + 6)
            tile_part_end = position + size if size else len(codestream)
        elif kind not in _READ and kind not in _SKIPPED:
            raise DamagedImageError("the dicom file's jpeg 2000 has a header that is not known")
        else:
            yield kind, codestream[position + 4 : position + 2 + length]
        # A length that leads nowhere, or back.
        if length < 2 or (tile_part_end and tile_part_end <= position):  # noqa: PLR2004
            raise DamagedImageError("the dicom file's jpeg 2000 has a header that is cut")
        position += 2 + length
    raise DamagedImageError("the dicom file's jpeg 2000 has too many headers")


def _tiling(segment: bytes) -> _Tiling:
    right, bottom, left, top, width, height, tile_left, tile_top, components = struct.unpack_from(
        ">8IH", segment, 2
    )
    tiles = -(-(right - tile_left) // width) * -(-(bottom - tile_top) // height)
    return _Tiling(min(width, right - left), min(height, bottom - top), tiles, components)


def _style(fields: bytes, *, own_precincts: bool) -> _Style:
    levels, block_width, block_height = fields[0], fields[1] + 2, fields[2] + 2
    if (
        levels > _MAX_LEVELS
        or max(block_width, block_height) > _MAX_BLOCK_EXPONENT
        or block_width + block_height > _MAX_BLOCK_AREA_EXPONENT
    ):
        raise DamagedImageError("the dicom file's jpeg 2000 has blocks of no size that there is")
    precincts = tuple((_WHOLE_PRECINCT, _WHOLE_PRECINCT) for _ in range(levels + 1))
    if own_precincts:
        precincts = tuple((fields[5 + r] & 15, fields[5 + r] >> 4) for r in range(levels + 1))
    return _Style(levels, (block_width, block_height), precincts)


def _parts(style: _Style, tiling: _Tiling) -> tuple[int, int]:
    """How many code-blocks and precincts a component of a tile has at most."""
    blocks = precincts = 0
    for resolution, exponents in enumerate(style.precincts):
        reduction = style.levels - resolution
        sides = [-(-side >> reduction) for side in (tiling.width, tiling.height)]
        bands = 3 if resolution else 1
        across, down = (
            _cells(side, exponent) for side, exponent in zip(sides, exponents, strict=True)
        )
        precincts += bands * across * down
        # The bands of all but the lowest resolution have half its sides, and so have precincts.
        half = 1 if resolution else 0
        wide, high = (
            _cells(-(-side >> half), min(block, max(0, exponent - half)))
            for side, block, exponent in zip(sides, style.block, exponents, strict=True)
        )
        blocks += bands * wide * high
    return blocks, precincts


def _cells(side: int, exponent: int) -> int:
    """How many cells of a power of two a side touches, one more as it may begin within one."""
    return -(-side >> exponent) + (1 if side > 1 << exponent else 0)
