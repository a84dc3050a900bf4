"""A checkpoint is complete or absent, and training resumes from it where it stopped."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from trainer.errors import RunError
from trainer.training.checkpoint import BestWeights, Checkpoints


def make_model() -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def train_one_step(model: keras.Model) -> None:
    model.train_on_batch(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32))


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def test_the_history_is_empty_before_the_first_epoch(checkpoints: Checkpoints):
    assert checkpoints.history() == []


def test_weights_and_optimizer_moments_are_restored(checkpoints: Checkpoints):
    model, other = make_model(), make_model()
    train_one_step(model)
    checkpoints.save(model, [{"loss": 1.0}], best=True)
    checkpoints.restore_last(other, checkpoints.history())
    train_one_step(model)
    train_one_step(other)
    for one, same in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert checkpoints.history() == [{"loss": 1.0}]


def test_the_best_epoch_is_kept_besides_the_last(checkpoints: Checkpoints):
    model = make_model()
    train_one_step(model)
    best = model.get_weights()
    checkpoints.save(model, [{"loss": 1.0}], best=True)
    train_one_step(model)
    checkpoints.save(model, [{"loss": 1.0}, {"loss": 2.0}], best=False)
    assert len(list(checkpoints.directory.glob("epoch-*"))) == 1
    checkpoints.restore_best(model)
    np.testing.assert_array_equal(model.get_weights()[0], best[0])


def test_partially_written_files_are_ignored(checkpoints: Checkpoints):
    model = make_model()
    train_one_step(model)
    checkpoints.save(model, [{"loss": 1.0}], best=True)
    (checkpoints.directory / "epoch-0002.weights.h5").write_bytes(b"half a fi")
    (checkpoints.directory / ".history.json").write_text("[{")
    assert checkpoints.history() == [{"loss": 1.0}]
    checkpoints.restore_last(make_model(), checkpoints.history())


def test_a_finished_training_keeps_only_its_best_epoch(checkpoints: Checkpoints):
    model = make_model()
    train_one_step(model)
    checkpoints.save(model, [{"loss": 1.0}], best=True)
    checkpoints.finish()
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == [
        "best.weights.h5",
        "history.json",
    ]
    checkpoints.restore_best(make_model())


@pytest.mark.parametrize("name", ["history.json", "epoch-0001.weights.h5"])
def test_a_damaged_checkpoint_raises_a_run_error(checkpoints: Checkpoints, name: str):
    model = make_model()
    train_one_step(model)
    checkpoints.save(model, [{"loss": 1.0}], best=True)
    (checkpoints.directory / name).write_text("damaged")
    with pytest.raises(RunError, match="cannot be read; start a new run"):
        checkpoints.restore_last(model, checkpoints.history())


def test_training_can_resume_from_the_previous_epoch_after_a_full_disk(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
):
    model = make_model()
    train_one_step(model)
    checkpoints.save(model, [{"loss": 1.0}], best=True)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
        with pytest.raises(RunError, match="No space left on device; make room and add --resume"):
            checkpoints.save(model, [{"loss": 1.0}, {"loss": 0.5}], best=True)
    assert checkpoints.history() == [{"loss": 1.0}]
    checkpoints.restore_last(make_model(), checkpoints.history())
    checkpoints.restore_best(make_model())


def test_the_best_weights_are_kept_in_memory():
    model, kept = make_model(), BestWeights()
    train_one_step(model)
    best = model.get_weights()
    kept.save(model, [{"loss": 1.0}], best=True)
    train_one_step(model)
    kept.save(model, [{"loss": 1.0}, {"loss": 2.0}], best=False)
    kept.restore_best(model)
    for one, same in zip(model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(one, same)
