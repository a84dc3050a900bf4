"""Models of which the answer of each version to each image is known in advance."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from api.prediction.results import ModelStatus
from api.schemas.prediction import PredictionResponse
from imaging.decode import decode_image
from imaging.preprocess import preprocess
from serving import volume
from serving.contract import (
    INPUT_NAME,
    MODEL_NAMES,
    OUTPUT_NAME,
    POSITIVE_CLASS_INDEX,
    SIGNATURE_NAME,
)
from serving.embedded.engine import Engine
from tests.conformance.servables import Classifier

IMAGES = 6
NETWORKS_PER_MODEL = 4
"""The versions of a model cycle through its networks, so that successive versions differ."""

_TOLERANCE = 1e-5


@dataclass(frozen=True)
class KnownNetworks:
    """Images, networks, and the answer of each network to each image."""

    images: list[bytes]
    networks: dict[str, list[Path]]
    """SavedModels, by model."""
    probabilities: dict[str, np.ndarray]
    """The probabilities of COVID by model, each an array of network by image."""

    def check(self, answer: PredictionResponse, image: int) -> None:
        """Check every number of an answer against its image and the versions that it names."""
        assert answer.image.sha256 == hashlib.sha256(self.images[image]).hexdigest()
        assert [model.name for model in answer.models] == list(MODEL_NAMES)
        expected = []
        for model in answer.models:
            if model.status is not ModelStatus.OK:
                assert (model.version, model.probabilities) == (None, None)
                continue
            assert model.version is not None
            assert model.probabilities is not None
            known = self.probabilities[model.name][model.version % NETWORKS_PER_MODEL, image]
            expected.append(known)
            assert model.probabilities["COVID"] == pytest.approx(known, abs=_TOLERANCE), model
        assert answer.degraded == (len(expected) < len(MODEL_NAMES))
        assert answer.agreement.answered == len(expected)
        assert answer.probabilities["COVID"] == pytest.approx(np.mean(expected), abs=_TOLERANCE)


def make_known_networks(root: Path) -> KnownNetworks:
    """Save the networks, and compute their answers with the engine."""
    images = [_draw(seed) for seed in range(IMAGES)]
    inputs = np.stack([preprocess(decode_image(image).pixels) for image in images])
    networks = {
        name: [_save(root / name / str(v), 10 * m + v) for v in range(NETWORKS_PER_MODEL)]
        for m, name in enumerate(MODEL_NAMES, start=1)
    }
    engine = Engine()
    probabilities = {
        name: np.stack([_infer(engine, path, inputs) for path in paths])
        for name, paths in networks.items()
    }
    all_answers = np.sort(np.concatenate([p.ravel() for p in probabilities.values()]))
    assert np.diff(all_answers).min() > 2 * _TOLERANCE, "every two answers differ clearly"
    return KnownNetworks(images, networks, probabilities)


class KnownVolume:
    """A volume with known networks that keeps only the newest version of each model.

    Args:
        models_dir: the folder in which it is created, with version 1 of each model.
        known: the networks of its versions.
    """

    def __init__(self, models_dir: Path, known: KnownNetworks) -> None:
        self.models_dir = models_dir
        self._known = known
        self.newest: dict[str, int] = {}
        for name in MODEL_NAMES:
            self.publish(name)

    def publish(self, name: str) -> int:
        """Publish the next version of a model and remove the previous one."""
        version = self.newest.get(name, 0) + 1
        network = self._known.networks[name][version % NETWORKS_PER_MODEL]
        with volume.draft(self.models_dir, name, keep=1) as draft:
            shutil.copytree(network, draft.path, dirs_exist_ok=True)
        assert draft.version == version
        self.newest[name] = version
        return version


def _draw(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (3, 3, 3), np.uint8)
    drawn = cv2.resize(pixels, (96 + seed, 96), interpolation=cv2.INTER_NEAREST)
    return bytes(cv2.imencode(".png", drawn)[1])


def _save(path: Path, seed: int) -> Path:
    model = Classifier(seed)
    tf.saved_model.save(model, str(path), signatures={SIGNATURE_NAME: model.serve})
    return path


def _infer(engine: Engine, path: Path, inputs: np.ndarray) -> np.ndarray:
    return engine.load(path).infer({INPUT_NAME: inputs})[OUTPUT_NAME][:, POSITIVE_CLASS_INDEX]
