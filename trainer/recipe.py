"""A recipe: all settings of a model's training."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.contract import MODEL_NAMES
from trainer.errors import RecipeError

NAMED_RECIPES: Final = ("reference", "robust", "demo")
"""The files in ``trainer/recipes/``. Each can serve as a template for your own."""

DEFAULT_RECIPE: Final = "reference"


class Recipe(BaseModel):
    """How one CNN is trained. The defaults are the reference recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: Literal["imagenet", "none"] = Field(
        "imagenet", description="Initial weights of the backbone."
    )
    initialisation: Literal["keras", "zero-init-residual"] = Field(
        "keras",
        description="Initialisation of layers without pretrained weights: Keras' default, or one"
        " with which deep networks learn from the first step on (docs/decisions/0006).",
    )
    epochs: int = Field(50, ge=1, description="Passes over the training images.")
    batch_size: int = Field(32, ge=2, description="Images per step.")
    learning_rate: float = Field(0.003, gt=0, description="Highest learning rate.")
    beta_1: float = Field(0.9, ge=0, lt=1, description="Adam's decay rate of the first moment.")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Adam's decay rate of the second moment.")
    epsilon: float = Field(
        0.1, gt=0, description="Adam's epsilon, added to the root of the second moment."
    )
    weight_decay: float = Field(
        0.0, ge=0, description="Weight decay, decoupled as in AdamW; kernels only."
    )
    clip_norm: float = Field(
        0.0, ge=0, description="Clip the global norm of the gradient to this value; 0: never."
    )
    schedule: Literal["plateau", "cosine", "constant"] = Field(
        "plateau", description="Schedule of the learning rate."
    )
    warmup_share: float = Field(
        0.0, ge=0, lt=1, description="Cosine: share of all steps for the linear warm-up."
    )
    plateau_factor: float = Field(
        0.7,
        gt=0,
        lt=1,
        description="Plateau: factor for the learning rate when validation stops improving.",
    )
    plateau_patience: int = Field(
        5, ge=1, description="Plateau: epochs without improvement before that."
    )
    min_learning_rate: float = Field(1e-4, ge=0, description="Lowest learning rate.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of each label that is spread over both classes."
    )
    batch_norm_momentum: float = Field(
        0.99, ge=0, lt=1, description="Momentum of batch normalisation's moving averages."
    )
    precise_batch_norm: bool = Field(
        False, description="Recompute the moving averages before each validation."
    )
    select_by: Literal["accuracy", "loss"] = Field(
        "accuracy", description="Validation metric that selects the epoch to keep."
    )
    select_from: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the epochs to skip before selecting: a good epoch while the"
        " learning rate is still high is often good by chance.",
    )
    flip_horizontal: bool = Field(True, description="Mirror left and right at random.")
    flip_vertical: bool = Field(True, description="Mirror top and bottom at random.")
    rotation_degrees: float = Field(
        360.0, ge=0, le=360, description="Largest rotation, to either side."
    )
    shift: float = Field(
        0.1, ge=0, lt=1, description="Largest shift, as a share of height and width."
    )
    zoom: float = Field(0.1, ge=0, lt=1, description="Largest zoom in or out, as a share.")
    brightness: float = Field(
        0.0, ge=0, le=1, description="Largest value to add to or subtract from all pixels."
    )
    contrast: float = Field(
        0.0, ge=0, lt=1, description="Largest change of contrast around the mean, as a share."
    )
    gamma: float = Field(
        0.0, ge=0, le=2, description="Raise pixels to a power of up to exp(gamma), or its inverse."
    )
    mixup: float = Field(
        0.0, ge=0, le=1, description="Blend pairs of images and labels by Beta(mixup, mixup)."
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Paste a patch of another image, and the same share of its label; the share is"
        " drawn from Beta(a, a), where a is drawn for each batch, up to this value.",
    )
    fill: Literal["nearest", "constant", "reflect"] = Field(
        "nearest",
        description="What fills pixels outside the original image: the edge, black, or a mirror"
        " image.",
    )
    mixed_precision: Literal["auto", "on", "off"] = Field(
        "auto", description="Compute in 16 bits; auto: if the GPU or CPU benefits."
    )

    def changed(self, **options: Any) -> Self:  # noqa: ANN401
        """Return this recipe with some options changed.

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

    A recipe file is TOML. Options at the top level apply to every CNN, those in a table
    ``[vgg16]`` to that one. Omitted options are as in the reference recipe.

    Args:
        source: one of ``NAMED_RECIPES``, or the path of a recipe file.
        names: names of the CNNs.
        overrides: options that apply to all of them, whatever the file says.

    Raises:
        RecipeError: there is no such recipe, or it is invalid.
    """
    options = _read_toml(source)
    tables = {key: value for key, value in options.items() if isinstance(value, dict)}
    shared = {key: value for key, value in options.items() if key not in tables}
    unknown = set(tables) - set(MODEL_NAMES)
    if unknown:
        raise RecipeError(f"{source}: [{min(unknown)}] is none of {', '.join(MODEL_NAMES)}")
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
