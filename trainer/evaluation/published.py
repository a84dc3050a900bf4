"""Evaluates published versions on any labelled folder, exactly as they are served."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving import volume
from serving.contract import (
    CLASS_NAMES,
    DEFAULT_OPERATING_POINT,
    ENSEMBLE_NAME,
    INPUT_NAME,
    MODEL_NAMES,
    OUTPUT_NAME,
)
from serving.embedded.engine import Engine, LoadedModel
from serving.errors import VolumeError
from serving.probabilities import soft_vote
from serving.volume.model_card import ModelCard
from trainer.batched_inference import infer_in_batches
from trainer.dataset.contradictions import find_contradictions, warn_of_contradictions
from trainer.dataset.images import LabelledImages, list_dataset, load_images
from trainer.dataset.lists import find_listed, read_patients
from trainer.dataset.training_images import learned_from
from trainer.errors import DatasetError
from trainer.evaluation.evaluation import Evaluation, evaluate
from trainer.evaluation.metrics import Probabilities
from trainer.evaluation.report import write_report
from trainer.run.folder import start_run

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """Which published models to evaluate, and on which images."""

    dataset_dir: Path
    """Images in the layout ``COVID/``, ``non-COVID/``."""
    models_dir: Path
    """The versioned volume. The newest version of each model is evaluated, the one served."""
    names: Sequence[str] = field(default_factory=tuple)
    """Names of the models. Without them, all that have a version."""
    files: Sequence[Path] = field(default_factory=tuple)
    """Text files that list the images to use, one per line. Without them, all images."""
    groups_file: Path | None = None
    """CSV of file and patient, for intervals that know which images belong together."""
    operating_point: float | None = None
    """Without it, each model's own, and 0.5 for the ensemble."""
    run_dir: Path | None = None
    """Folder for the report. Without it, a new folder under ``runs/``."""


@dataclass(frozen=True)
class EvaluationResult:
    """The results of an evaluation."""

    run_dir: Path
    evaluations: list[Evaluation]
    """One per model, and one for the ensemble if there are several models."""


@dataclass(frozen=True)
class _PublishedModel:
    """A published version, loaded as the model server loads it."""

    name: str
    version: int
    directory: Path
    card: ModelCard
    loaded: LoadedModel


def evaluate_published(request: EvaluationRequest) -> EvaluationResult:
    """Evaluate the published SavedModels with the model server's engine and write a report.

    Raises:
        TrainerError: the dataset or the folder for the report cannot be used.
        VolumeError: a model has no version, or its version has no readable card.
        ModelLoadError: a version cannot be loaded.
    """
    models = _load_models(request)
    data, groups = _load_dataset(request)
    dataset = _describe(data, models)
    run = start_run(request.run_dir, {"evaluated": dataset})
    evaluations = [
        evaluate(
            model.name,
            _ask(model.loaded, data),
            data.labels,
            operating_point=request.operating_point or model.card.operating_point,
            groups=groups,
            version=model.version,
        )
        for model in models
    ]
    if len(evaluations) > 1:
        evaluations.append(
            evaluate(
                ENSEMBLE_NAME,
                soft_vote([each.probabilities for each in evaluations]),
                data.labels,
                operating_point=request.operating_point or DEFAULT_OPERATING_POINT,
                groups=groups,
            )
        )
    demo = any(model.card.demo for model in models)
    write_report(run.directory, evaluations, data, dataset=dataset, demo=demo)
    return EvaluationResult(run.directory, evaluations)


def _load_models(request: EvaluationRequest) -> list[_PublishedModel]:
    published = {
        name: volume.versions(request.models_dir, name) for name in request.names or MODEL_NAMES
    }
    missing = [name for name, versions in published.items() if not versions]
    if request.names and missing:
        raise VolumeError(f"{request.models_dir} holds no version of {missing[0]}")
    if len(missing) == len(published):
        raise VolumeError(f"{request.models_dir} holds no models; train them first")
    engine = Engine()
    models = []
    for name, versions in published.items():
        if versions:
            directory = volume.version_dir(request.models_dir, name, versions[-1])
            card = ModelCard.read(directory)
            models.append(
                _PublishedModel(name, versions[-1], directory, card, engine.load(directory))
            )
    return models


def _load_dataset(request: EvaluationRequest) -> tuple[LabelledImages, NDArray[np.int64] | None]:
    data = load_images(list_dataset(request.dataset_dir))
    groups = read_patients(data, request.groups_file) if request.groups_file else None
    if request.files:
        listed = find_listed(data, request.files)
        data, groups = data.take(listed), None if groups is None else groups[listed]
    if len(np.unique(data.labels)) < len(CLASS_NAMES):
        raise DatasetError("the listed images are all of one class; list some of the other")
    return data, groups


def _describe(data: LabelledImages, models: Sequence[_PublishedModel]) -> dict[str, Any]:
    learned = {
        f"{model.name} {model.version}": int(learned_from(model.directory, data).sum())
        for model in models
    }
    for name, count in learned.items():
        if count:
            logger.warning(
                "%s learned from %d of these %d images: it will do worse on others",
                name,
                count,
                len(data),
            )
    contradictions = find_contradictions(data)
    warn_of_contradictions(contradictions)
    return {
        "images": len(data),
        "sha256": data.fingerprint(),
        "learned_from": learned,
        **contradictions.describe(),
    }


def _ask(loaded: LoadedModel, data: LabelledImages) -> Probabilities:
    return infer_in_batches(
        lambda images: loaded.infer({INPUT_NAME: images})[OUTPUT_NAME], data.images
    )
