"""``covidscan cross-validate``."""

from pathlib import Path
from typing import Annotated

import typer

from covidscan.command_line.options import PatientGroups, ReportDir
from covidscan.command_line.output import say
from covidscan.command_line.training import print_evaluations, run_trainer


def cross_validate(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of training runs, one for each --fold.")
    ],
    dataset: Annotated[Path, typer.Option(help="The folder that they were trained on.")],
    groups: PatientGroups = None,
    run_dir: ReportDir = None,
) -> None:
    """Cross-validate: report on the test sets of several runs together."""
    with run_trainer():
        from trainer.evaluation import cross_validation

        result = cross_validation.cross_validate(
            cross_validation.CrossValidationRequest(
                dataset_dir=dataset, runs=runs, groups_file=groups, run_dir=run_dir
            )
        )
    print_evaluations(result.evaluations)
    say(f"report: {result.run_dir / 'report.html'}")
