"""Several devices share each batch. Two logical CPUs replace two GPUs."""

import os
import subprocess
import sys
from pathlib import Path

from serving import volume
from trainer.demo.dataset import write_phantoms

SCRIPT = """
import sys
from pathlib import Path

import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, halves)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

from tests.narrow_backbones import use_narrow_backbones
from trainer.dataset.split_options import SplitOptions
from trainer.errors import RecipeError
from trainer.pipeline import train_and_publish
from trainer.plan import Plan
from trainer.recipe import Recipe
from trainer.training import hardware

hardware.strategy = lambda: strategy
use_narrow_backbones()


def train(batch_size: int) -> None:
    recipe = Recipe(weights="none", epochs=1, batch_size=batch_size, precise_batch_norm=True)
    train_and_publish(
        Plan(
            dataset_dir=Path(sys.argv[1]) / "dataset",
            models_dir=Path(sys.argv[1]) / "models",
            run_dir=Path(sys.argv[1]) / f"run-{batch_size}",
            recipes={"vgg16": recipe},
            split=SplitOptions(test_share=0.4, validation_share=0.3),
            force=True,
        )
    )


try:
    train(batch_size=7)
except RecipeError as error:
    print(error)
train(batch_size=8)
"""


def test_two_devices_train_a_model_together(tmp_path: Path, repository: Path):
    write_phantoms(tmp_path / "dataset", seed=0, per_class=24)
    training = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(repository)},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert training.returncode == 0, training.stderr
    assert "2 GPUs cannot share a batch of 7 evenly" in training.stdout
    assert volume.versions(tmp_path / "models", "vgg16") == [1]
