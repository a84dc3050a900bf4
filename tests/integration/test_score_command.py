"""``covidscan score`` writes the predictions for a folder or an archive to a table."""

import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from api.settings import Settings
from tests.archives import write_tar, write_zip
from tests.dicom_files import ct_pixels, make_dicom
from tests.integration.conftest import gateway
from tests.processes import children
from tests.servers import model_server
from tests.service_process import COVIDSCAN, wait_until

GOOD = 40


@pytest.fixture
def folder(tmp_path: Path, phantom_png: bytes) -> Path:
    """A folder with images, DICOM files and other files."""
    folder = tmp_path / "images"
    (folder / "study").mkdir(parents=True)
    for name in ("slice.png", "_slice.png", os.fsdecode(b"caf\xe9.png"), ".hidden.png"):
        (folder / name).write_bytes(phantom_png)
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("not an image")
    (folder / "mr.dcm").write_bytes(make_dicom(Modality="MR"))
    rng = np.random.default_rng(0)
    for number in range(GOOD):
        pixels = ct_pixels() + rng.integers(-80, 80, (48, 64)).astype(np.int16)
        (folder / "study" / f"IM{number:04d}").write_bytes(make_dicom(pixels))
    return folder


@pytest.fixture
def address(tiny_volume: Path) -> Iterator[str]:
    with model_server(tiny_volume) as address:
        yield address


def score(images: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COVIDSCAN, "score", str(images), f"--out={out}", *options],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def rows(out: Path) -> dict[str, dict[str, Any]]:
    return {row["file"]: row for row in pq.read_table(out).to_pylist()}


def test_every_file_has_a_row_with_the_answer_of_the_gateway(
    folder: Path, address: str, tiny_volume: Path, tmp_path: Path
):
    out = tmp_path / "results.parquet"
    result = score(folder, out, f"--model-server={address}", "--workers=2", "--window=lung")
    assert result.returncode == 0, result.stderr
    assert "43 ok, 3 rejected, 0 failed" in result.stdout
    assert "1 missing-file, 1 wrong-modality, 1 unknown-format" in result.stdout
    assert "left out, without a row: 1 hidden or system files" in result.stdout
    found = rows(out)
    assert list(found) == sorted(found)
    assert {name: row["problem"] for name, row in found.items() if row["problem"]} == {
        "empty.png": "missing-file",
        "mr.dcm": "wrong-modality",
        "notes.txt": "unknown-format",
    }
    settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
    with gateway(settings) as client:
        for name in ("slice.png", "study/IM0007"):
            answer = ask(client, folder / name)
            row = found[name]
            assert row["probability"] == pytest.approx(answer["probabilities"]["COVID"])
            assert row["prediction"] == answer["prediction"]
            assert row["sha256"] == answer["image"]["sha256"]
            for model in answer["models"]:
                own = row[f"{model['name']}_probability"]
                assert own == pytest.approx(model["probabilities"]["COVID"])
                assert row[f"{model['name']}_version"] == model["version"]
    assert (found["study/IM0007"]["modality"], found["study/IM0007"]["window"]) == ("CT", "lung")


def ask(client: httpx.Client, file: Path) -> dict[str, Any]:
    files = {"file": (file.name, file.read_bytes())}
    answer: dict[str, Any] = client.post("/predict?window=lung", files=files).json()
    return answer


def test_an_archive_and_its_folder_give_the_same_table(folder: Path, address: str, tmp_path: Path):
    archive = tmp_path / "images.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                packed.add(file, str(file.relative_to(folder)))
    for name, images in (("a", folder), ("b", archive)):
        result = score(images, tmp_path / name, f"--model-server={address}", "--tta=2")
        assert result.returncode == 0, result.stderr
    assert_same(rows(tmp_path / "a"), rows(tmp_path / "b"))
    row = rows(tmp_path / "b")["slice.png"]
    assert row["low"] <= row["probability"] <= row["high"]


