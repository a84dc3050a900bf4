"""Shared by the peers: command line, preprocessing, three models and the format of an answer.

Only the servers differ, so the comparison is between servers. The preprocessing is that of the
product (``imaging/preprocess.py``) without its checks, which the peers lack.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Model = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps float32 ``[N, 64, 64, 3]``, RGB, 0 to 1, to float32 probabilities ``[N, 2]``."""

MODEL_NAMES: Final = ("vgg16", "resnet50", "xception")
MAX_BATCH_SIZE: Final = 32

_SIDE: Final = 64
_POSITIVE_CLASS_INDEX: Final = 0
_WARM_UP_SIZES: Final = (1, 2, 3)
"""Keras traces the first size and then any size. OpenVINO compiles its primitives on first use."""


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all peers share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--models", type=Path, required=True, help="has keras/NAME.keras and volume/NAME/VERSION/"
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    return parser


def add_engine_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of peers that can run the models on either engine."""
    parser.add_argument("--engine", choices=tuple(_LOADERS), default="keras")


def preprocess(data: bytes) -> NDArray[np.float32]:
    """Read a PNG or JPEG file into float32 ``[64, 64, 3]``, RGB, 0 to 1."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    resized = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return resized.astype(np.float32) / np.float32(255)


def load_models(directory: Path, engine: str) -> dict[str, Model]:
    """Load the three models, and call each once for every shape that it compiles for."""
    models = _LOADERS[engine](directory)
    for size in _WARM_UP_SIZES:
        for model in models.values():
            model(np.zeros((size, _SIDE, _SIDE, 3), np.float32))
    return models


def load_keras_models(directory: Path) -> "dict[str, keras.Model]":
    """Load the three models with Keras, as they were saved."""
    import keras  # noqa: PLC0415 - load only the engine in use

    paths = {name: directory / "keras" / f"{name}.keras" for name in MODEL_NAMES}
    return {name: keras.models.load_model(path) for name, path in paths.items()}


def classify(models: dict[str, Model], images: NDArray[np.float32]) -> list[dict[str, float]]:
    """Return each model's probability of COVID for a batch, float32 ``[N, 64, 64, 3]``.

    The models run one after another, because each of them uses every core.
    """
    columns = [model(images)[:, _POSITIVE_CLASS_INDEX].tolist() for model in models.values()]
    return [dict(zip(models, row, strict=True)) for row in zip(*columns, strict=True)]


def _load_keras(directory: Path) -> dict[str, Model]:
    # The fastest documented Keras call for one batch: a compiled graph. ``model(batch)`` runs layer
    # by layer, and ``model.predict(batch)`` builds a data set around every batch.
    models = load_keras_models(directory)
    return {name: model.predict_on_batch for name, model in models.items()}


def _load_openvino(directory: Path) -> dict[str, Model]:
    import openvino  # noqa: PLC0415 - as above

    core = openvino.Core()
    # The product's options. By default, OpenVINO computes in 16 bits if the CPU supports them, and
    # pins each model's threads to cores of its choice.
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }

    def load(name: str) -> Model:
        versions = [path for path in (directory / "volume" / name).iterdir() if path.name.isdigit()]
        newest = max(versions, key=lambda path: int(path.name))
        compiled = core.compile_model(newest, "CPU", options)
        return lambda images: compiled(images)[0]

    return {name: load(name) for name in MODEL_NAMES}


_LOADERS: Final[dict[str, Callable[[Path], dict[str, Model]]]] = {
    "keras": _load_keras,
    "openvino": _load_openvino,
}
