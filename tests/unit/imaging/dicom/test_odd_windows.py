"""Malformed windows, tables and numbers: their usable parts are used."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid

from imaging.decode import DecodedImage, decode_image
from imaging.dicom.description import Window, WindowSource
from imaging.errors import DamagedImageError
from tests.dicom_files import ct_pixels, item, look_up_table, make_dicom

VALUES = np.linspace(0, 4095, 64 * 48).astype(np.uint16).reshape(48, 64)
HU = ct_pixels()


def grey(image: DecodedImage) -> NDArray[np.int64]:
    return image.pixels[..., 0].astype(np.int64)


def used(image: DecodedImage) -> Window:
    assert image.dicom is not None
    return image.dicom.window


def radiograph(values: NDArray[np.uint16] = VALUES, **elements: object) -> DecodedImage:
    return decode_image(make_dicom(values, Modality="DX", **elements))


@pytest.mark.parametrize("used_bits", range(8, 17))
@pytest.mark.parametrize("declared_bits", [8, 12, 16])
def test_a_voi_table_is_scaled_by_its_highest_entry(used_bits: int, declared_bits: int):
    entries = np.linspace(0, 2**used_bits - 1, 4096).round().astype(np.uint16)
    image = radiograph(VOILUTSequence=look_up_table(entries, first=0, bits=declared_bits))
    assert np.abs(grey(image) - 255 * (VALUES / 4095)).max() <= 1
    assert used(image).source is WindowSource.TABLE


def test_a_table_that_uses_most_of_its_declared_range_is_not_stretched():
    entries = np.linspace(0, 3000, 4096).round().astype(np.uint16)
    image = radiograph(VOILUTSequence=look_up_table(entries, first=0, bits=12))
    assert grey(image).max() == round(255 * 3000 / 4095)


@pytest.mark.parametrize("first", [-1100, -1100 + 65_536])
def test_a_negative_first_mapped_value_may_be_stored_as_unsigned(first: int):
    entries = np.linspace(0, 4095, 2000).round().astype(np.uint16)
    table = item(LUTDescriptor=[2000, first % 65_536, 12], LUTData=entries.tobytes())
    table[0]["LUTData"].VR = "OW"
    table[0]["LUTDescriptor"].VR = "US"
    expected = 255 * np.clip((HU + 1100.0) / 1999, 0, 1)
    image = decode_image(make_dicom(HU, VOILUTSequence=table))
    assert np.abs(grey(image) - expected).max() <= 1


def test_a_large_first_mapped_value_may_be_stored_as_signed():
    values = VALUES + np.uint16(40_000)
    entries = np.linspace(0, 4095, 4096).round().astype(np.uint16)
    table = look_up_table(entries, first=0, bits=12)
    table[0].LUTDescriptor = [4096, 40_000 - 65_536, 12]
    table[0]["LUTDescriptor"].VR = "SS"
    assert np.abs(grey(radiograph(values, VOILUTSequence=table)) - 255 * (VALUES / 4095)).max() <= 1


BROKEN_TABLES = {
    "empty item": item(),
    "empty descriptor": item(LUTDescriptor=None, LUTData=b"\0\1"),
    "descriptor alone": item(LUTDescriptor=[256, 0, 8]),
    "too short": item(LUTDescriptor=[256, 0, 16], LUTData=b"\0\1\2\3"),
    "too many bits": look_up_table(np.arange(256, dtype=np.uint16), first=0, bits=99),
    "all black": look_up_table(np.zeros(4096, np.uint16), first=0, bits=12),
    "all white": look_up_table(np.full(4096, 4095, np.uint16), first=0, bits=12),
    "outside the values": look_up_table(np.arange(200, dtype=np.uint16), first=20_000, bits=8),
}
for broken in BROKEN_TABLES.values():
    if "LUTData" in broken[0]:
        broken[0]["LUTData"].VR = "OW"


@pytest.mark.parametrize("name", BROKEN_TABLES)
@pytest.mark.parametrize("modality", ["CT", "DX"])
def test_the_window_is_used_if_the_voi_table_is_broken(name: str, modality: str):
    elements = {"Modality": modality, "WindowCenter": -300, "WindowWidth": 1500}
    image = decode_image(make_dicom(HU, VOILUTSequence=BROKEN_TABLES[name], **elements))
    assert (image.pixels == decode_image(make_dicom(HU, **elements)).pixels).all()
    assert used(image) == Window(WindowSource.FILE, -300, 1500)


def test_the_second_voi_table_is_used_if_the_first_is_empty():
    entries = np.linspace(0, 4095, 4096).round().astype(np.uint16)
    good = look_up_table(entries, first=0, bits=12)
    image = radiograph(VOILUTSequence=[item()[0], good[0]])
    assert used(image).source is WindowSource.TABLE


@pytest.mark.parametrize("name", ["empty item", "all black", "outside the values"])
def test_an_empty_uniform_or_unrelated_table_is_ignored(name: str):
    image = decode_image(make_dicom(HU, VOILUTSequence=BROKEN_TABLES[name]))
    assert used(image).source is WindowSource.LUNG


@pytest.mark.parametrize("name", ["descriptor alone", "too short", "too many bits"])
def test_a_broken_table_without_an_alternative_is_rejected(name: str):
    with pytest.raises(DamagedImageError, match="look-up table"):
        decode_image(make_dicom(HU, VOILUTSequence=BROKEN_TABLES[name]))


def test_the_rescale_values_are_used_if_the_modality_table_is_broken():
    elements = {"RescaleSlope": 1, "RescaleIntercept": -24}
    broken = item(LUTDescriptor=[256, 0, 16])
    image = decode_image(make_dicom(HU, ModalityLUTSequence=broken, **elements))
    assert (image.pixels == decode_image(make_dicom(HU, **elements)).pixels).all()
    assert (
        decode_image(make_dicom(HU, ModalityLUTSequence=item())).pixels
        == decode_image(make_dicom(HU)).pixels
    ).all()


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", [1e-6, 1e-4, 0.01, 0.5])
def test_a_window_has_the_same_effect_at_any_scale(function: str, slope: float):
    """The effect does not depend on the unit, such as values from 0 to 1 or from 0 to 4095."""
    plain = radiograph(WindowCenter=2048, WindowWidth=3000, VOILUTFunction=function)
    scaled = radiograph(
        RescaleSlope=slope,
        RescaleIntercept=0,
        WindowCenter=f"{2048 * slope:.8g}",
        WindowWidth=f"{3000 * slope:.8g}",
        VOILUTFunction=function,
    )
    assert np.abs(grey(scaled) - grey(plain)).max() <= 1


@pytest.mark.parametrize(
    ("center", "width"), [(2048, 4096), (0.00001, 0.00001), (9000, 10), (-5, 2)], ids=str
)
def test_a_window_that_shows_nothing_is_ignored(center: float, width: float):
    slope = 1 / 4095
    image = radiograph(RescaleSlope=slope, WindowCenter=center, WindowWidth=width)
    assert used(image).source is WindowSource.RANGE
    assert np.abs(grey(image) - 255 * (VALUES / 4095)).max() <= 1
    second = radiograph(
        RescaleSlope=slope, WindowCenter=[center, 0.5], WindowWidth=[width, 1], RescaleIntercept=0
    )
    assert used(second) == Window(WindowSource.FILE, 0.5, 1)


def test_a_rescale_slope_of_zero_is_ignored():
    assert (radiograph(RescaleSlope=0).pixels == radiograph().pixels).all()


def with_text(data: bytes, keyword: bytes, text: bytes) -> bytes:
    """The file with the text of one numeric element, such as ``-600``, replaced."""
    start = data.index(keyword) + len(keyword)
    old = int.from_bytes(data[start : start + 2], "little")
    padded = text + b" " * (len(text) % 2)
    return data[:start] + len(padded).to_bytes(2, "little") + padded + data[start + 2 + old :]


CENTER, WIDTH, INTERCEPT, SLOPE = (
    b"\x28\0\x50\x10DS",
    b"\x28\0\x51\x10DS",
    b"\x28\0\x52\x10DS",
    b"\x28\0\x53\x10DS",
)


@pytest.mark.parametrize(
    ("center", "width", "intercept", "slope"),
    [
        (b"-600,0", b"1500,0", b"-24,0", b"1,0"),
        (b"-600\\", b"1500\\", b"-24\\", b"1\\"),
        (b"-600,0\\-600", b"1500\\\\", b" -24,00 ", b"1,000000"),
        (b"-6,00e2", b"1,5e3", b"-2,4e1", b"+1"),
        (b"-600\0\0", b"1500\0", b"-24\0", b"1\0"),
        (b"\\-600", b"\\1500", b"\\-24", b"\\1"),
        (b"none\\-600", b"1\\1500", b"-24", b"1"),
    ],
    ids=[
        *("decimal commas", "trailing backslashes", "commas and backslashes", "exponents"),
        *("trailing NULs", "leading backslashes", "invalid first value"),
    ],
)
def test_malformed_but_readable_numbers_are_accepted(
    center: bytes, width: bytes, intercept: bytes, slope: bytes
):
    elements = {"RescaleIntercept": -24, "RescaleSlope": 1}
    plain = make_dicom(HU, WindowCenter=-600, WindowWidth=1500, **elements)
    data = plain
    for keyword, text in ((CENTER, center), (WIDTH, width), (INTERCEPT, intercept), (SLOPE, slope)):
        data = with_text(data, keyword, text)
    assert data != plain
    image = decode_image(data)
    assert (image.pixels == decode_image(plain).pixels).all()
    assert used(image) == Window(WindowSource.FILE, -600, 1500)


@pytest.mark.parametrize("text", [b"none", b"1,5,0", b"nan", b"--1"])
def test_a_rescale_slope_that_is_not_a_number_is_rejected(text: bytes):
    with pytest.raises(DamagedImageError):
        decode_image(with_text(make_dicom(HU, RescaleSlope=1), SLOPE, text))


@pytest.mark.parametrize("text", [b"none", b"1,5,0", b"\\", b""])
def test_a_window_that_is_not_a_number_is_ignored(text: bytes):
    data = make_dicom(HU, WindowCenter=-600, WindowWidth=1500)
    assert used(decode_image(with_text(data, CENTER, text))).source is WindowSource.LUNG


@pytest.mark.parametrize("text", [b"2\\", b"2,0", b" 2 "])
def test_a_malformed_but_readable_number_of_frames_is_accepted(text: bytes):
    data = make_dicom(np.stack([HU, HU]))
    number = with_text(data, b"\x28\0\x08\0IS", text)
    image = decode_image(number)
    assert image.dicom is not None
    assert image.dicom.frames == 2


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_voi_tables_are_read_alike_in_every_encoding(syntax: uid.UID):
    order = ">u2" if syntax == uid.ExplicitVRBigEndian else "<u2"
    entries = np.linspace(0, 4095, 4096).round().astype(order)
    image = decode_image(
        make_dicom(
            VALUES,
            Modality="DX",
            VOILUTSequence=look_up_table(entries, first=0, bits=16),
            syntax=syntax,
        )
    )
    assert np.abs(grey(image) - 255 * (VALUES / 4095)).max() <= 1


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("missing", [-2, -1, 1, 2])
def test_a_table_descriptor_may_be_off_by_one_or_two_entries(missing: int, bits: int):
    entries = np.linspace(0, 4095, 4096).round().astype(np.uint16)
    table = look_up_table(entries, first=0, bits=bits)
    table[0].LUTDescriptor = [4096 + missing, 0, bits]
    image = radiograph(VOILUTSequence=table)
    assert np.abs(grey(image) - 255 * (VALUES / 4095)).max() <= 1
    assert used(image).source is WindowSource.TABLE


@pytest.mark.parametrize("name", BROKEN_TABLES)
def test_another_table_replaces_a_broken_one_without_a_window(name: str):
    entries = np.linspace(0, 4095, 4096).round().astype(np.uint16)
    good = look_up_table(entries, first=0, bits=12)
    image = radiograph(VOILUTSequence=[BROKEN_TABLES[name][0], good[0]])
    assert used(image).source is WindowSource.TABLE
    assert np.abs(grey(image) - 255 * (VALUES / 4095)).max() <= 1


@pytest.mark.parametrize("width", ["1e-6", "0.01", "0.5"])
def test_a_window_too_narrow_to_contain_a_value_is_ignored(width: str):
    assert used(radiograph(WindowCenter=2048, WindowWidth=width)).source is WindowSource.RANGE
    second = radiograph(WindowCenter=["2048", "2048"], WindowWidth=[width, "3000"])
    assert used(second) == Window(WindowSource.FILE, 2048, 3000)
