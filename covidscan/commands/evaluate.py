"""``covidscan evaluate``."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from covidscan.commands.failure import BAD_USE, fail, say
from covidscan.commands.model_name import ModelName
from covidscan.commands.training_report import print_evaluations, run_trainer


def evaluate(
    dataset: Annotated[
        Path, typer.Option(help="A folder with COVID/ and non-COVID/, full of images.")
    ],
    models_dir: Annotated[
        Path, typer.Option(envvar="COVIDSCAN_MODELS_DIR", help="The versioned volume.")
    ] = Path("models"),
    model: Annotated[
        list[ModelName] | None,
        typer.Option(help="Which CNN; repeatable.", show_default="all that are published"),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(help="Only images listed here, one a line, as COVID/a.png; repeatable."),
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV: file, patient. Intervals are then of patients.")
    ] = None,
    operating_point: Annotated[
        float | None,
        typer.Option(
            min=0.000001,
            max=0.999999,
            help="From which probability on.",
            show_default="each model's own, 0.5 for the ensemble",
        ),
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="For the report.", show_default="a new one in runs/")
    ] = None,
) -> None:
    """Measure the published models on labelled images, exactly as they are served."""
    with run_trainer():
        if importlib.util.find_spec("openvino") is None:
            fail("OpenVINO is not installed; run: pip install 'covidscan[embedded]'", BAD_USE)
        from trainer.evaluate_published import EvaluationRequest, evaluate_published

        result = evaluate_published(
            EvaluationRequest(
                dataset_dir=dataset,
                models_dir=models_dir,
                names=[str(name) for name in model or ()],
                files=files or (),
                groups_file=groups,
                operating_point=operating_point,
                run_dir=run_dir,
            )
        )
    print_evaluations(result.evaluations)
    say(f"report: {result.run_dir / 'report.html'}")
