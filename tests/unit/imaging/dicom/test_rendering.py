"""Stored values are converted to grey levels as in DICOM PS3.3 C.11; pydicom is the oracle."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_windowing

from imaging.decode import DecodedImage, decode_image
from imaging.dicom.description import DicomOptions, Window, WindowChoice, WindowSource
from tests.dicom_files import ct_pixels, item, look_up_table, make_data_set, make_dicom

LUNG = Window(WindowSource.LUNG, -600, 1500)


def read(data: bytes, window: WindowChoice = WindowChoice.AUTO) -> DecodedImage:
    return decode_image(data, dicom=DicomOptions(window=window))


def grey(image: DecodedImage) -> NDArray[np.uint8]:
    assert (image.pixels == image.pixels[..., :1]).all()
    return image.pixels[..., 0]


def used(image: DecodedImage) -> Window:
    assert image.dicom is not None
    return image.dicom.window


def oracle(pixels: NDArray[np.integer], **elements: object) -> NDArray[np.float64]:
    """All values in the window that pydicom applies, scaled to 0 to 255."""
    data_set: Dataset = make_data_set(pixels, **elements)
    modality = apply_modality_lut(pixels, data_set)
    with np.errstate(over="ignore"):
        shown = np.asarray(apply_windowing(modality, data_set), np.float64)
    slope = float(data_set.get("RescaleSlope", 1))
    low, high = np.iinfo(pixels.dtype).min * slope, np.iinfo(pixels.dtype).max * slope
    intercept = float(data_set.get("RescaleIntercept", 0))
    return 255 * (shown - low - intercept) / (high - low)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(-600, 1500), (40, 400), (0.5, 2)])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (2, -1024)])
def test_a_window_is_applied_as_pydicom_applies_it(
    function: str, center: float, width: float, slope: float, intercept: float
):
    pixels = ct_pixels()
    elements = {
        "WindowCenter": center,
        "WindowWidth": width,
        "VOILUTFunction": function,
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
    }
    image = read(make_dicom(pixels, **elements))
    assert np.abs(grey(image) - oracle(pixels, **elements)).max() <= 0.51
    assert used(image) == Window(WindowSource.FILE, center, width)


def test_the_lung_window_maps_known_values_to_known_grey_levels():
    pixels = np.array([[-2000, -1350, -975, -600, -225, 150, 3000]], np.int16)
    assert grey(read(make_dicom(pixels))).tolist() == [[0, 0, 64, 128, 191, 255, 255]]


def test_a_ct_without_a_window_is_shown_in_the_lung_window():
    assert used(read(make_dicom())) == LUNG


def test_a_ct_uses_the_window_closest_to_the_lung_window():
    data = make_dicom(WindowCenter=[50, -500], WindowWidth=[350, 1400])
    assert used(read(data)) == Window(WindowSource.FILE, -500, 1400)


def test_the_lung_window_is_used_on_request():
    data = make_dicom(WindowCenter=40, WindowWidth=400)
    image = read(data, WindowChoice.LUNG)
    assert used(image) == LUNG
    assert (grey(image) == grey(read(make_dicom()))).all()


@pytest.mark.parametrize("width", [0, -1])
def test_a_window_of_zero_or_negative_width_is_ignored(width: int):
    assert used(read(make_dicom(WindowCenter=40, WindowWidth=width))) == LUNG


def test_a_window_of_width_1_is_a_threshold():
    pixels = np.array([[98, 99, 100, 101]], np.int16)
    data = make_dicom(pixels, WindowCenter=100, WindowWidth=1)
    assert grey(read(data)).tolist() == [[0, 0, 255, 255]]


def radiograph(**elements: object) -> bytes:
    values = np.linspace(100, 3100, 64).astype(np.uint16).reshape(8, 8)
    return make_dicom(values, Modality="DX", ViewPosition="PA", **elements)


def test_a_radiograph_uses_its_first_window():
    data = radiograph(WindowCenter=[2000, -600], WindowWidth=[1000, 1500])
    assert used(read(data)) == Window(WindowSource.FILE, 2000, 1000)


@pytest.mark.parametrize("choice", WindowChoice)
def test_a_radiograph_without_a_window_is_shown_over_its_full_range(choice: WindowChoice):
    image = read(radiograph(), choice)
    assert used(image) == Window(WindowSource.RANGE, 1600, 3000)
    assert (grey(image).min(), grey(image).max()) == (0, 255)


def test_8_bit_values_without_a_window_are_shown_unchanged():
    pixels = np.arange(40, 104, dtype=np.uint8).reshape(8, 8)
    assert (grey(read(make_dicom(pixels, Modality="CR"))) == pixels).all()


def test_monochrome1_is_inverted():
    plain, inverted = (
        read(radiograph(PhotometricInterpretation=photometric))
        for photometric in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.abs(255 - grey(plain).astype(int) - grey(inverted)).max() <= 1


def test_a_uniform_image_is_shown_black():
    assert not grey(read(make_dicom(np.full((4, 4), 7, np.uint16), Modality="DX"))).any()


def test_a_voi_table_takes_precedence_over_a_window():
    entries = np.linspace(0, 4095, 3200).astype(np.uint16)
    data = radiograph(
        VOILUTSequence=look_up_table(entries, first=0, bits=12),
        WindowCenter=2000,
        WindowWidth=1000,
    )
    image = read(data)
    assert used(image) == Window(WindowSource.TABLE, None, None)
    values = np.linspace(100, 3100, 64).astype(np.uint16).reshape(8, 8)
    assert np.abs(grey(image) - 255.0 * entries[values] / 4095).max() <= 0.5


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
def test_values_outside_a_table_map_to_its_first_or_last_entry(syntax: uid.UID):
    pixels = np.array([[0, 10, 11, 12, 40]], np.uint16)
    entries = np.array([0, 100, 255], ">u2" if syntax == uid.ExplicitVRBigEndian else "<u2")
    table = look_up_table(entries, first=10, bits=8)
    data = make_dicom(pixels, Modality="CR", VOILUTSequence=table, syntax=syntax)
    assert grey(read(data)).tolist() == [[0, 0, 100, 255, 255]]


def test_a_modality_table_is_applied_before_the_window():
    pixels = np.array([[0, 1, 2]], np.uint16)
    table = look_up_table(np.array([500, 1000, 1500], np.uint16), first=0, bits=12)
    data = make_dicom(
        pixels, Modality="CR", ModalityLUTSequence=table, WindowCenter=1000.5, WindowWidth=1001
    )
    assert grey(read(data)).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_widen_the_range(photometric: str):
    pixels = np.array([[0, 1000, 1500, 2000, 65535]], np.uint16)
    data = make_dicom(
        pixels,
        Modality="DX",
        PhotometricInterpretation=photometric,
        PixelPaddingValue=65535,
    )
    image = grey(read(data))
    assert image[0, -1] == 0
    assert sorted(image[0, :4].tolist()) in ([0, 64, 128, 255], [0, 128, 191, 255])


def test_a_padding_value_stored_without_its_sign_is_recognised():
    pixels = np.array([[-2000, -600]], np.int16)
    data = make_dicom(pixels, PixelPaddingValue=-600)
    unsigned = data.replace(b"\x28\x00\x20\x01SS", b"\x28\x00\x20\x01US")
    assert unsigned != data
    assert grey(read(unsigned)).tolist() == [[0, 0]] == grey(read(data)).tolist()


def test_values_in_the_padding_range_are_black():
    pixels = np.array([[-2000, -1999, -1900, -600]], np.int16)
    data = make_dicom(pixels, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1900)
    assert grey(read(data)).tolist() == [[0, 0, 0, 128]]


def test_a_frame_uses_the_rescale_and_window_of_its_functional_groups():
    frames = np.stack([ct_pixels() + 1024, ct_pixels() + 2048, ct_pixels() + 1024])
    own = item(
        PixelValueTransformationSequence=item(RescaleIntercept=-2048, RescaleSlope=1),
        FrameVOILUTSequence=item(WindowCenter=-500, WindowWidth=1000),
    )
    shared = item(PixelValueTransformationSequence=item(RescaleIntercept=-1024, RescaleSlope=1))
    empty_group = item(PlanePositionSequence=item())
    data = make_dicom(
        frames,
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=[empty_group[0], own[0], empty_group[0]],
    )
    middle, first = (decode_image(data, dicom=DicomOptions(frame=frame)) for frame in (None, 1))
    assert used(middle) == Window(WindowSource.FILE, -500, 1000)
    assert used(first) == LUNG
    assert (grey(first) == grey(read(make_dicom(ct_pixels())))).all()
