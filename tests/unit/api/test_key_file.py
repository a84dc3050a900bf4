"""The file of keys: written whole, followed when it changes, closed when it cannot be read."""

import stat
from pathlib import Path

import pytest

from api.access import key_file
from api.access.api_keys import ApiKeysError, create_key
from api.access.key_file import FollowedKeyFile, read_key_file, write_key_file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0)
    return tmp_path / "keys"


def test_what_is_written_is_read_and_only_its_owner_may(path: Path):
    records = [create_key(name)[1] for name in ("a", "b")]
    write_key_file(path, records)
    assert read_key_file(path) == records
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_mode_that_an_administrator_chose_is_kept(path: Path):
    write_key_file(path, [])
    path.chmod(0o640)
    write_key_file(path, [create_key("a")[1]])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_change_is_followed(path: Path):
    first, second = create_key("a")[1], create_key("b")[1]
    write_key_file(path, [first])
    followed = FollowedKeyFile(path)
    assert list(followed.records) == [first]
    write_key_file(path, [first, second])
    assert list(followed.records) == [first, second]
    write_key_file(path, [second])
    assert list(followed.records) == [second]


@pytest.mark.parametrize("damage", ["", "missing", "not a record", "\xff"])
def test_while_it_cannot_be_read_nobody_comes_in(path: Path, damage: str):
    record = create_key("a")[1]
    write_key_file(path, [record])
    followed = FollowedKeyFile(path)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(damage.encode("latin-1"))
    assert list(followed.records) == []
    write_key_file(path, [record])
    assert list(followed.records) == [record]


@pytest.mark.parametrize("content", [None, "not a record"])
def test_a_gateway_does_not_start_on_one_that_cannot_be_read(path: Path, content: str | None):
    if content is not None:
        path.write_text(content)
    with pytest.raises(ApiKeysError):
        FollowedKeyFile(path)
