"""Files crafted to be expensive: CPU time per byte and memory per pixel are bounded.

Each file is decoded in its own process (``tests.decode_costs``); wall-clock time is not measured.
"""

import struct
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from pydicom import uid
from pydicom.datadict import tag_for_keyword

from tests.decode_costs import Cost, decode_costs
from tests.dicom_files import look_up_table, make_dicom, make_encapsulated
from tests.image_files import RGB, png_chunk, saved
from tests.jpeg2000_files import boxed, codestream, coding, quantisation, size, tile_part

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is measured as Linux reports it"
)

MEGABYTE = 1_000_000
DAMAGED = {"DamagedImageError", "UndecodableImageError"}
SIDE = 1024
CPU_SECONDS_PER_MEGABYTE = 0.15
FIXED_CPU_SECONDS = 0.5
FIXED_BYTES = 16 * MEGABYTE


def check_costs(files: dict[str, bytes], max_bytes: Callable[[bytes], int]) -> dict[str, str]:
    """Assert that the cost of decoding each file is bounded; returns how each decode ended."""
    costs = dict(zip(files, decode_costs(list(files.values())), strict=True))

    def is_too_expensive(data: bytes, cost: Cost) -> bool:
        seconds = FIXED_CPU_SECONDS + CPU_SECONDS_PER_MEGABYTE * len(data) / MEGABYTE
        return cost.cpu_seconds > seconds or cost.peak_bytes > max_bytes(data)

    assert {name: cost for name, cost in costs.items() if is_too_expensive(files[name], cost)} == {}
    return {name: cost.outcome for name, cost in costs.items()}


def jpeg_head(before: bytes = b"") -> bytes:
    whole = saved(RGB, "JPEG")
    start = whole.index(b"\xff\xda")
    scan = whole[start : start + 2 + struct.unpack_from(">H", whole, start + 2)[0]]
    return whole[:start] + before + scan


