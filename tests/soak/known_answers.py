"""Models of which is known, beforehand, what each of their versions answers to each image."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from api.prediction.results import ModelAnswerStatus
from api.schemas.prediction import PredictionAnswer
from imaging.preprocess import decode_image, preprocess
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
VARIANTS = 4
"""Networks of each model; its versions are these in turn, so that neighbours always differ."""

_TOLERANCE = 1e-5


@dataclass(frozen=True)
class KnownNetworks:
    """Images, networks, and what each of these answers to each of those."""

    images: list[bytes]
    networks: dict[str, list[Path]]
    """Of each model, SavedModels."""
    probabilities: dict[str, np.ndarray]
    """Of each model the probability of COVID, by network and image."""

    def check(self, answer: PredictionAnswer, image: int) -> None:
        """Every number of an answer is that of the image, the models and the versions it names."""
        assert answer.image.sha256 == hashlib.sha256(self.images[image]).hexdigest()
        assert [model.name for model in answer.models] == list(MODEL_NAMES)
        given = []
        for model in answer.models:
            if model.status is not ModelAnswerStatus.OK:
                assert (model.version, model.probabilities) == (None, None)
                continue
            assert model.version is not None
            assert model.probabilities is not None
            known = self.probabilities[model.name][model.version % VARIANTS, image]
            given.append(known)
            assert model.probabilities["COVID"] == pytest.approx(known, abs=_TOLERANCE), model
        assert answer.degraded == (len(given) < len(MODEL_NAMES))
        assert answer.agreement.answered == len(given)
        assert answer.probabilities["COVID"] == pytest.approx(np.mean(given), abs=_TOLERANCE)


def make_known_networks(root: Path) -> KnownNetworks:
    """Save the networks, and ask them through the engine."""
    images = [_draw(seed) for seed in range(IMAGES)]
    inputs = np.stack([preprocess(decode_image(image).pixels) for image in images])
    networks = {
        name: [_save(root / name / str(v), 10 * m + v) for v in range(VARIANTS)]
        for m, name in enumerate(MODEL_NAMES, start=1)
    }
    engine = Engine()
    probabilities = {
        name: np.stack([_ask(engine, path, inputs) for path in paths])
        for name, paths in networks.items()
    }
    everything = np.sort(np.concatenate([p.ravel() for p in probabilities.values()]))
    assert np.diff(everything).min() > 2 * _TOLERANCE, "no answer can be taken for another"
    return KnownNetworks(images, networks, probabilities)


class KnownVolume:
    """A volume of which only the newest version of each model is kept, known networks all.

    Args:
        models_dir: where it is made, with version 1 of each model.
        known: its networks.
    """

    def __init__(self, models_dir: Path, known: KnownNetworks) -> None:
        self.models_dir = models_dir
        self._known = known
        self.newest: dict[str, int] = {}
        for name in MODEL_NAMES:
            self.publish(name)

    def publish(self, name: str) -> int:
        """Publish the next version of a model and remove the one before."""
        version = self.newest.get(name, 0) + 1
        network = self._known.networks[name][version % VARIANTS]
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


def _ask(engine: Engine, path: Path, inputs: np.ndarray) -> np.ndarray:
    return engine.load(path).infer({INPUT_NAME: inputs})[OUTPUT_NAME][:, POSITIVE_CLASS_INDEX]
