"""``covidscan train``."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from covidscan.commands.failure import FAILURE, fail, say
from covidscan.commands.model_name import ModelName
from covidscan.commands.recipe_options import with_recipe_options
from covidscan.commands.training_report import print_evaluations, run_trainer
from serving.contract import MODEL_NAMES
from trainer.recipe import DEFAULT_RECIPE, read_recipes

SplitKind = Literal["random", "blocks", "groups", "files"]

_SPLIT = "Split"


@with_recipe_options
def train(
    dataset: Annotated[
        Path, typer.Option(help="A folder with COVID/ and non-COVID/, full of images.")
    ],
    models_dir: Annotated[
        Path, typer.Option(envvar="COVIDSCAN_MODELS_DIR", help="The versioned volume.")
    ] = Path("models"),
    model: Annotated[
        list[ModelName] | None,
        typer.Option(help="Which CNN; repeatable.", show_default="all three"),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="reference, robust, or a TOML file.", rich_help_panel="Recipe")
    ] = DEFAULT_RECIPE,
    weights_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where ImageNet weights lie; without it they are downloaded.",
            rich_help_panel="Recipe",
        ),
    ] = None,
    split: Annotated[
        SplitKind,
        typer.Option(
            help="At random, by blocks of file numbers, by patients (--groups), or as listed.",
            rich_help_panel=_SPLIT,
        ),
    ] = "random",
    test_share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Of all images.", rich_help_panel=_SPLIT)
    ] = 0.2,
    validation_share: Annotated[
        float,
        typer.Option(min=0.01, max=0.9, help="Of what is left.", rich_help_panel=_SPLIT),
    ] = 0.1,
    fold: Annotated[
        int,
        typer.Option(
            min=0, help="Which part is tested, for cross-validation.", rich_help_panel=_SPLIT
        ),
    ] = 0,
    groups: Annotated[
        Path | None, typer.Option(help="CSV: file, patient.", rich_help_panel=_SPLIT)
    ] = None,
    train_files: Annotated[
        list[Path] | None,
        typer.Option(help="Images, one a line; repeatable.", rich_help_panel=_SPLIT),
    ] = None,
    validation_files: Annotated[
        list[Path] | None,
        typer.Option(help="As --train-files; else a share of them.", rich_help_panel=_SPLIT),
    ] = None,
    test_files: Annotated[
        list[Path] | None, typer.Option(help="As --train-files.", rich_help_panel=_SPLIT)
    ] = None,
    min_sensitivity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of the operating point.", show_default="Youden's"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of training.")] = 42,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="For checkpoints, artefacts and report.", show_default="a new one in runs/"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run with these options stopped.")
    ] = False,
    publish: Annotated[
        bool, typer.Option(help="Publish, or only measure, as in cross-validation.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Publish in spite of what speaks against it.")
    ] = False,
    **overrides: Any,  # noqa: ANN401
) -> None:
    """Train CNNs on your own images, report what they are worth, and publish each of them."""
    with run_trainer():
        from trainer.native_output import start_tensorflow

        recipes = read_recipes(recipe, [str(name) for name in model or MODEL_NAMES], overrides)

        start_tensorflow()
        from trainer.dataset.split import SplitOptions
        from trainer.pipeline import Plan, train_and_publish

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
    reasons = [f"{name}: {'; '.join(against)}" for name, against in objections.items()]
    return f"not published (--force overrules) - {'. '.join(reasons)}"
