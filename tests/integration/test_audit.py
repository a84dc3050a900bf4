"""The audit trail, and ``covidscan replay``, which repeats its predictions."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from api.http.access.api_keys import create_key
from api.settings import Settings
from covidscan.main import app
from tests.dicom_files import ct_pixels, make_dicom
from tests.integration.conftest import gateway
from tests.servers import model_server
from tests.service_process import wait_until


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images in several formats and sizes."""
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number, extension in enumerate((".png", ".jpg", ".bmp", ".tiff", ".webp")):
        pixels = generator.integers(0, 256, (80 + number, 100), np.uint8)
        cv2.imwrite(str(folder / f"Muster-Maria-{number}{extension}"), pixels)
    return folder


@pytest.fixture
def key() -> tuple[str, str]:
    key, record = create_key("pacs")
    return key, str(record)


@pytest.fixture
def service(tiny_volume: Path, tmp_path: Path, key: tuple[str, str]) -> Iterator[httpx.Client]:
    with model_server(tiny_volume) as address:
        settings = Settings(
            _env_file=None,
            model_server=address,
            models_dir=tiny_volume,
            audit_file=tmp_path / "audit.jsonl",
            api_keys=key[1],
        )
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            client.headers["X-API-Key"] = key[0]
            yield client


@pytest.fixture
def audit_file(service: httpx.Client, images: Path, tmp_path: Path) -> Path:
    """The audit trail after predicting each image alone and in a batch, and one rejected file."""
    for image in sorted(images.iterdir()):
        files = {"file": (image.name, image.read_bytes())}
        assert service.post("/predict", files=files).status_code == 200
    batch = [("files", (image.name, image.read_bytes())) for image in sorted(images.iterdir())]
    assert service.post("/predict/batch", files=batch).json()["succeeded"] == len(batch)
    service.post("/predict", files={"file": ("x", b"no image")})
    return tmp_path / "audit.jsonl"


def replay(audit_file: Path, *images: Path, models_dir: Path, tolerance: float = 1e-5) -> Result:
    arguments = [str(audit_file), *map(str, images)]
    options = [f"--models-dir={models_dir}", f"--tolerance={tolerance}"]
    return CliRunner().invoke(app, ["replay", *arguments, *options])


def test_each_prediction_is_one_line_without_the_file_name(
    audit_file: Path, images: Path, key: tuple[str, str]
):
    lines = [json.loads(line) for line in audit_file.read_text().splitlines()]
    assert len(lines) == 10
    digests = [hashlib.sha256(i.read_bytes()).hexdigest() for i in sorted(images.iterdir())]
    recorded = [line["image"]["sha256"] for line in lines]
    assert recorded[:5] == digests
    assert sorted(recorded[5:]) == sorted(digests), (
        "the images of a batch are recorded in the order of their answers"
    )
    for line in lines:
        assert [model["version"] for model in line["models"]] == [1, 1, 1]
        assert line["key_id"] == key[1].split(":")[0]
        assert len(line["preprocessing"]) == 16
    assert "Muster" not in audit_file.read_text()
    assert stat.S_IMODE(audit_file.stat().st_mode) == 0o600


def test_replaying_the_same_images_and_versions_gives_the_same_answers(
    audit_file: Path, images: Path, tiny_volume: Path
):
    result = replay(audit_file, images, models_dir=tiny_volume)
    assert result.exit_code == 0, result.output
    assert "\nsame: 10\n" in f"\n{result.output}"


def test_replay_reports_a_probability_that_was_changed(
    audit_file: Path, images: Path, tiny_volume: Path
):
    lines = [json.loads(line) for line in audit_file.read_text().splitlines()]
    recorded = lines[0]["models"][1]["probabilities"]
    recorded["COVID"], recorded["non-COVID"] = recorded["non-COVID"], recorded["COVID"]
    audit_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = replay(audit_file, images, models_dir=tiny_volume)
    assert result.exit_code == 1
    assert f"{lines[0]['request_id']}: differs by" in result.output
    assert "same: 9\ndifferent: 1\n" in result.output


