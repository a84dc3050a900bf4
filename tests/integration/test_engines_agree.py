"""OpenVINO and TensorFlow give the same answers for trained networks."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from imaging.decode import decode_image
from imaging.preprocess import preprocess
from serving import volume
from serving.contract import INPUT_NAME, MODEL_NAMES, OUTPUT_NAME, SIGNATURE_NAME
from serving.embedded.engine import Engine
from tests.conftest import SHARED_UPLOADS
from trainer.demo.phantoms import draw_phantom


def images_to_compare() -> np.ndarray:
    """Noise, phantoms, and real slices and X-rays if available."""
    rng = np.random.default_rng(0)
    noise = rng.random((64, 64, 64, 3), np.float32)
    drawn = [draw_phantom(rng, covid=bool(i % 2)).pixels for i in range(16)]
    files = [cv2.imencode(".png", phantom)[1].tobytes() for phantom in drawn]
    files += [path.read_bytes() for path in sorted(SHARED_UPLOADS.glob("*"))]
    return np.concatenate([noise, [preprocess(decode_image(file).pixels) for file in files]])


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_tensorflow_and_the_embedded_engine_agree(
    demo_models_dir: Path, name: str, prove: Callable[[str], None]
):
    version_dir = volume.version_dir(demo_models_dir, name, 1)
    images = images_to_compare()
    signature = tf.saved_model.load(str(version_dir)).signatures[SIGNATURE_NAME]
    expected = signature(**{INPUT_NAME: tf.constant(images)})[OUTPUT_NAME].numpy()
    actual = Engine().load(version_dir).infer({INPUT_NAME: images})[OUTPUT_NAME]
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    assert np.ptp(expected[:, 0]) > 0.1, "the model gives almost the same answer for all images"
    difference = np.abs(actual - expected).max()
    prove(f"{name}: OpenVINO and TensorFlow differ by {difference:.1e} on {len(images)} images")
