"""Recipes: the training options, and the TOML files that set them."""

from pathlib import Path

import pytest

from serving.contract import MODEL_NAMES
from trainer.errors import RecipeError
from trainer.recipe import NAMED_RECIPES, Recipe, read_recipes


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_the_default_is_the_reference_recipe():
    recipe = Recipe()
    assert (recipe.weights, recipe.initialisation) == ("imagenet", "keras")
    assert (recipe.learning_rate, recipe.beta_1, recipe.beta_2) == (0.003, 0.9, 0.999)
    assert (recipe.epsilon, recipe.weight_decay, recipe.label_smoothing) == (0.1, 0, 0)
    assert (recipe.schedule, recipe.plateau_factor, recipe.plateau_patience) == ("plateau", 0.7, 5)
    assert (recipe.min_learning_rate, recipe.select_by) == (1e-4, "accuracy")
    assert (recipe.rotation_degrees, recipe.flip_horizontal, recipe.flip_vertical) == (
        360,
        True,
        True,
    )
    assert recipe.shift > 0
    assert recipe.zoom > 0
    assert read_recipes("reference", MODEL_NAMES) == dict.fromkeys(MODEL_NAMES, recipe)


@pytest.mark.parametrize("name", NAMED_RECIPES)
def test_each_named_recipe_covers_every_model(name: str):
    assert set(read_recipes(name, MODEL_NAMES)) == set(MODEL_NAMES)


def test_only_the_reference_recipe_needs_imagenet_weights():
    weights = {
        name: {each.weights for each in read_recipes(name, MODEL_NAMES).values()}
        for name in NAMED_RECIPES
    }
    assert weights == {"reference": {"imagenet"}, "robust": {"none"}, "demo": {"none"}}


def test_a_table_applies_to_one_model_and_top_level_keys_to_all(tmp_path: Path):
    source = write(tmp_path / "own.toml", "epochs = 7\nzoom = 0.3\n[vgg16]\nepochs = 9\n")
    recipes = read_recipes(source, ["vgg16", "resnet50"])
    assert recipes["vgg16"] == Recipe().changed(epochs=9, zoom=0.3)
    assert recipes["resnet50"] == Recipe().changed(epochs=7, zoom=0.3)


def test_explicit_options_override_the_file(tmp_path: Path):
    source = write(tmp_path / "own.toml", "epochs = 7\n[vgg16]\nepochs = 9\n")
    assert read_recipes(source, ["vgg16"], {"epochs": 2})["vgg16"].epochs == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 7", "epoch: extra inputs are not permitted"),
        ("epochs = 0", "epochs: input should be greater than or equal to 1"),
        ('epochs = "many"', "epochs: input should be a valid integer"),
        ('schedule = "linear"', "schedule: input should be 'plateau'"),
        ("[alexnet]\nepochs = 7", r"\[alexnet\] is none of vgg16, resnet50, xception"),
        ("[vgg16]\nepoch = 7", "epoch: extra inputs are not permitted"),
        ("vgg16 = 7", "vgg16: extra inputs are not permitted"),
        ("epochs = 0\nzoom = 2.0", "epochs: .*; zoom: input should be less than 1"),
        ("epochs 7", r"own\.toml is not TOML"),
    ],
)
def test_an_invalid_recipe_is_rejected_with_the_reason(tmp_path: Path, text: str, message: str):
    with pytest.raises(RecipeError, match=message):
        read_recipes(write(tmp_path / "own.toml", text), ["vgg16"])


def test_an_unknown_recipe_is_rejected_with_the_names_of_the_known_ones():
    with pytest.raises(RecipeError, match=r"no recipe fast: .* reference, robust, demo"):
        read_recipes("fast", ["vgg16"])


def test_the_error_names_the_invalid_file(tmp_path: Path):
    source = write(tmp_path / "own.toml", "epochs = 0")
    with pytest.raises(RecipeError, match=r"own\.toml: epochs: "):
        read_recipes(source, ["vgg16"])


def test_explicit_options_are_validated(tmp_path: Path):
    source = write(tmp_path / "own.toml", "epochs = 7")
    with pytest.raises(RecipeError, match="batch_size: input should be greater than or equal"):
        read_recipes(source, ["vgg16"], {"batch_size": 1})
    with pytest.raises(RecipeError, match="batches: extra inputs are not permitted"):
        read_recipes(source, ["vgg16"], {"batches": 8})


def test_a_binary_file_is_rejected_by_name(tmp_path: Path):
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"own\.toml is not TOML"):
        read_recipes(str(tmp_path / "own.toml"), ["vgg16"])


def test_a_folder_is_rejected_as_a_recipe(tmp_path: Path):
    with pytest.raises(RecipeError, match="give the path of a recipe file"):
        read_recipes(str(tmp_path), ["vgg16"])
