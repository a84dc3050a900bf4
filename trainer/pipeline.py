"""Runs the training pipeline: from a folder of images to published versions and a report."""

import dataclasses
import datetime as dt
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras

from serving import volume
from serving.contract import ENSEMBLE_NAME
from serving.probabilities import soft_vote
from serving.volume.model_card import ModelCard
from trainer.dataset.contradictions import find_contradictions, reject_contradictions
from trainer.dataset.description import describe_dataset
from trainer.dataset.images import list_dataset, load_images
from trainer.dataset.leakage import LeakageReport, report_leakage
from trainer.dataset.split import Split, split_dataset
from trainer.evaluation.calibration import bake_temperature, fit_temperature, scale
from trainer.evaluation.evaluation import Evaluation, evaluate
from trainer.evaluation.inference import predict
from trainer.evaluation.metrics import Probabilities
from trainer.evaluation.operating_point import choose_operating_point
from trainer.evaluation.report import write_report
from trainer.ood.score import MAX_IMAGES, fit_ood_scorer
from trainer.plan import Plan
from trainer.publication.export import describe_environment, publish
from trainer.publication.gate import inspect
from trainer.recipe import Recipe
from trainer.run.artefacts import write_artefacts
from trainer.run.folder import Run, resume_run, start_run
from trainer.training.checkpoint import BestWeights, Epoch
from trainer.training.fit import train

logger = logging.getLogger(__name__)

_TRAINING_SHARE: Final = 0.75
"""Share of a CNN's total work. The rest is evaluation and publication."""
_DEMO_OOD_IMAGES: Final = 32
"""The gateway rejects nothing by the OOD score of demo models, so a rough one is enough."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run."""

    run_dir: Path
    evaluations: list[Evaluation]
    """One per CNN, and one for the ensemble if there are several CNNs."""
    objections: dict[str, list[str]]
    """For each CNN that was not published, the reasons."""


@dataclass(frozen=True)
class _Context:
    """What all CNNs of a run share."""

    plan: Plan
    run: Run
    split: Split
    dataset: dict[str, Any]


@dataclass(frozen=True)
class _Calibrated:
    """A calibrated CNN and its predictions for the sets that it did not learn from."""

    model: keras.Model
    evaluation: Evaluation
    validation: Probabilities
    history: list[Epoch]


def train_and_publish(plan: Plan) -> Outcome:
    """Train CNNs on one dataset. Each is published when it is done, unless the gate objects.

    Raises:
        TrainerError: the dataset, a recipe or the run cannot be used, or a training failed.
        VolumeError: the volume cannot be written.
    """
    data = load_images(list_dataset(plan.dataset_dir))
    contradictions = find_contradictions(data)
    reject_contradictions(contradictions)
    split = split_dataset(data, plan.split)
    if plan.publish:
        volume.check_writable(plan.models_dir, *plan.recipes)
    leakage = report_leakage(split)
    _log_leakage(split, leakage)
    dataset = describe_dataset(data, plan.split, split, leakage) | contradictions.describe()
    context = _Context(plan, _open_run(plan, split, dataset), split, dataset)
    evaluations: list[Evaluation] = []
    validations: list[Probabilities] = []
    histories: dict[str, list[Epoch]] = {}
    objections: dict[str, list[str]] = {}
    for name, recipe in plan.recipes.items():
        calibrated = _train_and_calibrate(context, name, recipe)
        version, reasons = _publish(context, calibrated, recipe) if plan.publish else (None, [])
        if reasons:
            objections[name] = reasons
        evaluations.append(dataclasses.replace(calibrated.evaluation, version=version))
        validations.append(calibrated.validation)
        histories[name] = calibrated.history
        if plan.on_progress:
            plan.on_progress(name, 1.0)
        del calibrated
        # Three models and their optimisers do not fit into a small machine's memory at once.
        keras.backend.clear_session()
    if len(evaluations) > 1:
        evaluations.append(_evaluate_ensemble(context, evaluations, validations))
    if plan.keep_run:
        write_report(
            context.run.directory,
            evaluations,
            split.test,
            dataset=dataset,
            leakage=leakage,
            histories=histories,
            demo=plan.demo,
        )
    return Outcome(context.run.directory, evaluations, objections)


