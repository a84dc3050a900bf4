"""Shared by the training commands: error handling and the final table."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from covidscan.command_line.output import fail, say
from covidscan.command_line.tables import add_text_row
from covidscan.exit_codes import BAD_USE, FAILURE, INTERRUPTED
from covidscan.logs import configure_logging

if TYPE_CHECKING:
    from trainer.evaluation.evaluation import Evaluation

_COLUMNS: Final = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "auroc": "AUROC",
    "ece": "ECE",
}


@contextmanager
def run_trainer() -> Iterator[None]:
    """Run the body. Turns errors of the trainer into a one-line message and an exit code."""
    if importlib.util.find_spec("tensorflow") is None:
        fail("TensorFlow is not installed; run: pip install 'covidscan[trainer]'", BAD_USE)
    from serving.errors import ServingError
    from trainer.errors import DatasetError, RecipeError, RunError, TrainerError

    configure_logging()
    try:
        yield
    except (DatasetError, RecipeError, RunError, ServingError) as error:
        fail(str(error), BAD_USE)
    except TrainerError as error:
        fail(str(error), FAILURE)
    except KeyboardInterrupt:
        say("covidscan: stopped; no unfinished model was published", err=True)
        raise typer.Exit(INTERRUPTED) from None


def print_evaluations(evaluations: "Sequence[Evaluation]") -> None:
    """Print the metrics of each model on the held-out test set."""
    from rich.console import Console
    from rich.table import Table

    table = Table("Model", "Version", *_COLUMNS.values())
    for each in evaluations:
        add_text_row(
            table,
            each.name,
            "" if each.version is None else str(each.version),
            *(f"{each.metrics[column]:.3f}" for column in _COLUMNS),
        )
    Console().print(table)
