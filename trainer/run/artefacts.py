"""Writes a trained CNN as files for people: weights, graph, and both together."""

from pathlib import Path

import keras

from trainer.errors import RunError


def write_artefacts(model: keras.Model, directory: Path) -> None:
    """Write ``<name>.weights.h5``, ``<name>.json`` and ``<name>.keras``.

    ``keras.models.model_from_json`` with the first two files, or ``keras.models.load_model`` with
    the third, restores the served model.

    Raises:
        RunError: the folder cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        model.save_weights(directory / f"{model.name}.weights.h5")
        (directory / f"{model.name}.json").write_text(model.to_json(indent=1))
        model.save(directory / f"{model.name}.keras")
    except OSError as error:
        raise RunError(
            f"cannot write to {directory}: {error.strerror}; make room and add --resume"
        ) from error
