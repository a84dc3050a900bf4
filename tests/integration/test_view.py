"""``POST /view``: the pixel values before any window, for the viewer of the page."""

import json
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.dicom_files import PATIENT, ct_pixels, make_dicom


def view(client: httpx.Client, data: bytes, **query: str) -> tuple[dict[str, Any], NDArray[Any]]:
    response = client.post("/view", files={"file": ("x", data)}, params=query)
    assert response.status_code == 200, response.text
    assert PATIENT not in response.text
    metadata = json.loads(response.headers["x-view"])
    values = np.frombuffer(response.content, "<f4").reshape(metadata["rows"], metadata["columns"])
    return metadata, values


def test_a_ct_is_returned_in_hounsfield_units_with_the_window_that_the_models_get(
    tiny_service: httpx.Client,
):
    pixels = ct_pixels(48, 64)
    data = make_dicom(pixels, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=40, WindowWidth=9)
    metadata, values = view(tiny_service, data)
    np.testing.assert_array_equal(values, 2 * pixels.astype(np.float32) - 100)
    assert (metadata["center"], metadata["width"], metadata["hounsfield"]) == (40, 9, True)
    metadata, _ = view(tiny_service, data, window="lung")
    assert (metadata["center"], metadata["width"]) == (-600, 1500)


def test_padding_gets_the_lowest_value_of_the_image(tiny_service: httpx.Client):
    pixels = ct_pixels(48, 64)
    pixels[:5] = -2000
    _, values = view(tiny_service, make_dicom(pixels, PixelPaddingValue=-2000))
    assert (values[:5] == values[5:].min()).all()


def test_a_monochrome1_radiograph_is_marked_as_inverted(tiny_service: httpx.Client):
    data = make_dicom(ct_pixels(), Modality="DX", PhotometricInterpretation="MONOCHROME1")
    metadata, _ = view(tiny_service, data)
    assert (metadata["inverted"], metadata["hounsfield"]) == (True, False)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_an_image_that_is_not_dicom_is_returned_in_grey_levels(
    tiny_service: httpx.Client, extension: str
):
    grey = np.arange(80 * 90, dtype=np.uint16).reshape(80, 90) % 256
    data = cv2.imencode(extension, grey.astype(np.uint8))[1].tobytes()
    metadata, values = view(tiny_service, data)
    np.testing.assert_array_equal(values, grey)
    assert (metadata["center"], metadata["width"], metadata["inverted"]) == (127.5, 255, False)


def test_a_large_image_is_scaled_down(tiny_service: httpx.Client):
    data = cv2.imencode(".png", np.full((300, 3000), 70, np.uint8))[1].tobytes()
    metadata, values = view(tiny_service, data)
    assert (metadata["columns"], metadata["rows"]) == (1024, 102)
    assert (values == 70).all()


def test_the_selected_frame_is_returned(tiny_service: httpx.Client):
    frames = np.stack([ct_pixels(), ct_pixels() + 7, ct_pixels() + 9])
    metadata, values = view(tiny_service, make_dicom(frames, NumberOfFrames=3), frame="3")
    assert (metadata["frame"], metadata["frames"]) == (3, 3)
    assert values[0, 0] - ct_pixels()[0, 0] == pytest.approx(9, abs=0.01)


def test_an_unreadable_file_is_answered_415(tiny_service: httpx.Client):
    response = tiny_service.post("/view", files={"file": ("x", b"no image")})
    assert response.status_code == 415
    assert response.json()["type"] == "urn:covidscan:problem:unknown-format"
