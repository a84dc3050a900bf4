"""``covidscan train``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from covidscan.commands.training_report import print_results, run_trainer
from serving.contract import MODEL_NAMES


class ModelName(StrEnum):
    """The CNNs, as the contract names them."""

    VGG16 = "vgg16"
    RESNET50 = "resnet50"
    XCEPTION = "xception"


class Weights(StrEnum):
    """What a backbone starts from."""

    NONE = "none"
    IMAGENET = "imagenet"


def train(
    dataset: Annotated[
        Path, typer.Option(help="A folder with COVID/ and non-COVID/, full of images.")
    ],
    models_dir: Annotated[
        Path, typer.Option(envvar="COVIDSCAN_MODELS_DIR", help="The versioned volume.")
    ] = Path("models"),
    model: Annotated[
        list[ModelName] | None, typer.Option(help="Which CNN; repeatable. [default: all three]")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 40,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0, help="At its highest.")] = 1e-3,
    weights: Annotated[Weights, typer.Option(help="imagenet downloads Keras' own.")] = Weights.NONE,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of training.")] = 42,
) -> None:
    """Train CNNs on your own images and publish each as the next version of its model."""
    with run_trainer():
        from trainer.pipeline import train_and_publish
        from trainer.recipe import Recipe

        recipe = Recipe(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weights=weights.value,
        )
        recipes = {str(name): recipe for name in model or MODEL_NAMES}
        results = train_and_publish(dataset, models_dir, recipes, seed=seed)
    print_results(results)
