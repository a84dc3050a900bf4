"""A request whose audit record cannot be written is not answered."""

import errno
import os
import threading
from pathlib import Path

import pytest

from api.observability import audit
from api.observability.audit import AuditRecord, AuditTrail, AuditUnavailableError
from api.start_errors import AuditTrailError
from system.deadlines import DeadlineThreads
from tests.special_files import SPECIAL_FILES, replace_by
from tests.stand_ins import behind

pytestmark = pytest.mark.timeout(60)

RECORD = AuditRecord.model_construct(request_id="1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.mark.parametrize("kind", SPECIAL_FILES)
async def test_the_audit_trail_writes_only_to_a_regular_file(path: Path, kind: str):
    trail = AuditTrail(path)
    await trail.write(RECORD)
    replace_by(kind, path)
    with pytest.raises(AuditUnavailableError):
        await trail.write(RECORD)
    with pytest.raises(AuditTrailError, match=r"cannot be written: (not a regular|Is a directory)"):
        AuditTrail(path)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (errno.EACCES, "chown -R 10001:10001"),
        (errno.EROFS, "on a volume"),
        (errno.ENOSPC, "make room"),
    ],
)
def test_an_audit_file_that_cannot_be_opened_stops_the_start_with_a_remedy(
    path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, remedy: str
):
    def fail(*_: object, mode: int) -> int:
        raise OSError(reason, os.strerror(reason), mode)

    monkeypatch.setattr(audit, "open_regular_descriptor", fail)
    with pytest.raises(AuditTrailError, match=remedy):
        AuditTrail(path)


async def test_the_audit_trail_follows_a_link_to_a_regular_file(path: Path, tmp_path: Path):
    path.symlink_to(tmp_path / "elsewhere")
    await AuditTrail(path).write(RECORD)
    assert (tmp_path / "elsewhere").read_text().count("\n") == 1


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
async def test_a_full_or_broken_disk_fails_every_write_until_it_recovers(
    path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
):
    trail = AuditTrail(path)

    def fail(*_: object) -> int:
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", fail)
        for _ in range(2):
            with pytest.raises(AuditUnavailableError):
                await trail.write(RECORD)
    await trail.write(RECORD)
    assert path.read_text().count("\n") == 1


async def test_a_hanging_mount_fails_the_write_and_blocks_only_one_daemon_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    trail = AuditTrail(path)
    trail._threads = DeadlineThreads("audit", threads=1, seconds=0.05)
    gate = threading.Event()
    monkeypatch.setattr(
        audit, "open_regular_descriptor", behind(gate, audit.open_regular_descriptor)
    )
    try:
        for _ in range(3):
            with pytest.raises(AuditUnavailableError):
                await trail.write(RECORD)
        (hung,) = [thread for thread in threading.enumerate() if thread.name == "audit"]
        assert hung.daemon
    finally:
        gate.set()


def test_the_gateway_does_not_start_when_the_audit_mount_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    gate = threading.Event()
    monkeypatch.setattr(
        audit, "open_regular_descriptor", behind(gate, audit.open_regular_descriptor)
    )
    monkeypatch.setattr(audit, "_PATIENCE_SECONDS", 0.05)
    try:
        with pytest.raises(AuditTrailError, match="no answer within"):
            AuditTrail(path)
    finally:
        gate.set()
