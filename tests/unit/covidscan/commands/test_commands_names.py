"""File names that look like markup, or are not UTF-8, are printed literally."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from covidscan.command_line.tables import add_text_row
from covidscan.main import app
from covidscan.replay.replayer import find_images

ODD_NAMES = ["[bold]a.png", "[red]b[x].png", ":warning:.png", os.fsdecode(b"caf\xe9.png")]
PRINTED_NAMES = [*ODD_NAMES[:3], r"caf\xe9.png"]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ODD_NAMES]
    for path in paths:
        path.write_bytes(path.name.encode("utf-8", "surrogateescape"))
    return paths


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies received by a gateway that rejects every request."""
    bodies: list[bytes] = []

    def reject(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        problem = {"title": "Unknown [format]", "detail": "neither [PNG] nor [/DICOM]"}
        return httpx.Response(415, json=problem)

    class Client(httpx.Client):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, transport=httpx.MockTransport(reject))

    monkeypatch.setattr(httpx, "Client", Client)
    return bodies


def test_predict_prints_names_and_problems_literally(
    files: list[Path], sent: list[bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, ["predict", *map(str, files)])
    assert result.exit_code == 1, result.output
    for name in PRINTED_NAMES:
        assert name in result.output
    assert "Unknown [format]: neither [PNG] nor [/DICOM]" in result.output
    for body, name in zip(sent, PRINTED_NAMES, strict=True):
        # A backslash in a quoted string is escaped with another one.
        escaped = name.replace("\\", "\\\\")
        assert f'filename="{escaped}"'.encode() in body


def test_predict_continues_after_a_file_that_cannot_be_read(
    files: list[Path], sent: list[bytes], tmp_path: Path
):
    os.mkfifo(tmp_path / "pipe.png")
    arguments = [str(tmp_path / "pipe.png"), str(files[0])]
    result = CliRunner().invoke(app, ["predict", "--json", *arguments])
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert answers[0]["detail"] == "not a regular file"
    assert answers[1]["title"] == "Unknown [format]"
    assert len(sent) == 1


def test_a_table_row_shows_its_cells_literally():
    table = Table("File")
    for name in (*ODD_NAMES, "a[/bold]"):
        add_text_row(table, name)
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    assert all(name in captured.get() for name in (*PRINTED_NAMES, "a[/bold]"))


def test_replay_finds_images_by_content_and_lists_unreadable_files(
    files: list[Path], tmp_path: Path
):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "a.png").write_bytes(b"deeper")
    os.mkfifo(tmp_path / "pipe.png")
    found = find_images([tmp_path, tmp_path / "pipe.png"])
    assert len(found.by_sha256) == len(files) + 1
    assert found.unreadable == [str(tmp_path / "pipe.png")]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict"])
def test_a_path_that_is_not_utf_8_is_printed_on_any_terminal(tmp_path: Path, encoding: str):
    name = os.fsdecode(b"caf\xe9")
    done = subprocess.run(
        [sys.executable, "-m", "covidscan", "models", "list", f"--models-dir={tmp_path / name}"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert rb"caf\xe9 holds no models" in done.stdout
