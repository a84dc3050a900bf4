"""``covidscan train``."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from covidscan.command_line.model_name import ModelName
from covidscan.command_line.options import LabelledDataset, ModelsDir
from covidscan.command_line.output import fail, say
from covidscan.command_line.recipe_options import with_recipe_options
from covidscan.command_line.training import print_evaluations, run_trainer
from covidscan.exit_codes import FAILURE
from serving.contract import MODEL_NAMES
from serving.volume import DEFAULT_MODELS_DIR
from trainer.dataset.split_options import DEFAULT_SEED, SplitKind, SplitOptions
from trainer.recipe import DEFAULT_RECIPE, NAMED_RECIPES, read_recipes

_SPLIT = "Split"
_DEFAULT_SPLIT: Final = SplitOptions()


@with_recipe_options
def train(
    dataset: LabelledDataset,
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
    model: Annotated[
        list[ModelName] | None,
        typer.Option(help="Which CNN; repeatable.", show_default="all three"),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(NAMED_RECIPES)}, or the path of a TOML file.",
            rich_help_panel="Recipe",
        ),
    ] = DEFAULT_RECIPE,
    weights_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the ImageNet weights. Without it, they are downloaded.",
            rich_help_panel="Recipe",
        ),
    ] = None,
    split: Annotated[
        SplitKind,
        typer.Option(
            help="Random, by blocks of file numbers, by patients (--groups), or from file lists.",
            rich_help_panel=_SPLIT,
        ),
    ] = _DEFAULT_SPLIT.kind,
    test_share: Annotated[
        float,
        typer.Option(
            min=0.01, max=0.9, help="Share of all images for testing.", rich_help_panel=_SPLIT
        ),
    ] = _DEFAULT_SPLIT.test_share,
    validation_share: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.9,
            help="Share of the remaining images for validation.",
            rich_help_panel=_SPLIT,
        ),
    ] = _DEFAULT_SPLIT.validation_share,
    fold: Annotated[
        int,
        typer.Option(
            min=0, help="Index of the test set, for cross-validation.", rich_help_panel=_SPLIT
        ),
    ] = _DEFAULT_SPLIT.fold,
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns file and patient.", rich_help_panel=_SPLIT),
    ] = None,
    train_files: Annotated[
        list[Path] | None,
        typer.Option(
            help="Text file that lists images, one per line; repeatable.", rich_help_panel=_SPLIT
        ),
    ] = None,
    validation_files: Annotated[
        list[Path] | None,
        typer.Option(
            help="Like --train-files. Without it, a share of the training images.",
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    test_files: Annotated[
        list[Path] | None, typer.Option(help="Like --train-files.", rich_help_panel=_SPLIT)
    ] = None,
    min_sensitivity: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Lowest sensitivity of the operating point.", show_default="Youden's"
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed for split and training.")
    ] = DEFAULT_SEED,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for checkpoints, artefacts and report.",
            show_default="a new one in runs/",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a stopped run that had the same options.")
    ] = False,
    publish: Annotated[
        bool, typer.Option(help="Publish the models, or only measure, as in cross-validation.")
    ] = True,
    force: Annotated[
        bool,
        typer.Option("--force", help="Publish even if the publication gate objects."),
    ] = False,
    **overrides: Any,  # noqa: ANN401
) -> None:
    """Train CNNs on your own images, report how good they are, and publish them."""
    with run_trainer():
        from trainer.native_output import start_tensorflow

        recipes = read_recipes(recipe, [str(name) for name in model or MODEL_NAMES], overrides)

        start_tensorflow()
        from trainer.pipeline import train_and_publish
        from trainer.plan import Plan

        outcome = train_and_publish(
            Plan(
                dataset_dir=dataset,
                models_dir=models_dir,
                recipes=recipes,
                split=SplitOptions(
                    kind=split,
                    seed=seed,
                    test_share=test_share,
                    validation_share=validation_share,
                    fold=fold,
                    groups_file=groups,
                    train_files=train_files or (),
                    validation_files=validation_files or (),
                    test_files=test_files or (),
                ),
                seed=seed,
                weights_dir=weights_dir,
                run_dir=run_dir,
                resume=resume,
                min_sensitivity=min_sensitivity,
                publish=publish,
                force=force,
            )
        )
    print_evaluations(outcome.evaluations)
    say(f"report: {outcome.run_dir / 'report.html'}")
    if outcome.objections:
        fail(_describe_objections(outcome.objections), FAILURE)


def _describe_objections(objections: dict[str, list[str]]) -> str:
    reasons = [f"{name}: {'; '.join(each)}" for name, each in objections.items()]
    return f"not published (--force overrules) - {'. '.join(reasons)}"
