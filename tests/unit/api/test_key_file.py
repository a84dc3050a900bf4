"""The file of keys: written whole, followed when it changes, closed when it cannot be read."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.access import key_file
from api.access.api_keys import ApiKeysError, create_key
from api.access.key_file import FollowedKeyFile, change_key_file, read_key_file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(key_file, "_LOOK_SECONDS", 0)
    return tmp_path / "keys"


def test_what_is_written_is_read_and_only_its_owner_may(path: Path):
    records = [create_key(name)[1] for name in ("a", "b")]
    change_key_file(path, lambda _: records)
    assert read_key_file(path) == records
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_mode_that_an_administrator_chose_is_kept(path: Path):
    change_key_file(path, lambda _: [])
    path.chmod(0o640)
    change_key_file(path, lambda _: [create_key("a")[1]])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_change_is_followed(path: Path):
    first, second = create_key("a")[1], create_key("b")[1]
    change_key_file(path, lambda _: [first])
    followed = FollowedKeyFile(path)
    assert list(followed.records) == [first]
    change_key_file(path, lambda _: [first, second])
    assert list(followed.records) == [first, second]
    change_key_file(path, lambda _: [second])
    assert list(followed.records) == [second]


@pytest.mark.parametrize("damage", ["", "missing", "not a record", "\xff"])
def test_while_it_cannot_be_read_nobody_comes_in(path: Path, damage: str):
    record = create_key("a")[1]
    change_key_file(path, lambda _: [record])
    followed = FollowedKeyFile(path)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(damage.encode("latin-1"))
    assert list(followed.records) == []
    path.write_text(f"{record}\n")
    assert list(followed.records) == [record]


@pytest.mark.parametrize("content", [None, "not a record"])
def test_a_gateway_does_not_start_on_one_that_cannot_be_read(path: Path, content: str | None):
    if content is not None:
        path.write_text(content)
    with pytest.raises(ApiKeysError):
        FollowedKeyFile(path)


def test_what_could_not_be_read_for_a_moment_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nothing of the file itself need change: its folder was not there, or no descriptor free."""
    first, second = create_key("a")[1], create_key("b")[1]
    change_key_file(path, lambda _: [first])
    followed = FollowedKeyFile(path)
    change_key_file(path, lambda records: [*records, second])
    with monkeypatch.context() as failing:
        failing.setattr(key_file, "read_key_file", _no_descriptor)
        assert list(followed.records) == []
    assert list(followed.records) == [first, second]


def _no_descriptor(_: Path) -> None:
    raise ApiKeysError("too many open files")


def test_a_link_stays_one_and_what_it_names_is_changed(path: Path):
    link = path.with_name("link")
    change_key_file(path, lambda _: [create_key("a")[1]])
    link.symlink_to(path)
    change_key_file(link, lambda _: [])
    assert link.is_symlink()
    assert read_key_file(path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_keeps_its_owner(path: Path):
    change_key_file(path, lambda _: [])
    os.chown(path, 10001, 10001)
    change_key_file(path, lambda _: [create_key("a")[1]])
    assert (path.stat().st_uid, path.stat().st_gid) == (10001, 10001)


def test_changes_at_the_same_time_lose_nothing(path: Path):
    def add(number: int) -> None:
        change_key_file(path, lambda records: [*records, create_key(f"key-{number}")[1]])

    with ThreadPoolExecutor(8) as administrators:
        list(administrators.map(add, range(40)))
    assert len(read_key_file(path)) == 40
