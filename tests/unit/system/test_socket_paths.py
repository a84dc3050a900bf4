"""A socket's folder leaves room for the socket's name."""

import tempfile

import pytest

from system.socket_paths import temporary_folder_for_sockets

SHORT = "/tmp"  # noqa: S108 - only compared


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/" + 69 * "x", "/" + 69 * "x"), ("/" + 70 * "x", SHORT), ("/" + 35 * "é", SHORT)],
    ids=["fits", "a byte too long", "as bytes, not characters"],
)
def test_a_folder_whose_sockets_would_have_too_long_paths_is_replaced(
    monkeypatch: pytest.MonkeyPatch, folder: str, expected: str
):
    monkeypatch.setattr(tempfile, "tempdir", folder)
    assert temporary_folder_for_sockets(further_bytes=37) == expected
