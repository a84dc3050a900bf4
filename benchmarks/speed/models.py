"""Trains the models that all contenders serve, once: for the product and as Keras saves them.

python -m benchmarks.speed.models DIR
"""

import argparse
import shutil
from pathlib import Path

from serving.contract import MODEL_NAMES
from trainer.dataset.split_options import SplitOptions
from trainer.demo.dataset import write_phantoms
from trainer.demo.defaults import DEFAULT_SEED
from trainer.demo.models import MIN_ACCURACY
from trainer.pipeline import train_and_publish
from trainer.plan import Plan
from trainer.recipe import read_recipes


def main() -> None:
    """Train the demo models if they are missing: ``volume/`` and ``keras/``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    if all((directory / "keras" / f"{name}.keras").is_file() for name in MODEL_NAMES):
        return
    phantoms, run = directory / "phantoms", directory / "run"
    write_phantoms(phantoms, seed=DEFAULT_SEED)
    train_and_publish(
        Plan(
            dataset_dir=phantoms,
            models_dir=directory / "volume",
            recipes=read_recipes("demo", MODEL_NAMES),
            split=SplitOptions(seed=DEFAULT_SEED),
            seed=DEFAULT_SEED,
            run_dir=run,
            min_accuracy=MIN_ACCURACY,
            demo=True,
        )
    )
    for name in MODEL_NAMES:
        target = directory / "keras" / f"{name}.keras"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(run / name / target.name, target)


if __name__ == "__main__":
    main()
