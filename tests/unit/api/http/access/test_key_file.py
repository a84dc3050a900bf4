"""The key file is replaced atomically, reread when it changes, and holds no keys if unreadable."""

import asyncio
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.http.access import key_file
from api.http.access.api_keys import ApiKeyRecord, ApiKeysError, create_key
from api.http.access.key_file import ReloadingKeyFile, change_key_file, read_key_file
from system.deadlines import DeadlineThreads
from tests.special_files import SPECIAL_FILES, replace_by
from tests.stand_ins import behind


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(key_file, "_CHECK_SECONDS", 0)
    return tmp_path / "keys"


async def records_of(followed: ReloadingKeyFile) -> list[ApiKeyRecord]:
    return list(await followed.records())


def test_written_records_are_read_back_and_only_the_owner_can_read_the_file(path: Path):
    records = [create_key(name)[1] for name in ("a", "b")]
    change_key_file(path, lambda _: records)
    assert read_key_file(path) == records
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_change_keeps_the_file_mode_that_an_administrator_set(path: Path):
    change_key_file(path, lambda _: [])
    path.chmod(0o640)
    change_key_file(path, lambda _: [create_key("a")[1]])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_changed_key_file_is_reread(path: Path):
    first, second = create_key("a")[1], create_key("b")[1]
    change_key_file(path, lambda _: [first])
    followed = ReloadingKeyFile(path)
    assert await records_of(followed) == [first]
    change_key_file(path, lambda _: [first, second])
    assert await records_of(followed) == [first, second]
    change_key_file(path, lambda _: [second])
    assert await records_of(followed) == [second]


@pytest.mark.parametrize("damage", ["", "missing", "not a record", "\xff"])
async def test_while_the_key_file_cannot_be_read_no_key_is_accepted(path: Path, damage: str):
    record = create_key("a")[1]
    change_key_file(path, lambda _: [record])
    followed = ReloadingKeyFile(path)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(damage.encode("latin-1"))
    assert await records_of(followed) == []
    path.write_text(f"{record}\n")
    assert await records_of(followed) == [record]


@pytest.mark.parametrize("content", [None, "not a record"])
def test_the_gateway_does_not_start_if_the_key_file_cannot_be_read(path: Path, content: str | None):
    if content is not None:
        path.write_text(content)
    with pytest.raises(ApiKeysError):
        ReloadingKeyFile(path)


async def test_a_key_file_that_was_briefly_unreadable_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The file itself need not change: its folder was missing, or no descriptor was free."""
    first, second = create_key("a")[1], create_key("b")[1]
    change_key_file(path, lambda _: [first])
    followed = ReloadingKeyFile(path)
    change_key_file(path, lambda records: [*records, second])
    with monkeypatch.context() as failing:
        failing.setattr(key_file, "read_key_file", _no_descriptor)
        assert await records_of(followed) == []
    assert await records_of(followed) == [first, second]


def _no_descriptor(_: Path) -> None:
    raise ApiKeysError("too many open files")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", SPECIAL_FILES)
async def test_a_special_file_contains_no_keys_and_does_not_block(path: Path, kind: str):
    record = create_key("a")[1]
    change_key_file(path, lambda _: [record])
    followed = ReloadingKeyFile(path)
    replace_by(kind, path)
    assert await records_of(followed) == []
    with pytest.raises(ApiKeysError, match=r"cannot be read: (not a regular file|Is a directory)"):
        ReloadingKeyFile(path)
    with pytest.raises(ApiKeysError):
        change_key_file(path, lambda _: [record])


@pytest.mark.timeout(60)
async def test_while_the_mount_hangs_no_key_is_accepted_and_the_event_loop_is_not_blocked(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    record = create_key("a")[1]
    change_key_file(path, lambda _: [record])
    followed = ReloadingKeyFile(path)
    gate, entered = threading.Event(), threading.Event()
    read = behind(gate, key_file.read_key_file)

    def hang(of: Path) -> list[ApiKeyRecord]:
        entered.set()
        return read(of)

    monkeypatch.setattr(key_file, "read_key_file", hang)
    followed._threads = DeadlineThreads("keys", threads=1, seconds=0.1)
    try:
        answers = asyncio.gather(*(followed.records() for _ in range(20)))
        while not entered.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.001)
        # The event loop gets here although a thread hangs.
        assert await answers == [()] * 20
        gate.set()
        async with asyncio.timeout(30):
            while not await followed.records():  # noqa: ASYNC110 - each request asks once
                await asyncio.sleep(0.01)
    finally:
        gate.set()


async def test_concurrent_requests_share_one_read_and_survive_a_cancelled_request(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    record = create_key("a")[1]
    change_key_file(path, lambda _: [record])
    followed = ReloadingKeyFile(path)
    monkeypatch.setattr(key_file, "_CHECK_SECONDS", 1000)
    reads: list[Path] = []
    read = key_file.read_key_file

    def counted(of: Path) -> list[ApiKeyRecord]:
        reads.append(of)
        return read(of)

    monkeypatch.setattr(key_file, "read_key_file", counted)
    first, *others = [asyncio.create_task(followed.records()) for _ in range(20)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [[record]] * 19
    assert reads == [path]


def test_a_change_through_a_link_keeps_the_link_and_changes_its_target(path: Path):
    link = path.with_name("link")
    change_key_file(path, lambda _: [create_key("a")[1]])
    link.symlink_to(path)
    change_key_file(link, lambda _: [])
    assert link.is_symlink()
    assert read_key_file(path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a file")
def test_a_change_keeps_the_owner_of_the_file(path: Path):
    change_key_file(path, lambda _: [])
    os.chown(path, 10001, 10001)
    change_key_file(path, lambda _: [create_key("a")[1]])
    assert (path.stat().st_uid, path.stat().st_gid) == (10001, 10001)


def test_concurrent_changes_lose_no_record(path: Path):
    def add(number: int) -> None:
        change_key_file(path, lambda records: [*records, create_key(f"key-{number}")[1]])

    with ThreadPoolExecutor(8) as administrators:
        list(administrators.map(add, range(40)))
    assert len(read_key_file(path)) == 40
