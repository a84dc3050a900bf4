"""Measures the predictions of one model, or of the ensemble, on a test set."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.contract import DEFAULT_OPERATING_POINT
from trainer.evaluation.bootstrap import Estimate, measure_with_intervals
from trainer.evaluation.metrics import Confusion, Labels, Probabilities, confusion, measure


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The results of a model on a test set."""

    name: str
    version: int | None
    labels: Labels
    probabilities: Probabilities
    """Calibrated, as served."""
    estimates: dict[str, Estimate]
    """At 0.5, the gateway's default operating point."""
    operating_point: float
    """Chosen on the validation set."""
    confusion: Confusion
    """At the operating point."""
    at_operating_point: dict[str, float]
    """Metrics at the operating point."""
    temperature: float | None = None
    uncalibrated_ece: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics without their intervals."""
        return {name: estimate.value for name, estimate in self.estimates.items()}

    def describe(self) -> dict[str, Any]:
        """Return JSON values, without those of single images."""
        return {
            "version": self.version,
            "metrics": {
                name: dataclasses.asdict(estimate) for name, estimate in self.estimates.items()
            },
            "operating_point": self.operating_point,
            "at_operating_point": {
                **self.at_operating_point,
                "confusion": dataclasses.asdict(self.confusion),
            },
            "temperature": self.temperature,
            "uncalibrated_ece": self.uncalibrated_ece,
        }


def evaluate(
    name: str,
    probabilities: Probabilities,
    labels: Labels,
    *,
    operating_point: float = DEFAULT_OPERATING_POINT,
    groups: NDArray[np.int64] | None = None,
    version: int | None = None,
    temperature: float | None = None,
    uncalibrated: Probabilities | None = None,
) -> Evaluation:
    """Measure a model's predictions.

    Args:
        name: name of the servable, or ``ENSEMBLE_NAME``.
        probabilities: float ``[N, 2]``.
        labels: int64 ``[N]``, of both classes.
        operating_point: chosen elsewhere.
        groups: int64 ``[N]``, the patient of each image, if patients are known.
        version: version of the servable.
        temperature: the temperature already applied to the probabilities.
        uncalibrated: the probabilities without it.
    """
    at_operating_point = measure(probabilities, labels, operating_point)
    return Evaluation(
        name=name,
        version=version,
        labels=labels,
        probabilities=probabilities,
        estimates=measure_with_intervals(probabilities, labels, groups=groups),
        operating_point=operating_point,
        confusion=confusion(probabilities, labels, operating_point),
        at_operating_point={
            key: at_operating_point[key] for key in ("accuracy", "sensitivity", "specificity")
        },
        temperature=temperature,
        uncalibrated_ece=None if uncalibrated is None else measure(uncalibrated, labels)["ece"],
    )
