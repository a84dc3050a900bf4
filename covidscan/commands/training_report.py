"""What the training commands share: how they fail, and the table they end with."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from covidscan.commands.failure import BAD_USE, FAILURE, fail
from covidscan.logs import configure_logging

if TYPE_CHECKING:
    from trainer.pipeline import Result


@contextmanager
def run_trainer() -> Iterator[None]:
    """Run the body; end the command in one line where the trainer says that it cannot go on."""
    if importlib.util.find_spec("tensorflow") is None:
        fail("TensorFlow is not installed; run: pip install 'covidscan[trainer]'", BAD_USE)
    from serving.errors import VolumeError
    from trainer.errors import DatasetError, TrainerError

    configure_logging()
    try:
        yield
    except (DatasetError, VolumeError) as error:
        fail(str(error), BAD_USE)
    except TrainerError as error:
        fail(str(error), FAILURE)


def print_results(results: "Sequence[Result]") -> None:
    """Print each model's metrics on its held-out test part."""
    from rich.console import Console
    from rich.table import Table

    columns = list(results[0].metrics)
    table = Table("Model", "Version", *(column.capitalize() for column in columns))
    for result in results:
        table.add_row(
            result.name,
            "" if result.version is None else str(result.version),
            *(f"{result.metrics[column]:.3f}" for column in columns),
        )
    Console().print(table)
