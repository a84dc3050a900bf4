"""``covidscan evaluate``."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from covidscan.command_line.model_name import ModelName
from covidscan.command_line.options import (
    LabelledDataset,
    ModelsDir,
    PatientGroups,
    ReportDir,
)
from covidscan.command_line.output import fail, say
from covidscan.command_line.training import print_evaluations, run_trainer
from covidscan.exit_codes import BAD_USE
from serving.volume import DEFAULT_MODELS_DIR


def evaluate(
    dataset: LabelledDataset,
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
    model: Annotated[
        list[ModelName] | None,
        typer.Option(help="Which CNN; repeatable.", show_default="all that are published"),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            help="Text file that lists the images to use, one per line, such as COVID/a.png;"
            " repeatable."
        ),
    ] = None,
    groups: PatientGroups = None,
    operating_point: Annotated[
        float | None,
        typer.Option(
            min=0.000001,
            max=0.999999,
            help="Probability from which an image counts as COVID.",
            show_default="each model's own, 0.5 for the ensemble",
        ),
    ] = None,
    run_dir: ReportDir = None,
) -> None:
    """Measure the published models on labelled images, exactly as they are served."""
    with run_trainer():
        if importlib.util.find_spec("openvino") is None:
            fail("OpenVINO is not installed; run: pip install 'covidscan[embedded]'", BAD_USE)
        from trainer.evaluation.published import EvaluationRequest, evaluate_published

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
