"""Whatever a file holds, the service answers, well-formed, and lives."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from api.schemas.prediction import PredictionAnswer
from api.schemas.problem import Problem
from tests.conftest import SHARED_DICOM, SHARED_UPLOADS, fill_volume
from tests.dicom_files import COMPRESSIONS, ct_pixels, make_dicom
from tests.processes import usage
from tests.service_process import running_service
from tests.soak.hostile_samples import IMAGE, SAMPLES, drawing, saved
from tests.soak.mutants import mutant

CALLERS = 3
LIMIT_BYTES = 1_000_000
LIMIT_PIXELS = 1_000_000

MEMORY_MARGIN_MIB = 24
"""Decoders of one and another size leave the allocator with more or less: between two halves of
20,000 mutants it was 2.2 MiB more. Kept pixels, 3 MB for the largest image, would be far above."""

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    """Real files of every format, in more than one of its ways to be written."""
    rgb = Image.fromarray(drawing())
    made = {
        "png": saved(rgb, "PNG"),
        "palette.png": saved(rgb.quantize(16), "PNG", transparency=3),
        "alpha.png": saved(rgb.convert("RGBA"), "PNG"),
        "deep.png": cv2.imencode(".png", drawing().astype(np.uint16) * 257)[1].tobytes(),
        "jpeg": saved(rgb, "JPEG"),
        "progressive.jpeg": saved(rgb, "JPEG", progressive=True, subsampling=2),
        "cmyk.jpeg": saved(rgb.convert("CMYK"), "JPEG"),
        "exif.jpeg": saved(rgb, "JPEG", exif=_orientation(6)),
        "bmp": saved(rgb, "BMP"),
        "palette.bmp": saved(rgb.quantize(16), "BMP"),
        "tiff": saved(rgb, "TIFF"),
        "deflate.tiff": saved(rgb, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "jpeg.tiff": saved(rgb, "TIFF", compression="jpeg"),
        "webp": saved(rgb, "WEBP"),
        "lossless.webp": saved(rgb.convert("RGBA"), "WEBP", lossless=True),
    }
    slice_ = (ct_pixels() + 1024).clip(0, 4095)
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, *COMPRESSIONS):
        # JPEG baseline has eight bits.
        pixels = slice_ // 16 if syntax == JPEGBaseline8Bit else slice_
        dtype = np.uint8 if syntax == JPEGBaseline8Bit else np.uint16
        made[f"{syntax.keyword}.dcm"] = make_dicom(
            pixels.astype(dtype), syntax=syntax, WindowCenter=[40, -600], WindowWidth=[400, 1500]
        )
    made["frames.dcm"] = make_dicom(np.stack([ct_pixels()] * 3), preamble=False)
    folders = [folder for folder in (SHARED_UPLOADS, SHARED_DICOM) if folder.is_dir()]
    uploads = [file for folder in folders for file in sorted(folder.iterdir())]
    small = [file for file in uploads if file.stat().st_size < LIMIT_BYTES // 4]
    return made | {file.name: file.read_bytes() for file in small}


@pytest.fixture(scope="module")
def service(
    tiny_saved_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, str]]:
    """The service in a process of its own; gives the gateway's pid and its address."""
    folder = tmp_path_factory.mktemp("service")
    volume = fill_volume(folder / "models", tiny_saved_model)
    with running_service(
        volume, max_upload_bytes=LIMIT_BYTES, max_pixels=LIMIT_PIXELS, log=folder / "log"
    ) as (process, address):
        yield process.pid, address
        assert process.poll() is None, "the gateway has ended"
        assert httpx.get(f"{address}/readyz?strict=true").status_code == 200


def answered_well(client: httpx.Client, data: bytes, what: str) -> int:
    """Send a file; the answer is a prediction or a problem of the client's, and all it must be."""
    # What is drawn here is no chest scan; it is the reading that is tested.
    response = client.post("/predict", params={"force": "true"}, files={"file": ("a", data)})
    if response.status_code == 200:
        PredictionAnswer.model_validate_json(response.text)
    else:
        assert response.status_code in (413, 415, 422), f"{what}: {response.text}"
        assert response.headers["content-type"] == "application/problem+json", what
        assert Problem.model_validate_json(response.text).detail, what
    return response.status_code


@pytest.mark.timeout(3000)
def test_thousands_of_mutants_are_answered_and_leave_no_memory_behind(
    service: tuple[int, str],
    originals: dict[str, bytes],
    soak: bool,
    prove: Callable[[str], None],
):
    pid, address = service
    count = 20_000 if soak else 2_000

    def send(seeds: range) -> Counter[int]:
        statuses = Counter[int]()
        with httpx.Client(base_url=address, timeout=30) as client:
            for seed in seeds:
                name, data = mutant(seed, originals)
                statuses[answered_well(client, data, f"seed {seed} of {name}")] += 1
        return statuses

    def send_all(seeds: range) -> Counter[int]:
        with ThreadPoolExecutor(CALLERS) as callers:
            parts = [seeds[caller::CALLERS] for caller in range(CALLERS)]
            return sum(callers.map(send, parts), Counter[int]())

    statuses = send_all(range(count // 2))
    before = usage(pid)
    statuses += send_all(range(count // 2, count))
    after = usage(pid)
    assert statuses.total() == count
    assert set(statuses) >= {200, 415, 422}
    assert after.memory_mib - before.memory_mib < MEMORY_MARGIN_MIB
    assert after.open_files <= before.open_files + CALLERS
    prove(f"{count} mutants: {dict(sorted(statuses.items()))}; {before}, later {after}")


def _orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("what", SAMPLES)
def test_a_file_that_means_harm_is_rejected_or_is_an_image_like_any_other(
    service: tuple[int, str], what: str
):
    data, statuses = SAMPLES[what]
    pid, address = service
    before = usage(pid)
    with httpx.Client(base_url=address, timeout=30) as client:
        assert answered_well(client, data, what) in statuses
        assert answered_well(client, IMAGE, "an image afterwards") == 200
    assert usage(pid).peak_memory_mib - before.memory_mib < 100
