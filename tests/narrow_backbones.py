"""VGG16 and ResNet50 with few layers and channels, for tests that are not about the networks.

The layers that other modules look for have the names of keras.applications.
"""

import runpy
from typing import Any

import keras
from keras import layers

from trainer import architectures


def _plain(*, input_tensor: keras.KerasTensor, **_: Any) -> keras.Model:
    features = input_tensor
    for block, channels in enumerate((16, 16, 16), start=1):
        features = layers.Conv2D(channels, 3, padding="same", activation="relu")(features)
        features = layers.MaxPooling2D(name=f"block{block}_pool")(features)
    return keras.Model(keras.utils.get_source_inputs(input_tensor), features)


def _residual(*, input_tensor: keras.KerasTensor, **_: Any) -> keras.Model:
    features = layers.Conv2D(16, 7, strides=2, padding="same")(input_tensor)
    features = layers.MaxPooling2D(name="pool1_pool")(features)
    for block in (1, 2):
        branch = layers.Conv2D(8, 3, padding="same", activation="relu")(features)
        branch = layers.Conv2D(16, 1)(branch)
        branch = layers.BatchNormalization(name=f"conv2_block{block}_3_bn")(branch)
        features = layers.ReLU()(layers.Add()([features, branch]))
    return keras.Model(keras.utils.get_source_inputs(input_tensor), features)


NARROW_BACKBONES = {"vgg16": _plain, "resnet50": _residual}


def use_narrow_backbones() -> None:
    """Let ``trainer.architectures.build`` use them until the process ends."""
    architectures._BACKBONES.update(NARROW_BACKBONES)


if __name__ == "__main__":
    # python -m tests.narrow_backbones ARGUMENTS: the command ``covidscan`` with these networks.
    use_narrow_backbones()
    runpy.run_module("covidscan", run_name="__main__", alter_sys=True)
