"""The versioned volume: versions are complete or absent, and numbers are never reused."""

import errno
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving import volume
from serving.errors import VolumeError
from serving.volume import store


def publish(models_dir: Path, name: str = "m", **options: int) -> int:
    with volume.draft(models_dir, name, **options) as draft:
        (draft.path / "variables").mkdir()
        (draft.path / "saved_model.pb").write_bytes(b"graph")
    assert draft.version is not None
    return draft.version


def test_versions_count_up_from_one(tmp_path: Path):
    assert [publish(tmp_path) for _ in range(3)] == [1, 2, 3]
    assert volume.versions(tmp_path, "m") == [1, 2, 3]


def test_a_published_version_is_complete_and_readable_by_others(tmp_path: Path):
    version_dir = volume.version_dir(tmp_path, "m", publish(tmp_path))
    assert (version_dir / "saved_model.pb").read_bytes() == b"graph"
    assert stat.S_IMODE(version_dir.stat().st_mode) == 0o755


def test_a_draft_is_not_listed_as_a_version(tmp_path: Path):
    with volume.draft(tmp_path, "m") as draft:
        assert volume.versions(tmp_path, "m") == []
        assert draft.path.name.startswith(".")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_draft_leaves_no_files(tmp_path: Path, error: type[BaseException]):
    def fail_half_way() -> None:
        with volume.draft(tmp_path, "m") as draft:
            (draft.path / "saved_model.pb").write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert list((tmp_path / "m").iterdir()) == []


def test_the_number_of_a_version_moved_elsewhere_is_not_reused(tmp_path: Path):
    publish(tmp_path)
    last = volume.version_dir(tmp_path, "m", publish(tmp_path))
    last.rename(tmp_path / "elsewhere")
    assert publish(tmp_path) == 3


def test_only_the_newest_versions_are_kept(tmp_path: Path):
    for _ in range(5):
        publish(tmp_path, keep=2)
    assert volume.versions(tmp_path, "m") == [4, 5]


def test_versions_are_directories_named_by_integers(tmp_path: Path):
    for name in ("1", "007", "tmp", ".draft-x", "1.5", "-3", "٣"):
        (tmp_path / "m" / name).mkdir(parents=True)
    (tmp_path / "m" / "4").write_text("a file")
    assert volume.versions(tmp_path, "m") == [1, 7]
    assert volume.version_dir(tmp_path, "m", 7).name == "007"


def test_models_without_a_version_are_missing(tmp_path: Path):
    (tmp_path / "present" / "1").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    assert volume.missing(tmp_path, ["absent", "present", "empty"]) == ["absent", "empty"]


def test_a_missing_model_has_no_versions(tmp_path: Path):
    assert volume.versions(tmp_path, "m") == []
    with pytest.raises(VolumeError, match="model m has no version 1"):
        volume.version_dir(tmp_path, "m", 1)


def test_an_unwritable_volume_raises_a_volume_error(tmp_path: Path):
    (tmp_path / "m").write_text("a file instead of the model's directory")
    with pytest.raises(VolumeError, match="cannot write"):
        publish(tmp_path)
    with pytest.raises(VolumeError, match="cannot write"):
        volume.check_writable(tmp_path, "m")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "chown -R 10001:10001"),
        (errno.EROFS, "mount it for writing"),
        (errno.ENOSPC, "make room"),
    ],
)
def test_a_write_error_is_reported_with_its_remedy(
    number: int, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The error is simulated, because tests may run as root, who can write everywhere."""

    def fail(**_: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(store.tempfile, "mkdtemp", fail)
    with pytest.raises(VolumeError, match=remedy):
        volume.check_writable(tmp_path, "m")


def test_a_volume_without_enough_free_space_is_rejected_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage._replace(free=200 << 20))
    volume.check_writable(tmp_path, "m")
    with pytest.raises(VolumeError, match=r"has 200 MiB left, and new versions may need 256 MiB"):
        volume.check_writable(tmp_path, "m", "n")


def test_checking_that_a_volume_is_writable_leaves_no_files(tmp_path: Path):
    volume.check_writable(tmp_path, "m")
    assert list((tmp_path / "m").iterdir()) == []


def test_the_number_of_a_removed_version_is_not_reused(tmp_path: Path):
    for _ in range(2):
        publish(tmp_path)
    volume.remove(tmp_path, "m", 2)
    assert volume.versions(tmp_path, "m") == [1]
    assert publish(tmp_path) == 3
    with pytest.raises(VolumeError, match="model m has no version 2"):
        volume.remove(tmp_path, "m", 2)


def test_the_number_of_a_removed_version_that_was_added_by_hand_is_not_reused(tmp_path: Path):
    for name in ("1", "007"):
        (tmp_path / "m" / name).mkdir(parents=True)
    volume.remove(tmp_path, "m", 7)
    assert publish(tmp_path) == 8


def test_a_version_being_removed_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for _ in range(2):
        publish(tmp_path)
    listed = []
    delete = shutil.rmtree

    def list_and_delete(path: Path) -> None:
        listed.append(volume.versions(tmp_path, "m"))
        delete(path)

    monkeypatch.setattr(shutil, "rmtree", list_and_delete)
    volume.remove(tmp_path, "m", 1)
    assert listed == [[2]]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [".last_version", "2"]


def test_concurrent_publishers_lose_no_version(tmp_path: Path):
    def publish(_: int) -> int:
        with volume.draft(tmp_path, "vgg16", keep=100) as draft:
            (draft.path / "saved_model.pb").write_text("graph")
        assert draft.version is not None
        return draft.version

    with ThreadPoolExecutor(4) as publishers:
        published = list(publishers.map(publish, range(40)))
    assert sorted(published) == list(range(1, 41)) == volume.versions(tmp_path, "vgg16")


def test_version_candidates_are_found_by_number(tmp_path: Path):
    for name in ("3", "007", "v8", "-1", ".9", str(2**63)):
        (tmp_path / name).mkdir()
    (tmp_path / "12").touch()
    found = volume.version_candidates(tmp_path)
    assert found == {3: tmp_path / "3", 7: tmp_path / "007", 12: tmp_path / "12"}


@pytest.mark.parametrize("path", ["nosuch", "a\0b"])
def test_an_unreadable_directory_raises_a_volume_error(tmp_path: Path, path: str):
    with pytest.raises(VolumeError):
        volume.version_candidates(tmp_path / path)


def test_a_model_directory_linked_to_proc_is_rejected(tmp_path: Path):
    (tmp_path / "m").symlink_to("/proc/self/fd")
    with pytest.raises(VolumeError, match="cannot hold models"):
        volume.version_candidates(tmp_path / "m")
