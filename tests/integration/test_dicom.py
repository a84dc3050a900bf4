"""Predictions of DICOM files over real HTTP, with a real model server."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import uid

from tests.conftest import SHARED_DICOM
from tests.dicom_files import PATIENT, ct_pixels, make_dicom, make_encapsulated
from tests.integration.responses import assert_problem

LUNG = {"source": "lung", "center": -600.0, "width": 1500.0}


def post(client: httpx.Client, data: bytes, **query: Any) -> httpx.Response:
    return client.post("/predict", files={"file": ("IM000001", data)}, params=query)


def test_a_ct_prediction_reports_the_modality_frame_and_window_that_were_used(
    tiny_service: httpx.Client,
):
    response = post(tiny_service, make_dicom())
    assert response.status_code == 200, response.text
    image = response.json()["image"]
    assert (image["format"], image["width"], image["height"]) == ("dicom", 64, 48)
    assert image["dicom"] == {
        "modality": "CT",
        "view": None,
        "frame": 1,
        "frames": 1,
        "window": LUNG,
        "hounsfield": True,
    }
    assert PATIENT not in response.text


def test_the_query_selects_the_frame_and_the_window(tiny_service: httpx.Client):
    frames = np.stack([ct_pixels(), ct_pixels() - 300, ct_pixels() + 300])
    data = make_dicom(frames, WindowCenter=40, WindowWidth=400)
    default = post(tiny_service, data).json()
    assert default["image"]["dicom"]["frame"] == 2
    assert default["image"]["dicom"]["window"] == {"source": "file", "center": 40.0, "width": 400.0}
    selected = post(tiny_service, data, frame=3, window="lung").json()
    assert selected["image"]["dicom"]["frame"] == 3
    assert selected["image"]["dicom"]["window"] == LUNG
    single = post(tiny_service, make_dicom(ct_pixels() + 300)).json()
    assert single["probabilities"] == selected["probabilities"] != default["probabilities"]


def test_the_window_of_a_batch_applies_to_all_its_files(tiny_service: httpx.Client):
    files = [("files", ("a", make_dicom())), ("files", ("b", make_dicom(Modality="MR")))]
    answer = tiny_service.post("/predict/batch", files=files, params={"window": "lung"}).json()
    assert (answer["succeeded"], answer["failed"]) == (1, 1)
    assert answer["items"][0]["result"]["image"]["dicom"]["window"] == LUNG
    assert answer["items"][1]["problem"]["type"] == "urn:covidscan:problem:wrong-modality"


@pytest.mark.parametrize(
    ("data", "kind", "fix"),
    [
        (make_dicom(Modality="MR"), "wrong-modality", "send a chest CT (CT) or X-ray (CR, DX, RG)"),
        (make_dicom(PixelData=None), "no-pixels", "send the file with its pixels"),
        (
            make_encapsulated(b"\0\0", like=ct_pixels(), syntax=uid.MPEG4HP41),
            "unsupported-transfer-syntax",
            "Explicit VR Little Endian",
        ),
        (make_dicom(SamplesPerPixel=3), "unsupported-pixels", "greyscale pixels of 8 or 16 bits"),
        (make_dicom()[:-100], "damaged-image", "send the whole, undamaged file"),
    ],
)
def test_an_unusable_file_is_rejected_with_the_reason_and_the_fix(
    tiny_service: httpx.Client, data: bytes, kind: str, fix: str
):
    assert fix in assert_problem(post(tiny_service, data), 422, kind).detail


def test_a_frame_that_does_not_exist_is_answered_422(tiny_service: httpx.Client):
    assert_problem(post(tiny_service, make_dicom(), frame=2), 422, "no-such-frame")


@pytest.mark.parametrize("query", [{"frame": 0}, {"window": "bone"}, {"windows": "lung"}])
def test_an_invalid_query_is_answered_422(tiny_service: httpx.Client, query: dict[str, Any]):
    assert_problem(post(tiny_service, make_dicom(), **query), 422, "invalid-request")


def test_an_image_over_the_pixel_limit_is_answered_413(tiny_service: httpx.Client):
    assert_problem(post(tiny_service, make_dicom(Rows=20_000, Columns=20_000)), 413, "too-large")


REAL_ANSWERS = {
    "1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm": ("CR", "PA", "range"),
    "693_J2KI.dcm": ("CT", None, "file"),
    "CT_Explicit_Little.dcm": ("CT", None, "file"),
    "CT_Implicit_Little_Headless_Retired.dcm": ("CT", None, "file"),
    "CT_small.dcm": ("CT", None, "lung"),
    "Fake_MONOHR1.dcm": ("CR", "PA", "range"),
    "MR_small.dcm": "wrong-modality",
    "OT_Implicit_Little_Headless.dcm": "wrong-modality",
    "P001_2_98C14734-ASSH_121.dcm": ("CT", None, "file"),
    "P002_2_IM0067.dcm": ("CT", None, "file"),
    "cap001_2_98C1066-ASAD_152.dcm": ("CT", None, "file"),
    "chrJapMulti.dcm": "no-pixels",
    "normal001_2_99C628-ASAD_130.dcm": ("CT", None, "file"),
}


@pytest.mark.skipif(not SHARED_DICOM.is_dir(), reason="the folder of real DICOM files is missing")
def test_every_real_file_is_predicted_or_rejected_as_expected(tiny_service: httpx.Client):
    files: list[Path] = sorted(SHARED_DICOM.iterdir())
    assert {file.name for file in files} >= set(REAL_ANSWERS)
    for file in files:
        response = post(tiny_service, file.read_bytes())
        expected = REAL_ANSWERS[file.name]
        if isinstance(expected, str):
            assert_problem(response, 422, expected)
            continue
        assert response.status_code == 200, (file.name, response.text)
        used = response.json()["image"]["dicom"]
        assert (used["modality"], used["view"], used["window"]["source"]) == expected, file.name
