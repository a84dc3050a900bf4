"""``covidscan serve`` explains why it cannot start."""

import tempfile

import pytest
from typer.testing import CliRunner

from covidscan.main import app


def test_serve_without_a_writable_temporary_folder_explains_how_to_mount_one(
    monkeypatch: pytest.MonkeyPatch,
):
    """As in a read-only container without a tmpfs; root can write anywhere, so none is listed."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    result = CliRunner().invoke(app, ["serve", "--model-server=127.0.0.1:1", "--port=0"])
    assert result.exit_code == 2
    assert result.stderr == (
        "covidscan: no temporary folder is writable: mount one at /tmp"
        " (docker run --tmpfs /tmp), or set TMPDIR\n"
    )
