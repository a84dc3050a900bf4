"""Cross-validation: evaluates the test sets of several runs together.

A single test set has few patients, and model performance on it depends largely on which ones. If
each run holds out a different part, every image of the dataset is evaluated once, by models that
did not learn from it (Stone 1974, J. R. Stat. Soc. B 36(2)).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serving.contract import CLASS_NAMES, POSITIVE_CLASS_INDEX
from trainer.dataset.images import LabelledImages, list_dataset, load_images
from trainer.dataset.leakage import Baselines
from trainer.dataset.lists import read_patients
from trainer.dataset.name_index import NameIndex
from trainer.errors import RunError
from trainer.evaluation.evaluation import Evaluation, evaluate
from trainer.evaluation.metrics import Probabilities
from trainer.evaluation.report import METRICS_FILE, PREDICTIONS_FILE, write_report
from trainer.run.folder import start_run


@dataclass(frozen=True, kw_only=True)
class CrossValidationRequest:
    """The runs to evaluate together."""

    dataset_dir: Path
    """The dataset they were trained on, in the layout ``COVID/``, ``non-COVID/``."""
    runs: Sequence[Path]
    """The folders of the runs."""
    groups_file: Path | None = None
    """CSV of file and patient, for intervals that know which images belong together."""
    run_dir: Path | None = None
    """Folder for the report. Without it, a new folder under ``runs/``."""


@dataclass(frozen=True)
class CrossValidationResult:
    """The combined results of the runs."""

    run_dir: Path
    evaluations: list[Evaluation]
    """One per model, and one for the ensemble if there are several models."""


@dataclass(frozen=True)
class _Fold:
    """A finished run."""

    directory: Path
    predictions: pd.DataFrame
    """Columns ``file`` and ``class``, then for each model its probability of COVID."""
    metrics: dict[str, Any]

    @property
    def models(self) -> list[str]:
        """The evaluated models, the ensemble last."""
        return list(self.predictions.columns[2:])


def cross_validate(request: CrossValidationRequest) -> CrossValidationResult:
    """Evaluate the test sets of several runs together and write a report.

    Raises:
        DatasetError: the dataset or the list of patients cannot be used.
        RunError: a run is not finished; or it has another dataset, other models, or test images in
            common with another run; or the report cannot be written.
    """
    folds = [_read_fold(directory) for directory in request.runs]
    data = load_images(list_dataset(request.dataset_dir))
    _check_compatible(folds, data)
    predictions = pd.concat([fold.predictions for fold in folds], ignore_index=True)
    tested = _find_tested(data, predictions)
    groups = read_patients(tested, request.groups_file) if request.groups_file else None
    evaluations = [
        evaluate(name, _as_probabilities(predictions[name]), tested.labels, groups=groups)
        for name in folds[0].models
    ]
    dataset = {
        "images": len(data),
        "sha256": data.fingerprint(),
        "runs": [_describe(fold) for fold in folds],
    }
    run = start_run(request.run_dir, {"cross_validation": dataset})
    write_report(
        run.directory,
        evaluations,
        tested,
        dataset=dataset,
        leakage=_pool_baselines(folds),
        demo=any(fold.metrics["demo"] for fold in folds),
    )
    return CrossValidationResult(run.directory, evaluations)


def _read_fold(directory: Path) -> _Fold:
    try:
        predictions = pd.read_csv(directory / PREDICTIONS_FILE)
        metrics = json.loads((directory / METRICS_FILE).read_text())
    except (OSError, ValueError) as error:
        raise RunError(
            f"{directory} holds no finished run: cannot read {PREDICTIONS_FILE} and {METRICS_FILE}"
        ) from error
    if "leakage" not in metrics.get("dataset", {}):
        raise RunError(f"{directory} holds no training run; give the folders that train wrote")
    return _Fold(directory, predictions, metrics)


def _check_compatible(folds: Sequence[_Fold], data: LabelledImages) -> None:
    for fold in folds:
        if fold.metrics["dataset"]["sha256"] != data.fingerprint():
            raise RunError(f"the run in {fold.directory} was trained on another dataset")
        if fold.models != folds[0].models:
            raise RunError(
                f"{fold.directory} has other models than {folds[0].directory}:"
                f" {', '.join(fold.models)}, not {', '.join(folds[0].models)}"
            )
    files = pd.concat([fold.predictions["file"] for fold in folds])
    twice = files[files.duplicated()]
    if not twice.empty:
        raise RunError(
            f"{twice.iloc[0]} was tested in two of the runs; give each a different --fold"
        )


def _find_tested(data: LabelledImages, predictions: pd.DataFrame) -> LabelledImages:
    index = NameIndex(data.files)
    found = []
    for file in predictions["file"]:
        number = index.find(str(file))
        if number is None:
            raise RunError(f"a run tested {file}, which is not in the dataset under this name")
        found.append(number)
    return data.take(np.array(found, np.intp))


def _as_probabilities(covid: pd.Series) -> Probabilities:
    probabilities = np.repeat(1 - covid.to_numpy(np.float64)[:, None], len(CLASS_NAMES), axis=1)
    probabilities[:, POSITIVE_CLASS_INDEX] = covid
    return probabilities


def _pool_baselines(folds: Sequence[_Fold]) -> Baselines:
    weights = [len(fold.predictions) for fold in folds]
    leakage = [fold.metrics["dataset"]["leakage"] for fold in folds]

    def mean(name: str) -> float:
        return float(np.average([each[name] for each in leakage], weights=weights))

    return Baselines(
        nearest_neighbour_accuracy=mean("nearest_neighbour_accuracy"),
        histogram_accuracy=mean("histogram_accuracy"),
        majority_accuracy=mean("majority_accuracy"),
    )


def _describe(fold: _Fold) -> dict[str, Any]:
    leakage = fold.metrics["dataset"]["leakage"]
    last = fold.metrics["models"][fold.models[-1]]
    return {
        "name": fold.directory.name,
        "split": fold.metrics["dataset"]["split"],
        "test": len(fold.predictions),
        "nearest_neighbour_accuracy": leakage["nearest_neighbour_accuracy"],
        "histogram_accuracy": leakage["histogram_accuracy"],
        "accuracy": last["metrics"]["accuracy"]["value"],
    }
