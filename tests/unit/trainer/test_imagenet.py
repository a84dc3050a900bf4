"""ImageNet weights are read from a folder, and the adapter outputs the pixels they expect."""

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.applications import VGG16, ResNet50, Xception, resnet, vgg16, xception
from keras.layers import GlobalAveragePooling2D
from keras.src.legacy.saving import legacy_h5_format

from serving.contract import MODEL_NAMES
from trainer import imagenet
from trainer.architectures import build
from trainer.errors import RecipeError
from trainer.recipe import Recipe

ARCHITECTURES = {"vgg16": VGG16, "resnet50": ResNet50, "xception": Xception}
PREPROCESS = {
    "vgg16": vgg16.preprocess_input,
    "resnet50": resnet.preprocess_input,
    "xception": xception.preprocess_input,
}


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in files such as keras.applications would download."""
    directory = tmp_path_factory.mktemp("weights")
    for name, architecture in ARCHITECTURES.items():
        with h5py.File(directory / imagenet.file_name(name), "w") as file:
            backbone = architecture(weights=None, include_top=False)
            legacy_h5_format.save_weights_to_hdf5_group(file, backbone)
    return directory


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_whole_backbone_starts_with_the_imagenet_weights(name: str, weights_dir: Path):
    path = str(weights_dir / imagenet.file_name(name))
    published = ARCHITECTURES[name](weights=path, include_top=False)
    model = build(name, Recipe(weights="imagenet"), weights_dir=weights_dir)
    pooling = next(layer for layer in model.layers if isinstance(layer, GlobalAveragePooling2D))
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    features = keras.Model(model.input, pooling.input)(images)
    expected = published(model.get_layer("adapter")(images))
    assert np.asarray(expected).std() > 0
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_with_zero_init_residual_the_adapter_outputs_the_pixels_the_weights_expect(
    name: str, weights_dir: Path
):
    recipe = Recipe(weights="imagenet", initialisation="zero-init-residual")
    model = build(name, recipe, weights_dir=weights_dir)
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    adapted = model.get_layer("adapter")(images)
    np.testing.assert_allclose(adapted, PREPROCESS[name](images * 255), rtol=1e-4, atol=1e-3)


def test_a_damaged_weights_file_is_rejected_with_a_remedy(tmp_path: Path):
    (tmp_path / imagenet.file_name("vgg16")).write_bytes(b"damaged")
    with pytest.raises(RecipeError, match="--weights-dir, or train without them"):
        build("vgg16", Recipe(weights="imagenet"), weights_dir=tmp_path)
