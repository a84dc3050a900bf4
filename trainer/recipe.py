"""A recipe: everything that decides how a model is trained."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.contract import MODEL_NAMES
from trainer.errors import RecipeError

NAMED_RECIPES: Final = ("reference", "robust", "demo")
"""The files in ``trainer/recipes/``, each a template for one's own."""

DEFAULT_RECIPE: Final = "reference"


class Recipe(BaseModel):
    """How one CNN is trained. The defaults are the reference recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: Literal["imagenet", "none"] = Field(
        "imagenet", description="What the backbone starts from."
    )
    initialisation: Literal["keras", "zero-init-residual"] = Field(
        "keras",
        description="Of what starts from nothing: as Keras has it, or such that deep networks"
        " learn from the first step on (docs/decisions/0006).",
    )
    epochs: int = Field(50, ge=1, description="Passes over the training images.")
    batch_size: int = Field(32, ge=2, description="Images a step.")
    learning_rate: float = Field(0.003, gt=0, description="At its highest.")
    beta_1: float = Field(0.9, ge=0, lt=1, description="Adam's decay of the first moment.")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Adam's decay of the second moment.")
    epsilon: float = Field(0.1, gt=0, description="Adam's, added to the root of the moment.")
    weight_decay: float = Field(
        0.0, ge=0, description="Decoupled from the gradient, as in AdamW; kernels only."
    )
    clip_norm: float = Field(
        0.0, ge=0, description="Shorten a step's whole gradient to this length; 0 for never."
    )
    schedule: Literal["plateau", "cosine", "constant"] = Field(
        "plateau", description="How the learning rate falls."
    )
    warmup_share: float = Field(
        0.0, ge=0, lt=1, description="Cosine: share of all steps over which it first rises."
    )
    plateau_factor: float = Field(
        0.7, gt=0, lt=1, description="Plateau: what multiplies it when validation stands still."
    )
    plateau_patience: int = Field(5, ge=1, description="Plateau: epochs to wait before that.")
    min_learning_rate: float = Field(1e-4, ge=0, description="Where it stops falling.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of each label that is spread over both classes."
    )
    batch_norm_momentum: float = Field(
        0.99, ge=0, lt=1, description="Of batch normalisation's moving averages."
    )
    precise_batch_norm: bool = Field(
        False, description="Measure the moving averages anew before each validation."
    )
    select_by: Literal["accuracy", "loss"] = Field(
        "accuracy", description="What of validation picks the epoch that is kept."
    )
    select_from: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the epochs before those that it picks from: a good epoch while the"
        " learning rate is still high is often good by chance.",
    )
    flip_horizontal: bool = Field(True, description="Mirror left and right, at random.")
    flip_vertical: bool = Field(True, description="Mirror top and bottom, at random.")
    rotation_degrees: float = Field(360.0, ge=0, le=360, description="Turn, to either side.")
    shift: float = Field(0.1, ge=0, lt=1, description="Move, as a share of height and width.")
    zoom: float = Field(0.1, ge=0, lt=1, description="In and out, as a share.")
    brightness: float = Field(0.0, ge=0, le=1, description="Add up to this much, or take it away.")
    contrast: float = Field(0.0, ge=0, lt=1, description="Stretch round the mean, as a share.")
    gamma: float = Field(
        0.0, ge=0, le=2, description="Raise pixels to a power of up to exp(gamma), or its inverse."
    )
    mixup: float = Field(
        0.0, ge=0, le=1, description="Blend pairs of images and labels, by Beta(mixup, mixup)."
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Paste a patch of another image, and of labels that share: by Beta(a, a), a of"
        " each batch at most this.",
    )
    fill: Literal["nearest", "constant", "reflect"] = Field(
        "nearest", description="What is moved in from outside: the edge, black, or a mirror image."
    )
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="Compute in 16 bits; auto: where GPU or CPU gains by it."
    )

    def changed(self, **options: Any) -> Self:  # noqa: ANN401
        """This recipe with some options changed.

        Raises:
            RecipeError: an option is unknown or out of its range.
        """
        try:
            return type(self)(**{**self.model_dump(), **options})
        except ValidationError as error:
            raise RecipeError(_describe(error)) from error


def read_recipes(
    source: str, names: Sequence[str], overrides: Mapping[str, Any] | None = None
) -> dict[str, Recipe]:
    """Read the recipe of each CNN.

    A recipe file is TOML: options at its top hold for every CNN, those in a table ``[vgg16]`` for
    that one. What it leaves out is as in the reference recipe.

    Args:
        source: one of ``NAMED_RECIPES``, or the path of a recipe file.
        names: of the CNNs that are wanted.
        overrides: options that hold for all of them, whatever the file says.

    Raises:
        RecipeError: there is no such recipe, or it is not one.
    """
    options = _read_toml(source)
    tables = {key: value for key, value in options.items() if isinstance(value, dict)}
    shared = {key: value for key, value in options.items() if key not in tables}
    strangers = set(tables) - set(MODEL_NAMES)
    if strangers:
        raise RecipeError(f"{source}: [{min(strangers)}] is none of {', '.join(MODEL_NAMES)}")
    try:
        return {
            name: Recipe().changed(**{**shared, **tables.get(name, {}), **(overrides or {})})
            for name in names
        }
    except RecipeError as error:
        raise RecipeError(f"recipe {source}: {error}") from error


def _read_toml(source: str) -> dict[str, Any]:
    try:
        if source in NAMED_RECIPES:
            text = resources.files("trainer").joinpath("recipes", f"{source}.toml").read_text()
        else:
            text = Path(source).read_text()
        return tomllib.loads(text)
    except OSError as error:
        raise RecipeError(
            f"no recipe {source}: give the path of a recipe file, or one of"
            f" {', '.join(NAMED_RECIPES)}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{source} is not TOML: {error}") from error


def _describe(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}" for fault in error.errors()
    ]
    return "; ".join(faults)
