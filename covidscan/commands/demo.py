"""``covidscan demo``."""

from pathlib import Path
from typing import Annotated

import typer

from covidscan.command_line.options import ModelsDir
from covidscan.command_line.output import fail
from covidscan.command_line.training import print_evaluations, run_trainer
from covidscan.exit_codes import FAILURE
from serving import volume
from serving.contract import MODEL_NAMES
from serving.volume import DEFAULT_MODELS_DIR
from trainer.demo.defaults import DEFAULT_SEED, PHANTOMS_DIR


def demo(
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
    dataset_dir: Annotated[Path, typer.Option(help="Folder for the phantoms.")] = PHANTOMS_DIR,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for all steps.")] = DEFAULT_SEED,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Train only models that have no version yet.")
    ] = False,
) -> None:
    """Draw CT-like phantoms, train the three CNNs on them from scratch, and publish them.

    Takes a few minutes on two cores. Demo models say nothing about patients, and each of their
    answers says so.
    """
    names = volume.missing(models_dir, MODEL_NAMES) if if_missing else list(MODEL_NAMES)
    if not names:
        typer.echo(f"every model has a version in {models_dir}")
        return
    with run_trainer():
        # Checked before TensorFlow is loaded, which may take most of a minute on a busy machine.
        volume.check_writable(models_dir, *names)
        from trainer.native_output import start_tensorflow

        start_tensorflow()
        from trainer.demo.models import make_demo

        outcome = make_demo(dataset_dir, models_dir, names, seed=seed)
    print_evaluations(outcome.evaluations)
    if outcome.objections:
        fail(f"not published: {', '.join(outcome.objections)}", FAILURE)
