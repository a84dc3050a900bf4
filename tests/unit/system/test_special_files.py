"""Special files are rejected wherever a configuration or a volume may contain a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving import volume
from serving.batching_parameters import read_batching_parameters
from serving.embedded.errors import ModelLoadError
from serving.embedded.saved_model import GRAPH_FILE, read_signatures
from serving.errors import ServingError, VolumeError
from serving.tls import read_channel_credentials, read_server_credentials
from serving.volume.model_card import CARD_PATH, ModelCard
from serving.volume.model_config import read_model_configs
from serving.volume.rollback import roll_back
from tests.special_files import SPECIAL_FILES, replace_by

pytestmark = pytest.mark.timeout(20)

WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
ENGINE_FILES = (GRAPH_FILE, "fingerprint.pb", "variables/variables.index", "assets/words.txt")
OTHER_FILES = (CARD_PATH, WARM_UP)

READERS: dict[str, Callable[[Path], Any]] = {
    "models.config": read_model_configs,
    "batching parameters": read_batching_parameters,
    "authority": read_channel_credentials,
    "certificate": lambda path: read_channel_credentials(Path(__file__), path, Path(__file__)),
    "key": lambda path: read_channel_credentials(Path(__file__), Path(__file__), path),
    "SSLConfig": read_server_credentials,
}


@pytest.mark.parametrize("kind", SPECIAL_FILES)
@pytest.mark.parametrize("reader", READERS)
def test_a_special_file_as_configuration_is_rejected_with_the_reason(
    tmp_path: Path, reader: str, kind: str
):
    replace_by(kind, tmp_path / "named")
    with pytest.raises(ServingError, match=r"named cannot be read: (not a regular|Is a directory)"):
        READERS[reader](tmp_path / "named")


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_a_special_file_as_model_card_is_rejected(tmp_path: Path, kind: str):
    (tmp_path / CARD_PATH).parent.mkdir()
    replace_by(kind, tmp_path / CARD_PATH)
    with pytest.raises(VolumeError, match="no readable model card"):
        ModelCard.read(tmp_path)


def make_version(version_dir: Path) -> Path:
    for name in (*ENGINE_FILES, *OTHER_FILES):
        (version_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (version_dir / name).touch()
    return version_dir


@pytest.mark.parametrize("kind", [kind for kind in SPECIAL_FILES if kind != "folder"])
@pytest.mark.parametrize("name", ENGINE_FILES)
def test_a_version_with_a_special_file_cannot_be_loaded(tmp_path: Path, name: str, kind: str):
    version_dir = make_version(tmp_path / "1")
    replace_by(kind, version_dir / name)
    with pytest.raises(ModelLoadError, match=f"{name}.*; not a regular file"):
        read_signatures(version_dir)


@pytest.mark.parametrize("kind", SPECIAL_FILES)
@pytest.mark.parametrize("name", OTHER_FILES, ids=str)
def test_a_special_file_that_the_engine_does_not_read_is_ignored(
    tmp_path: Path, name: Path, kind: str
):
    version_dir = make_version(tmp_path / "1")
    replace_by(kind, version_dir / name)
    # The empty graph was read, so no file was rejected before it.
    with pytest.raises(ModelLoadError, match="Could not find meta graph"):
        read_signatures(version_dir)


def test_a_version_made_of_links_is_read(tmp_path: Path):
    """As in a volume assembled from a ConfigMap or an object store."""
    make_version(tmp_path / "..data")
    (tmp_path / "1").mkdir()
    for child in (tmp_path / "..data").iterdir():
        (tmp_path / "1" / child.name).symlink_to(child)
    # The empty graph was read, so no file was rejected before it.
    with pytest.raises(ModelLoadError, match="Could not find meta graph"):
        read_signatures(tmp_path / "1")


@pytest.mark.parametrize("kind", [kind for kind in SPECIAL_FILES if kind != "folder"])
def test_a_rollback_to_a_version_with_a_special_file_publishes_nothing(tmp_path: Path, kind: str):
    for number in (1, 2):
        make_version(tmp_path / "m" / f"{number}")
    replace_by(kind, tmp_path / "m" / "1" / WARM_UP)
    with pytest.raises(VolumeError, match="nothing was published"):
        roll_back(tmp_path, "m")
    assert volume.versions(tmp_path, "m") == [1, 2]


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_a_special_file_as_last_version_file_is_rejected_without_blocking(
    tmp_path: Path, kind: str
):
    make_version(tmp_path / "m" / "1")
    replace_by(kind, tmp_path / "m" / ".last_version")
    with pytest.raises(VolumeError), volume.draft(tmp_path, "m"):
        pass
    assert volume.versions(tmp_path, "m") == [1]


def test_a_last_version_file_without_a_number_is_rejected_with_a_remedy(tmp_path: Path):
    make_version(tmp_path / "m" / "1")
    (tmp_path / "m" / ".last_version").write_text("x")
    with pytest.raises(VolumeError, match="remove it"), volume.draft(tmp_path, "m"):
        pass
