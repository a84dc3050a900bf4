"""A CT is taken to be in Hounsfield units only if both its header and its values indicate it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid

from imaging.decode import DecodedImage, decode_image
from imaging.dicom.description import DicomDescription, DicomOptions, WindowChoice, WindowSource
from imaging.dicom.reader import read_values
from tests.dicom_files import ct_pixels, item, look_up_table, make_dicom

HU = ct_pixels()
STORED = (HU.astype(np.int32) + 1400).astype(np.uint16)
"""Unsigned 12-bit values without an intercept to convert them back."""
SCREEN = np.clip((HU + 1350.0) / 1500 * 255, 0, 255).astype(np.uint8)
"""A screen capture through the lung window."""
CAPTURE = uid.SecondaryCaptureImageStorage
LEFT_OVER = {
    "RescaleIntercept": -1024,
    "RescaleSlope": 1,
    "WindowCenter": -600,
    "WindowWidth": 1500,
}


def read(data: bytes, window: WindowChoice = WindowChoice.AUTO) -> DecodedImage:
    return decode_image(data, dicom=DicomOptions(window=window))


def described(image: DecodedImage) -> DicomDescription:
    assert image.dicom is not None
    return image.dicom


def stretched(values: NDArray[np.integer]) -> NDArray[np.float64]:
    low, high = int(values.min()), int(values.max())
    return 255 * (values - float(low)) / (high - low)


AIR = np.random.default_rng(0).integers(0, 90, (48, 64)).astype(np.uint16)
"""A slice beside the patient: noise that must not be stretched into a picture."""

IN_HOUNSFIELD_UNITS = {
    "signed, no rescale": make_dicom(HU),
    "signed, slope one": make_dicom(HU, RescaleIntercept=0, RescaleSlope=1),
    "unsigned, intercept": make_dicom(
        STORED, RescaleIntercept=-1400, RescaleSlope=1, BitsStored=12, HighBit=11
    ),
    "unsigned, declared": make_dicom(
        STORED, RescaleIntercept=-1400, RescaleSlope=1, RescaleType="HU", BitsStored=12, HighBit=11
    ),
    "unspecified units": make_dicom(HU, RescaleType="US"),
    "secondary capture of all bits": make_dicom(HU, SOPClassUID=CAPTURE),
}


@pytest.mark.parametrize("name", IN_HOUNSFIELD_UNITS)
@pytest.mark.parametrize("window", WindowChoice)
def test_values_in_hounsfield_units_are_shown_in_the_lung_window(name: str, window: WindowChoice):
    image = read(IN_HOUNSFIELD_UNITS[name], window)
    assert described(image).window.source is WindowSource.LUNG
    assert described(image).hounsfield
    assert (
        np.abs(
            image.pixels - read(IN_HOUNSFIELD_UNITS["signed, no rescale"]).pixels.astype(int)
        ).max()
        <= 1
    )


def test_a_slice_of_air_alone_is_in_hounsfield_units():
    image = read(make_dicom(AIR, RescaleIntercept=-1024, RescaleSlope=1, BitsStored=12, HighBit=11))
    assert described(image).window.source is WindowSource.LUNG
    assert image.pixels.std() < 8


NOT_IN_HOUNSFIELD_UNITS = {
    "screen": (make_dicom(SCREEN, SOPClassUID=CAPTURE), SCREEN),
    "screen, left-over rescale and window": (make_dicom(SCREEN, **LEFT_OVER), SCREEN),
    "screen, left-over rescale": (
        make_dicom(SCREEN, RescaleIntercept=-1024, RescaleSlope=1),
        SCREEN,
    ),
    "screen, another intercept": (
        make_dicom(SCREEN, RescaleIntercept=-1000, RescaleSlope=1),
        SCREEN,
    ),
    "screen, left-over window": (make_dicom(SCREEN, WindowCenter=40, WindowWidth=400), SCREEN),
    "screen in 16 bits, left-over rescale": (
        make_dicom(SCREEN.astype(np.uint16), **LEFT_OVER),
        stretched(SCREEN),
    ),
    "unsigned, no rescale": (make_dicom(STORED, BitsStored=12, HighBit=11), stretched(STORED)),
    "unsigned, slope one": (
        make_dicom(STORED, RescaleIntercept=0, RescaleSlope=1, RescaleType="HU"),
        stretched(STORED),
    ),
    "unsigned, left-over window": (
        make_dicom(STORED, WindowCenter=-600, WindowWidth=1500),
        stretched(STORED),
    ),
    "other units": (make_dicom(HU, RescaleType="Z_EFF"), stretched(HU)),
}


@pytest.mark.parametrize("name", NOT_IN_HOUNSFIELD_UNITS)
@pytest.mark.parametrize("window", WindowChoice)
def test_other_values_are_shown_as_stored_or_scaled_to_their_range(name: str, window: WindowChoice):
    data, expected = NOT_IN_HOUNSFIELD_UNITS[name]
    image = read(data, window)
    assert np.abs(image.pixels[..., 0] - expected).max() <= 1
    assert described(image).window.source is WindowSource.RANGE
    assert not described(image).hounsfield


def test_a_window_in_stored_values_is_used():
    data = make_dicom(STORED, WindowCenter=800, WindowWidth=1500)
    image = read(data)
    assert described(image).window.source is WindowSource.FILE
    assert described(image).window.center == 800


def test_a_window_in_stored_values_is_used_despite_a_left_over_rescale():
    image = read(
        make_dicom(
            SCREEN, RescaleIntercept=-1024, RescaleSlope=1, WindowCenter=128, WindowWidth=200
        )
    )
    assert described(image).window.source is WindowSource.FILE
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)


@pytest.mark.parametrize(("units", "hounsfield"), [("HU", True), ("US", True), ("OD", False)])
def test_units_follow_the_rescale_type_but_not_the_type_of_a_table_without_air(
    units: str, hounsfield: bool
):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8)
    table = look_up_table(np.arange(64, dtype=np.uint16) * 20 + 100, first=0, bits=16)
    table[0].ModalityLUTType = units
    # Look-up tables are unsigned, so nothing in this one is darker than water.
    assert not described(read(make_dicom(values, ModalityLUTSequence=table))).hounsfield
    assert described(read(make_dicom(HU, RescaleType=units))).hounsfield == hounsfield


def test_the_viewer_gets_stored_values_if_they_are_not_hounsfield_units():
    found = read_values(
        make_dicom(SCREEN, **LEFT_OVER), options=DicomOptions(), max_pixels=1_000_000
    )
    assert (found.values == SCREEN).all()
    assert not found.description.hounsfield
    assert (found.description.window.center, found.description.window.width) == (127.5, 255)


def test_radiographs_are_never_in_hounsfield_units():
    assert not described(read(make_dicom(HU, Modality="DX"))).hounsfield


def test_hounsfield_units_are_decided_for_each_frame_separately():
    frames = np.stack([STORED, STORED])
    group = item(RescaleIntercept=-1400, RescaleSlope=1)
    other = item(PixelValueTransformationSequence=group)
    empty_group = item(PlanePositionSequence=item())
    data = make_dicom(frames, PerFrameFunctionalGroupsSequence=[empty_group[0], other[0]])
    first, second = (decode_image(data, dicom=DicomOptions(frame=frame)) for frame in (1, 2))
    assert (described(first).hounsfield, described(second).hounsfield) == (False, True)


@pytest.mark.parametrize("units", ["HU_MOD", "HOUNSFIELD", "Hounsfield Units", "UNSPECIFIED"])
def test_common_spellings_of_hounsfield_units_are_recognised(units: str):
    elements = {"RescaleIntercept": -1400, "RescaleSlope": 1}
    image = read(make_dicom(STORED, RescaleType=units, **elements))
    assert described(image).hounsfield
    assert (image.pixels == read(make_dicom(STORED, **elements)).pixels).all()
