"""``covidscan cross-validate``."""

from pathlib import Path
from typing import Annotated

import typer

from covidscan.commands.failure import say
from covidscan.commands.training_report import print_evaluations, run_trainer


def cross_validate(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of training runs, each of another --fold.")
    ],
    dataset: Annotated[Path, typer.Option(help="The folder that they were trained on.")],
    groups: Annotated[
        Path | None, typer.Option(help="CSV: file, patient. Intervals are then of patients.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="For the report.", show_default="a new one in runs/")
    ] = None,
) -> None:
    """Report on the test parts of several runs as one: cross-validation."""
    with run_trainer():
        from trainer import cross_validation

        result = cross_validation.cross_validate(
            cross_validation.CrossValidationRequest(
                dataset_dir=dataset, runs=runs, groups_file=groups, run_dir=run_dir
            )
        )
    print_evaluations(result.evaluations)
    say(f"report: {result.run_dir / 'report.html'}")