def test_bytes_parsed_in_python_are_parsed_only_once():
    n = 8 * MEGABYTE
    like = np.zeros((SIDE, SIDE), np.uint8)
    files = {
        "fill bytes for a scan": b"\xff\xd8\xff\xda\x00\x03\x00" + b"\xff" * n,
        "fill bytes for a segment": b"\xff\xd8" + b"\xff" * n,
        "fill bytes between segments": jpeg_head() + (b"\xff" * 100 + b"\0") * (n // 101),
        "restarts": jpeg_head(b"\xff\xdd\0\4\0\1") + b"\xff\xd0" * (n // 2) + b"\xff\xd9",
        "stuffed bytes": jpeg_head() + b"\xff\0" * (n // 2) + b"\xff\xd9",
        "empty pixel chunks": saved(RGB, "PNG")[:33] + png_chunk(b"IDAT", b"") * (n // 12),
        "one-byte chunks": saved(RGB, "PNG")[:33] + png_chunk(b"IDAT", b"x") * (n // 13),
        "webp chunks": b"RIFF" + struct.pack("<I", n) + b"WEBP" + b"abcd\0\0\0\0" * (n // 8),
        "dicom jpeg": make_encapsulated(
            b"\xff\xd8" + b"\xff" * n, like=like, syntax=uid.JPEGBaseline8Bit
        ),
        "dicom jpeg-ls": make_encapsulated(
            b"\xff\xd8\xff\xf7\x00\x0b\x08\x04\x00\x04\x00\x01\x01\x11\x00" + b"\xff" * n,
            like=like,
            syntax=uid.JPEGLSLossless,
        ),
        "dicom items": make_encapsulated(
            *[b"ab"] * 80_000, like=like, syntax=uid.JPEGBaseline8Bit, NumberOfFrames=3
        ),
        "dicom tags in the pixels": make_encapsulated(
            b"\xfe\xff\x00" * (n // 3), like=like, syntax=uid.JPEGBaseline8Bit
        ),
        "jpeg 2000 markers": make_encapsulated(
            b"\xff\x4f" + size(SIDE, SIDE) + b"\xff\x64\x00\x02" * (n // 4),
            like=like,
            syntax=uid.JPEG2000,
        ),
        "jpeg 2000 tile-parts": make_encapsulated(
            b"\xff\x4f"
            + size(SIDE, SIDE)
            + coding()
            + quantisation()
            + tile_part(data=b"") * 500_000,
            like=like,
            syntax=uid.JPEG2000,
        ),
    }
    outcomes = check_costs(files, lambda data: FIXED_BYTES + 6 * len(data))
    assert set(outcomes.values()) <= {*DAMAGED, "decoded"}


def jpeg2000_files() -> dict[str, bytes]:
    whole, plain, zeros = size(SIDE, SIDE), coding(), quantisation()
    tiny = coding(precincts=[0])
    deep = coding(levels=5, block=(2, 2))
    return {
        "precincts of 1 x 1": codestream(whole, tiny, zeros),
        "precincts of 2 x 2": codestream(whole, coding(precincts=[0x11]), zeros),
        "precincts of 1 x 4": codestream(whole, coding(precincts=[0x20]), zeros),
        "in the tile-part": codestream(whole, plain, zeros, tile_headers=tiny),
        "of a component": codestream(whole, plain, coding(precincts=[0], component=True), zeros),
        "of a component, in the tile-part": codestream(
            whole, plain, zeros, tile_headers=coding(precincts=[0], component=True)
        ),
        "in a second coding style": codestream(whole, plain, tiny, zeros),
        "in the second tile-part": codestream(whole, plain, zeros)[:-2]
        + tile_part(tiny)
        + b"\xff\xd9",
        "in a tile-part after comments": codestream(
            whole, plain, zeros, tile_headers=b"\xff\x64\x00\x04ab" + tiny
        ),
        "in boxes": boxed(codestream(whole, tiny, zeros)),
        "code-blocks of 4 x 4": codestream(whole, coding(block=(2, 2)), zeros),
        "code-blocks of 4 x 4, five levels": codestream(whole, deep, quantisation(5)),
        "code-blocks of 8 x 8": codestream(whole, coding(block=(3, 3)), zeros),
        "layers and precincts": codestream(whole, coding(precincts=[0x55], layers=65_535), zeros),
        "layers and tiles": codestream(
            size(SIDE, SIDE, tile=(16, 16)), coding(layers=65_535), zeros
        ),
        "layers and resolutions": codestream(
            whole, coding(levels=32, layers=65_535), quantisation(32)
        ),
        "unknown header": codestream(whole, plain, b"\xff\x7e\x00\x02", zeros),
    }


def test_a_jpeg_2000_of_a_few_hundred_bytes_takes_no_more_memory_than_its_pixels():
    like = np.zeros((SIDE, SIDE), np.uint8)
    frames = jpeg2000_files()
    files = {
        name: make_encapsulated(frame, like=like, syntax=uid.JPEG2000, Modality="CR")
        for name, frame in frames.items()
    }
    files["high throughput"] = make_encapsulated(
        frames["precincts of 1 x 1"], like=like, syntax=uid.HTJ2K, Modality="CR"
    )
    outcomes = check_costs(files, lambda data: FIXED_BYTES + 14 * SIDE * SIDE + 2 * len(data))
    decoded = {name for name, outcome in outcomes.items() if outcome == "decoded"}
    assert decoded <= {"layers and resolutions"}
    assert set(outcomes.values()) <= {*DAMAGED, "decoded"}


PIXEL_DATA = struct.pack("<HH", 0x7FE0, 0x0010)


def with_element(keyword: str, value: bytes, *, times: int = 1) -> bytes:
    """A file with this element added, in implicit VR, which allows values of any length."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    element = struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
    plain = make_dicom(syntax=uid.ImplicitVRLittleEndian)
    at = plain.rindex(PIXEL_DATA)
    return plain[:at] + element * times + plain[at:]


def sequence_item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def nested(keyword: str, value: bytes) -> bytes:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return sequence_item(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value)


def test_elements_with_very_many_values_are_not_converted():
    ones, shorts = b"1\\" * 500_000, b"\1\0" * 500_000
    text = [
        *("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "NumberOfFrames"),
        *("RescaleType", "VOILUTFunction", "Modality", "SOPClassUID", "ViewPosition"),
        *("SpecificCharacterSet", "PhotometricInterpretation"),
    ]
    binary = ["Rows", "BitsStored", "HighBit", "PixelPaddingValue", "PixelRepresentation"]
    groups = "PerFrameFunctionalGroupsSequence"
    window = nested("WindowCenter", ones)
    open_item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    files = {
        **{keyword: with_element(keyword, ones) for keyword in text},
        **{keyword: with_element(keyword, shorts) for keyword in binary},
        "many character sets": with_element("SpecificCharacterSet", b"1\\" * 2_000, times=250),
        "many windows": with_element("WindowCenter", b"1\\" * 2_000, times=250),
        "windows that show nothing": make_dicom(WindowCenter=[9_000] * 600, WindowWidth=[1] * 600),
        "tables that show nothing": make_dicom(
            VOILUTSequence=[
                look_up_table(np.zeros(2_000, np.uint16), first=0, bits=16)[0] for _ in range(250)
            ]
        ),
        "offsets": with_element("ExtendedOffsetTable", shorts),
        "empty items": with_element(groups, sequence_item(b"") * 130_000),
        "open items": with_element(groups, open_item * 130_000),
        "items without an end": with_element("SharedFunctionalGroupsSequence", open_item * 99),
        "empty elements in an item": with_element(
            groups, sequence_item(struct.pack("<HHI", 9, 1, 0) * 130_000)
        ),
        "window in a group": with_element(
            "SharedFunctionalGroupsSequence", nested("FrameVOILUTSequence", window)
        ),
        "slope in a group": with_element(
            "SharedFunctionalGroupsSequence",
            nested("PixelValueTransformationSequence", nested("RescaleSlope", ones)),
        ),
        "character set in a group": with_element(groups, nested("SpecificCharacterSet", ones)),
        "descriptor": with_element("VOILUTSequence", nested("LUTDescriptor", shorts)),
        "table": with_element("VOILUTSequence", nested("LUTData", shorts)),
        "modality table": with_element("ModalityLUTSequence", nested("LUTDescriptor", shorts)),
        "transfer syntax": make_dicom().replace(
            b"\2\0\x10\0UI\x14\0" + uid.ExplicitVRLittleEndian.encode() + b"\0",
            b"\2\0\x10\0UN\0\0" + struct.pack("<I", len(ones)) + ones,
        ),
    }
    outcomes = check_costs(files, lambda data: FIXED_BYTES + 6 * len(data))
    decoded = {name for name, outcome in outcomes.items() if outcome == "decoded"}
    # pydicom treats an item without an end as one that ends with its sequence.
    assert decoded <= {
        *("items without an end", "empty elements in an item", "many windows"),
        *("windows that show nothing", "tables that show nothing"),
    }


def test_inflating_a_deflated_file_has_bounded_costs():
    head = make_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    head = head[: head.index(b"1.2.840.10008.1.2.1.99") + 22]
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = compressor.compress(bytes(100 * MEGABYTE)) + compressor.flush()
    files = {
        "zeros": head + zeros,
        "empty blocks": head + b"\0\0\0\xff\xff" * (MEGABYTE // 5),
        "nothing": head,
        "text": head + b"text" * 1000,
    }
    outcomes = check_costs(files, lambda data: FIXED_BYTES + 120 * len(data))
    assert outcomes == dict.fromkeys(files, "DamagedImageError") | {
        "zeros": "UndecodableImageError"
    }


def test_tiff_tags_and_png_texts_have_bounded_costs():
    numbers = struct.pack("<HHII", 50_000, 3, 4 * MEGABYTE, 100)
    fractions = struct.pack("<HHII", 50_000, 5, MEGABYTE, 100)
    files = {
        name: b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4) + bytes(8 * MEGABYTE)
        for name, entry in {"numbers": numbers, "fractions": fractions}.items()
    }
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000), 9))
    files["texts"] = saved(RGB, "PNG")[:33] + text * 90 + saved(RGB, "PNG")[33:]
    outcomes = check_costs(files, lambda data: FIXED_BYTES + 6 * len(data))
    assert set(outcomes.values()) == {"UndecodableImageError"}
