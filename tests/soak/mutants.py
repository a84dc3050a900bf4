"""Mutated files; each depends only on a seed, so that it can be reproduced."""

import random
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final

Mutation = Callable[[random.Random, bytearray, Mapping[str, bytes]], None]

_EXTREMES: Final = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER_BYTES: Final = 96
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def mutant(seed: int, originals: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Return the name of the original and the mutated file."""
    rng = random.Random(seed)  # noqa: S311 - not for cryptography
    name = rng.choice(sorted(originals))
    data = bytearray(originals[name])
    for mutate in rng.choices(_MUTATIONS, k=rng.randint(1, 4)):
        if data:
            mutate(rng, data, originals)
    if data.startswith(_PNG) and rng.random() < 0.5:
        # Only with valid checksums does the decoder read the mutated chunks.
        data = bytearray(with_valid_checksums(bytes(data)))
    return name, bytes(data)


def with_valid_checksums(png: bytes) -> bytes:
    """Recompute the CRC of each chunk of a PNG, up to the first chunk with an invalid length."""
    out, at = [png[:8]], 8
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if at + 12 + length > len(png):
            break
        content = png[at + 4 : at + 8 + length]
        out += [png[at : at + 4], content, struct.pack(">I", zlib.crc32(content))]
        at += 12 + length
    return b"".join(out) + png[at:]


def _change_bytes(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)


def _change_header(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    data[rng.randrange(min(len(data), _HEADER_BYTES))] = rng.randrange(256)


def _flip_bit(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _truncate(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    del data[rng.randrange(len(data)) :]


def _remove_part(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    start = rng.randrange(len(data))
    del data[start : start + rng.randint(1, 64)]


def _repeat_part(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    start = rng.randrange(len(data))
    part = bytes(data[start : start + rng.randint(1, 512)])
    data[start:start] = part * rng.randint(1, 8)


def _insert_bytes(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.randint(1, 64))


def _set_number(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    """Write an extreme number where there may be a length, a size or an offset."""
    form = rng.choice((">I", "<I", ">H", "<H", "B"))
    size = struct.calcsize(form)
    reach = len(data) if rng.random() < 0.5 else min(len(data), _HEADER_BYTES)
    start = rng.randrange(max(1, reach - size))
    data[start : start + size] = struct.pack(form, rng.choice(_EXTREMES) & (1 << 8 * size) - 1)


def _swap_parts(rng: random.Random, data: bytearray, _: Mapping[str, bytes]) -> None:
    first, second, third = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    data[first:third] = data[second:third] + data[first:second]


def _splice(rng: random.Random, data: bytearray, originals: Mapping[str, bytes]) -> None:
    """Join the beginning of this file and the end of another."""
    other = originals[rng.choice(sorted(originals))]
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


def _append(rng: random.Random, data: bytearray, originals: Mapping[str, bytes]) -> None:
    """Append another file."""
    data += originals[rng.choice(sorted(originals))]


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _change_bytes,
    _change_header,
    _flip_bit,
    _truncate,
    _remove_part,
    _repeat_part,
    _insert_bytes,
    _set_number,
    _set_number,
    _swap_parts,
    _splice,
    _append,
)