def test_replay_reports_missing_images_and_versions(
    audit_file: Path, images: Path, tiny_volume: Path
):
    (first, *_) = sorted(images.iterdir())
    first.unlink()
    assert "same: 8\ndifferent: 0\nimage missing: 2\n" in (
        replay(audit_file, images, models_dir=tiny_volume).output
    )
    shutil.rmtree(tiny_volume / "xception")
    result = replay(audit_file, images, models_dir=tiny_volume)
    assert result.exit_code == 1
    assert "version missing: 8\n" in result.output


def test_replay_reports_an_image_that_is_now_rejected_and_continues(
    audit_file: Path, images: Path, tiny_volume: Path
):
    rejected = images / "rejected.png"
    rejected.write_bytes(b"no image")
    lines = [json.loads(line) for line in audit_file.read_text().splitlines()]
    lines[0]["image"]["sha256"] = hashlib.sha256(b"no image").hexdigest()
    audit_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = replay(audit_file, images, models_dir=tiny_volume).output
    assert "same: 9\n" in output
    assert "image rejected: 1\n" in output


def test_replay_fails_for_a_file_that_is_not_an_audit_trail(tmp_path: Path, images: Path):
    wrong = tmp_path / "wrong"
    wrong.write_text("{}\n")
    result = replay(wrong, images, models_dir=tmp_path)
    assert result.exit_code == 1
    assert "line broken: 1\n" in result.output


def test_the_audit_file_can_be_rotated_while_the_gateway_runs(
    service: httpx.Client, audit_file: Path, phantom_png: bytes
):
    audit_file.rename(audit_file.with_suffix(".1"))
    assert service.post("/predict", files={"file": ("x", phantom_png)}).status_code == 200
    assert len(audit_file.read_text().splitlines()) == 1


def test_a_partial_line_from_a_full_disk_does_not_damage_other_lines(
    service: httpx.Client, audit_file: Path, images: Path, monkeypatch: pytest.MonkeyPatch
):
    audit_file.unlink()
    files = {"file": ("x", next(images.iterdir()).read_bytes())}
    assert service.post("/predict", files=files).status_code == 200
    write = os.write
    with monkeypatch.context() as full_disk:
        full_disk.setattr(
            os, "write", lambda descriptor, line: write(descriptor, line[: len(line) // 2])
        )
        assert service.post("/predict", files=files).status_code == 503
    assert service.post("/predict", files=files).status_code == 200
    output = replay(audit_file, images, models_dir=audit_file.parent / "models").output
    assert "same: 2\n" in output
    assert "line broken: 1\n" in output


def test_a_prediction_that_cannot_be_recorded_is_answered_503(
    service: httpx.Client, audit_file: Path, phantom_png: bytes
):
    audit_file.unlink()
    audit_file.mkdir()
    response = service.post("/predict", files={"file": ("x", phantom_png)})
    assert response.status_code == 503
    assert response.json()["type"] == "urn:covidscan:problem:audit-unavailable"
    assert "probabilities" not in response.text
    assert str(audit_file.parent) not in response.text
    assert "covidscan_audit_failures_total 1.0" in service.get("/metrics").text


def test_replay_uses_the_recorded_frame_and_window_of_a_dicom_file(
    service: httpx.Client, audit_file: Path, images: Path, tiny_volume: Path
):
    audit_file.unlink()
    frames = np.stack([ct_pixels(), ct_pixels() - 400, ct_pixels() + 400])
    file = images / "IM000001"
    file.write_bytes(make_dicom(frames, WindowCenter=40, WindowWidth=400))
    for query in ({}, {"frame": 1}, {"window": "lung"}, {"frame": 3, "window": "lung"}):
        sent = {"file": ("x", file.read_bytes())}
        assert service.post("/predict", files=sent, params=query).status_code == 200
    outcomes = replay(audit_file, images, models_dir=tiny_volume).output
    assert "same: 4\n" in outcomes
    lines = audit_file.read_text().splitlines()
    recorded = [json.loads(line)["probabilities"]["COVID"] for line in lines]
    assert len(set(recorded)) == 4