def _log_leakage(split: Split, leakage: LeakageReport) -> None:
    logger.info(
        "%d training, %d validation and %d test images; on the test images, one nearest neighbour"
        " is right in %.1f %%, a histogram of grey levels in %.1f %%",
        len(split.train),
        len(split.validation),
        len(split.test),
        100 * leakage.nearest_neighbour_accuracy,
        100 * leakage.histogram_accuracy,
    )
    for found in leakage.duplicates:
        if found.exact or found.near:
            logger.warning(
                "%s and %s share %d pairs of equal and %d pairs of nearly equal images",
                *found.parts,
                len(found.exact),
                len(found.near),
            )


def _open_run(plan: Plan, split: Split, dataset: dict[str, Any]) -> Run:
    settings = {
        "dataset": dataset,
        "seed": plan.seed,
        "recipes": {name: recipe.model_dump() for name, recipe in plan.recipes.items()},
    }
    run = (resume_run if plan.resume else start_run)(plan.run_dir, settings)
    run.write_split(split)
    logger.info("writing checkpoints, artefacts and the report to %s", run.directory)
    return run


def _train_and_calibrate(context: _Context, name: str, recipe: Recipe) -> _Calibrated:
    plan, run, split = context.plan, context.run, context.split
    trained = train(
        name,
        split,
        recipe,
        seed=plan.seed,
        checkpoints=run.checkpoints(name) if plan.keep_run else BestWeights(),
        weights_dir=plan.weights_dir,
        tensorboard_dir=run.tensorboard_dir(name) if plan.keep_run else None,
        on_progress=partial(_report_training_progress, plan, name),
    )
    validation = predict(trained.model, split.validation)
    uncalibrated = predict(trained.model, split.test)
    temperature = fit_temperature(validation, split.validation.labels)
    validation = scale(validation, temperature)
    bake_temperature(trained.model, temperature)
    if plan.keep_run:
        write_artefacts(trained.model, run.artefacts_dir(name))
    evaluation = evaluate(
        name,
        scale(uncalibrated, temperature),
        split.test.labels,
        operating_point=choose_operating_point(
            validation, split.validation.labels, min_sensitivity=plan.min_sensitivity
        ),
        groups=split.test_groups,
        temperature=temperature,
        uncalibrated=uncalibrated,
    )
    return _Calibrated(trained.model, evaluation, validation, trained.history)


def _report_training_progress(plan: Plan, name: str, share: float) -> None:
    if plan.on_progress:
        plan.on_progress(name, _TRAINING_SHARE * share)


def _publish(
    context: _Context, calibrated: _Calibrated, recipe: Recipe
) -> tuple[int | None, list[str]]:
    """Publish a CNN unless the gate objects. Return its version, or the objections."""
    plan, run, evaluation = context.plan, context.run, calibrated.evaluation
    name = evaluation.name
    version = run.published_version(name)
    if version is not None:
        return version, []
    report = inspect(
        name,
        plan.models_dir,
        evaluation.probabilities,
        context.split.test,
        demo=plan.demo,
        min_accuracy=plan.min_accuracy,
    )
    if report.objections and not plan.force:
        logger.error("%s is not published: %s", name, "; ".join(report.objections))
        return None, report.objections
    scorer = fit_ood_scorer(
        calibrated.model,
        context.split.train,
        context.split.validation,
        max_images=_DEMO_OOD_IMAGES if plan.demo else MAX_IMAGES,
    )
    card = ModelCard(
        name=name,
        demo=plan.demo,
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        metrics=evaluation.metrics,
        intervals={
            metric: [estimate.low, estimate.high]
            for metric, estimate in evaluation.estimates.items()
        },
        dataset=context.dataset,
        recipe={**recipe.model_dump(), "seed": plan.seed},
        environment=describe_environment(),
        temperature=evaluation.temperature or 1.0,
        uncalibrated_ece=evaluation.uncalibrated_ece,
        operating_point=evaluation.operating_point,
        ood_score=scorer.described,
        gate={
            "objections": report.objections,
            "forced": bool(report.objections),
            "compared_with": report.compared_with,
        },
    )
    version = publish(calibrated.model, plan.models_dir, card, context.split.train, scorer)
    run.note_published(name, version)
    accuracy = evaluation.metrics["accuracy"]
    logger.info("published %s version %d, accuracy %.3f", name, version, accuracy)
    return version, []


def _evaluate_ensemble(
    context: _Context, evaluations: list[Evaluation], validations: list[Probabilities]
) -> Evaluation:
    split = context.split
    return evaluate(
        ENSEMBLE_NAME,
        soft_vote([each.probabilities for each in evaluations]),
        split.test.labels,
        operating_point=choose_operating_point(
            soft_vote(validations),
            split.validation.labels,
            min_sensitivity=context.plan.min_sensitivity,
        ),
        groups=split.test_groups,
    )