def assert_same(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> None:
    assert set(one) == set(other)
    for name, row in one.items():
        assert row == {
            column: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
            for column, value in other[name].items()
        }


def test_a_killed_run_resumes_and_the_table_is_complete(
    folder: Path, address: str, tmp_path: Path, phantom_png: bytes
):
    for number in range(700):
        (folder / "study" / f"copy{number:04d}.png").write_bytes(phantom_png)
    out = tmp_path / "results.parquet"
    parts = tmp_path / "results.parquet.parts"
    command = [*COVIDSCAN, "score", str(folder), f"--out={out}", f"--model-server={address}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(parts.glob("[0-9]*.parquet")), timeout_seconds=60)
    workers = children(process.pid)
    assert workers
    process.kill()
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    kept = {file.name: file.read_bytes() for file in parts.glob("[0-9]*.parquet")}
    assert not out.exists()
    result = score(folder, out, f"--model-server={address}")
    assert result.returncode == 0, result.stderr
    assert kept
    assert "743 ok, 3 rejected, 0 failed" in result.stdout
    assert len(rows(out)) == pq.read_table(out).num_rows == 746
    assert not parts.exists()


def test_a_run_fails_when_its_model_server_is_killed_and_keeps_the_finished_parts(
    folder: Path, tiny_volume: Path, tmp_path: Path, phantom_png: bytes
):
    for number in range(700):
        (folder / "study" / f"copy{number:04d}.png").write_bytes(phantom_png)
    out = tmp_path / "results.parquet"
    server = subprocess.Popen(
        [*COVIDSCAN, "model-server", f"--models-dir={tiny_volume}", f"--socket={tmp_path / 's'}"]
    )
    try:
        address = f"unix:{tmp_path / 's'}"
        process = subprocess.Popen(
            [*COVIDSCAN, "score", str(folder), f"--out={out}", f"--model-server={address}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        parts = tmp_path / "results.parquet.parts"
        wait_until(lambda: any(parts.glob("[0-9]*.parquet")), timeout_seconds=60)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "too few models answered" in stderr
    assert "Traceback" not in stderr
    assert any(parts.glob("[0-9]*.parquet"))
    assert not out.exists()


def test_every_member_of_an_unusual_archive_has_a_row_or_is_reported(
    address: str, tmp_path: Path, phantom_png: bytes
):
    archive = tmp_path / os.fsdecode(b"caf\xe9.zip")
    inner = write_zip(tmp_path / "inner.zip", [("a.png", phantom_png)])
    members = [
        ("dup.png", phantom_png),
        ("dup.png", make_dicom()),
        ("[bold]x[/bold].png", phantom_png),
        ("cafX.png", phantom_png),
        ("inner.zip", inner.read_bytes()),
        ("__MACOSX/._dup.png", b"x"),
        ("locked.png", phantom_png),
    ]
    data = bytearray(write_zip(archive, members, links={"out.png": "../a"}).read_bytes())
    locked = data.rindex(b"locked.png") - 46
    data[locked + 8] |= 1
    archive.write_bytes(data.replace(b"cafX", b"caf\xe9"))
    out = tmp_path / os.fsdecode(b"caf\xe9.parquet")
    result = score(archive, out, f"--model-server={address}", "--workers=1")
    assert result.returncode == 0, result.stderr
    with out.open("rb") as file:
        found = {row["file"]: row for row in pq.read_table(file).to_pylist()}
    assert {name: row["problem"] or row["format"] for name, row in found.items()} == {
        "dup.png": "png",
        "dup.png#2": "dicom",
        "[bold]x[/bold].png": "png",
        r"caf\xe9.png": "png",
        "inner.zip": "nested-archive",
        "locked.png": "encrypted-file",
    }
    assert r"caf\xe9.parquet: 4 ok, 2 rejected, 0 failed" in result.stdout
    assert "not predicted: 1 nested-archive, 1 encrypted-file" in result.stdout
    assert "1 hidden or system files, 1 links that lead out of the archive" in result.stdout


def test_the_readable_members_of_a_damaged_archive_are_in_the_table(
    address: str, tmp_path: Path, phantom_png: bytes
):
    members = [(f"{number}.png", phantom_png) for number in range(40)]
    archive = write_tar(tmp_path / "cut.tar", members)
    archive.write_bytes(archive.read_bytes()[: -20 * 1024])
    result = score(archive, tmp_path / "out.parquet", f"--model-server={address}", "--workers=1")
    assert result.returncode == 1
    assert "is damaged: " in result.stderr
    assert "the table has what could be read" in result.stderr
    assert 30 < len(rows(tmp_path / "out.parquet")) < 40


def test_ray_rejects_an_archive_with_what_to_change(
    address: str, tmp_path: Path, phantom_png: bytes
):
    archive = write_zip(tmp_path / "a.zip", [("a.png", phantom_png)])
    result = score(archive, tmp_path / "out.parquet", f"--model-server={address}", "--ray")
    assert result.returncode == 1
    assert "is not a folder; to score an archive, omit --ray" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["existing.parquet"], "--force overwrites it"),
        (["new.parquet", "--workers=0"], "workers"),
        (["new.parquet", "--window=bone"], "window"),
    ],
)
def test_invalid_arguments_exit_with_code_two(
    folder: Path, tmp_path: Path, arguments: list[str], message: str
):
    (tmp_path / "existing.parquet").write_bytes(b"")
    out, *options = arguments
    result = score(folder, tmp_path / out, *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert (tmp_path / "existing.parquet").read_bytes() == b""


def test_a_missing_ca_file_exits_with_code_two_and_writes_no_table(
    folder: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COVIDSCAN_MODEL_SERVER_CA_FILE", str(tmp_path / "nowhere.pem"))
    result = score(folder, tmp_path / "out.parquet", f"--model-server={address}")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_two_ray_workers_give_the_same_table(folder: Path, address: str, tmp_path: Path):
    local = score(folder, tmp_path / "local", f"--model-server={address}")
    assert local.returncode == 0, local.stderr
    on_ray = score(folder, tmp_path / "ray", f"--model-server={address}", "--ray", "--workers=2")
    assert on_ray.returncode == 0, on_ray.stderr
    assert "Actors: 2" in on_ray.stderr or "Actors: 2" in on_ray.stdout
    assert pq.read_schema(tmp_path / "ray").equals(pq.read_schema(tmp_path / "local"))
    assert_same(rows(tmp_path / "local"), rows(tmp_path / "ray"))
