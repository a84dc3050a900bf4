"""Fixtures for tests of whole training runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.narrow_backbones import NARROW_BACKBONES
from trainer import architectures
from trainer.demo.dataset import write_phantoms


@pytest.fixture(scope="module")
def narrow_backbones() -> Iterator[None]:
    """Train small networks: the demo's tests train the real ones."""
    with pytest.MonkeyPatch.context() as patched:
        for name, backbone in NARROW_BACKBONES.items():
            patched.setitem(architectures._BACKBONES, name, backbone)
        yield


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dataset")
    write_phantoms(directory, seed=0, per_class=24)
    return directory
