"""Hostile and damaged files get well-formed responses, and the service survives them."""

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

from api.schemas.prediction import PredictionResponse
from api.schemas.problem import Problem
from tests.conftest import SHARED_DICOM, SHARED_UPLOADS, fill_volume
from tests.dicom_files import COMPRESSIONS, ct_pixels, make_dicom
from tests.processes import gateway_and_decoders, reset_peak_memory, usage
from tests.service_process import running_service
from tests.soak.hostile_samples import IMAGE, SAMPLES, drawing, saved
from tests.soak.mutants import mutant

CLIENTS = 3
LIMIT_BYTES = 1_000_000
LIMIT_PIXELS = 1_000_000

MEMORY_MARGIN_MIB = 24
"""What decoders leave in the allocator varies: over the second half of 20,000 mutants it grew by
2.2 MiB. A leak of pixels, 3 MB for the largest image, would be far above."""

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def originals() -> dict[str, bytes]:
    """Real files of every format, in several variations."""
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
    """Run the service in its own process; yields the gateway's pid and address."""
    folder = tmp_path_factory.mktemp("service")
    volume = fill_volume(folder / "models", tiny_saved_model)
    with running_service(
        volume, max_upload_bytes=LIMIT_BYTES, max_pixels=LIMIT_PIXELS, log=folder / "log"
    ) as (process, address):
        yield process.pid, address
        assert process.poll() is None, "the gateway must not end"
        assert httpx.get(f"{address}/readyz?strict=true").status_code == 200


def status_of_valid_response(client: httpx.Client, data: bytes, label: str) -> int:
    """Send a file, and check that the response is a valid prediction or client error (4xx)."""
    # These files are not chest scans; with force they are not rejected for that.
    response = client.post("/predict", params={"force": "true"}, files={"file": ("a", data)})
    if response.status_code == 200:
        PredictionResponse.model_validate_json(response.text)
    else:
        assert response.status_code in (413, 415, 422), f"{label}: {response.text}"
        assert response.headers["content-type"] == "application/problem+json", label
        assert Problem.model_validate_json(response.text).detail, label
    return response.status_code


@pytest.mark.timeout(3000)
def test_thousands_of_mutated_files_get_valid_responses_without_a_memory_leak(
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
                statuses[status_of_valid_response(client, data, f"seed {seed} of {name}")] += 1
        return statuses

    def send_all(seeds: range) -> Counter[int]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            parts = [seeds[client::CLIENTS] for client in range(CLIENTS)]
            return sum(pool.map(send, parts), Counter[int]())

    statuses = send_all(range(count // 2))
    before = usage(pid)
    statuses += send_all(range(count // 2, count))
    after = usage(pid)
    assert statuses.total() == count
    assert set(statuses) >= {200, 415, 422}
    assert after.memory_mib - before.memory_mib < MEMORY_MARGIN_MIB
    assert after.open_files <= before.open_files + CLIENTS
    prove(f"{count} mutants: {dict(sorted(statuses.items()))}; {before}, later {after}")


def _orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("name", SAMPLES)
def test_a_hostile_file_gets_an_expected_status_and_costs_under_100_mib(
    service: tuple[int, str], name: str
):
    data, statuses = SAMPLES[name]
    pid, address = service
    processes = gateway_and_decoders(pid)
    for process in processes:
        reset_peak_memory(process)
    before_mib = sum(usage(process).memory_mib for process in processes)
    with httpx.Client(base_url=address, timeout=30) as client:
        assert status_of_valid_response(client, data, name) in statuses
        assert status_of_valid_response(client, IMAGE, "an image after it") == 200
    # A replaced decoder would not be in the sum.
    assert gateway_and_decoders(pid) == processes
    peak_mib = sum(usage(process).peak_memory_mib for process in processes)
    assert peak_mib - before_mib < 100
