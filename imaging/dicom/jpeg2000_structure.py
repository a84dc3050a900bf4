"""Rejects JPEG 2000 codestreams with far more parts than their picture needs.

A decoder keeps records of every code-block and precinct, up to 560 bytes each. A file of 570 bytes
can declare one of each per pixel. So every header that can set their sizes is checked before
decoding: the main header and those of the tile-parts (T.800, annex A).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from imaging.errors import DamagedImageError, UndecodableImageError

_SIZE: Final = 0xFF51
_CODING: Final = 0xFF52
_COMPONENT_CODING: Final = 0xFF53
_PROGRESSIONS: Final = 0xFF5F
_TILE_PART: Final = 0xFF90
_DATA: Final = 0xFF93
_END: Final = 0xFFD9
# Segments that decoders skip by their length: capabilities and profile, lengths, quantisation,
# region of interest, packed packet headers, registration, comments.
_SKIPPED: Final = frozenset(
    {0xFF50, 0xFF55, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF60, 0xFF61, 0xFF63, 0xFF64}
)
_READ: Final = frozenset({_SIZE, _CODING, _COMPONENT_CODING, _PROGRESSIONS})
_PADDING: Final = frozenset({0x0000, 0xFFFF})
_PROGRESSION_BYTES: Final = 7
_WIDE_COMPONENTS: Final = 257
"""With this many components or more, a component's number has two bytes."""

_MAX_SEGMENTS: Final = 20_000
_MAX_LEVELS: Final = 32
_MAX_BLOCK_EXPONENT: Final = 10
_MAX_BLOCK_AREA_EXPONENT: Final = 12
_WHOLE_PRECINCT: Final = 15

_BLOCK_BYTES: Final = 560
_PRECINCT_BYTES: Final = 300
_MAX_BYTES_PER_PIXEL: Final = 4
"""Blocks of 16 x 16 take 3; blocks of 64 x 64, which encoders write, take 0.2."""
_ALLOWED_BYTES: Final = 4_000_000
_MAX_PACKETS: Final = 4_000_000
"""Layers times precincts; a decoder needs half a second to look for this many."""


@dataclass(frozen=True)
class _Style:
    """The blocks and precincts in one header; sizes are exponents of two."""

    levels: int
    block: tuple[int, int]
    precincts: tuple[tuple[int, int], ...]
    """For each resolution, starting with the lowest."""


@dataclass(frozen=True)
class _Tiling:
    """The size of a tile, the number of tiles and of components."""

    width: int
    height: int
    tiles: int
    components: int


def check_structure(codestream: bytes) -> None:
    """Check that the declared structure is reasonable for the size of the picture.

    Raises:
        DamagedImageError: there are far more code-blocks, precincts, layers or headers than the
            picture needs, or a header is truncated or unknown.
    """
    try:
        _check(codestream)
    except (struct.error, IndexError) as error:
        raise DamagedImageError("the DICOM file's JPEG 2000 has a truncated header") from error


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
    # A tile may use any of the styles, so each is checked.
    for style in set(styles):
        _check_style(style, tiling, layers * progressions)


def _check_style(style: _Style, tiling: _Tiling, passes: int) -> None:
    blocks, precincts = _parts(style, tiling)
    needed = tiling.components * (blocks * _BLOCK_BYTES + precincts * _PRECINCT_BYTES)
    pixels = tiling.width * tiling.height
    if needed > _ALLOWED_BYTES + pixels * _MAX_BYTES_PER_PIXEL:
        raise UndecodableImageError(
            "the DICOM file's JPEG 2000 has far too many blocks or precincts"
        )
    packets = tiling.components * precincts * passes
    if packets * tiling.tiles > _MAX_PACKETS or 2 * packets > _ALLOWED_BYTES:
        raise UndecodableImageError("the DICOM file's JPEG 2000 has far too many layers")


def _segments(codestream: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker segments of the main header and of the tile-part headers, without lengths."""
    position, tile_part_end = 2, 0
    for _ in range(_MAX_SEGMENTS):
        if position + 2 > len(codestream):
            return
        (kind,) = struct.unpack_from(">H", codestream, position)
        if kind == _END or (tile_part_end and kind in _PADDING):
            return
        if kind == _DATA:
            if tile_part_end < position + 2:
                raise DamagedImageError("the DICOM file's JPEG 2000 has a truncated header")
            position = tile_part_end
            continue
        (length,) = struct.unpack_from(">H", codestream, position + 2)
        if kind == _TILE_PART:
            (size,) = struct.unpack_from(">I", codestream, position + 6)
            tile_part_end = position + size if size else len(codestream)
        elif kind not in _READ and kind not in _SKIPPED:
            raise DamagedImageError("the DICOM file's JPEG 2000 has an unknown header")
        else:
            yield kind, codestream[position + 4 : position + 2 + length]
        # The length is too short, or the tile-part ends before this segment.
        if length < 2 or (tile_part_end and tile_part_end <= position):  # noqa: PLR2004
            raise DamagedImageError("the DICOM file's JPEG 2000 has a truncated header")
        position += 2 + length
    raise UndecodableImageError("the DICOM file's JPEG 2000 has too many headers")


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
        raise DamagedImageError("the DICOM file's JPEG 2000 has blocks of an invalid size")
    precincts = tuple((_WHOLE_PRECINCT, _WHOLE_PRECINCT) for _ in range(levels + 1))
    if own_precincts:
        precincts = tuple((fields[5 + r] & 15, fields[5 + r] >> 4) for r in range(levels + 1))
    return _Style(levels, (block_width, block_height), precincts)


def _parts(style: _Style, tiling: _Tiling) -> tuple[int, int]:
    """The highest number of code-blocks and precincts of a tile's component."""
    blocks = precincts = 0
    for resolution, exponents in enumerate(style.precincts):
        reduction = style.levels - resolution
        sides = [-(-side >> reduction) for side in (tiling.width, tiling.height)]
        bands = 3 if resolution else 1
        across, down = (
            _cells(side, exponent) for side, exponent in zip(sides, exponents, strict=True)
        )
        precincts += bands * across * down
        # Except in the lowest resolution, bands and their precincts have half the size.
        half = 1 if resolution else 0
        wide, high = (
            _cells(-(-side >> half), min(block, max(0, exponent - half)))
            for side, block, exponent in zip(sides, style.block, exponents, strict=True)
        )
        blocks += bands * wide * high
    return blocks, precincts


def _cells(side: int, exponent: int) -> int:
    """How many cells of a power of two a side can touch; one more if it is not aligned."""
    return -(-side >> exponent) + (1 if side > 1 << exponent else 0)
