"""The gateway's Prometheus metrics. No label has a value that a client can choose freely."""

import platform
from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from api.prediction.results import ModelResult, PredictionResult
from serving.contract import POSITIVE_CLASS

_LATENCY_BUCKETS_SECONDS: Final = (
    *(0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)
_OOD_SCORE_BUCKETS: Final = (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4)
_PROBABILITY_BUCKETS: Final = tuple(tenth / 10 for tenth in range(1, 11))


class Metrics:
    """The metrics of one gateway, in their own registry.

    Args:
        version: of covidscan.
        preprocessing: the fingerprint of the preprocessing.
    """

    def __init__(self, *, version: str, preprocessing: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Counter(
            "covidscan_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_durations = Histogram(
            "covidscan_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            ["route", "status"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.requests_in_progress = Gauge(
            "covidscan_requests_in_progress",
            "Requests in progress.",
            registry=self.registry,
        )
        self._rejected_images = Counter(
            "covidscan_rejected_images",
            "Rejected files: unreadable, or not like a chest scan, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._stages = Histogram(
            "covidscan_stage_duration_seconds",
            "Duration of each stage of a prediction: decode, preprocess, inference.",
            ["stage"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._model_durations = Histogram(
            "covidscan_model_duration_seconds",
            "Duration of calls to the model server.",
            ["model"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._model_answers = Counter(
            "covidscan_model_answers",
            "Outcomes of model calls, by status.",
            ["model", "status"],
            registry=self.registry,
        )
        self._model_predictions = Counter(
            "covidscan_model_predictions",
            "Predictions by model and version.",
            ["model", "version", "prediction"],
            registry=self.registry,
        )
        self._predictions = Counter(
            "covidscan_predictions",
            "Predictions of the ensemble.",
            ["prediction"],
            registry=self.registry,
        )
        self._probabilities = Histogram(
            "covidscan_ensemble_probability",
            f"The ensemble's probability of {POSITIVE_CLASS}.",
            buckets=_PROBABILITY_BUCKETS,
            registry=self.registry,
        )
        self._ood_scores = Histogram(
            "covidscan_ood_score",
            "How different an image is from the training images; above 1 it is rejected.",
            buckets=_OOD_SCORE_BUCKETS,
            registry=self.registry,
        )
        self._degraded = Counter(
            "covidscan_degraded_answers",
            "Predictions without one or more of the models.",
            registry=self.registry,
        )
        self._reviews = Counter(
            "covidscan_review_answers",
            "Predictions marked for review, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._rejected_connections = Counter(
            "covidscan_rejected_connections",
            "Connections rejected before a request: too many, too slow, not HTTP.",
            ["status"],
            registry=self.registry,
        )
        self._decoder_restarts = Counter(
            "covidscan_decoder_restarts",
            "Decoder processes replaced: crashed, timed out, or ended from outside.",
            ["reason"],
            registry=self.registry,
        )
        self._accept_errors = Counter(
            "covidscan_accept_errors",
            "Connections that could not be accepted, by error, such as EMFILE.",
            ["error"],
            registry=self.registry,
        )
        self.audit_failures = Counter(
            "covidscan_audit_failures",
            "Predictions withheld because they could not be recorded.",
            registry=self.registry,
        )
        build = Gauge(
            "covidscan_build_info",
            "Always 1; the labels describe the running version.",
            ["version", "python", "preprocessing"],
            registry=self.registry,
        )
        build.labels(version, platform.python_version(), preprocessing).set(1)

    def watch(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read at each scrape."""
        Gauge(f"covidscan_{name}", what, registry=self.registry).set_function(read)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a finished request."""
        self._requests.labels(method, route, status).inc()
        self._request_durations.labels(route, status).observe(seconds)

    def observe_rejected_connection(self, status: int) -> None:
        """Count a connection that was rejected before a request."""
        self._rejected_connections.labels(int(status)).inc()

    def observe_decoder_restart(self, reason: str) -> None:
        """Count a replaced decoder process."""
        self._decoder_restarts.labels(reason).inc()

    def observe_accept_error(self, name: str) -> None:
        """Count a connection that could not be accepted."""
        self._accept_errors.labels(name).inc()

    def observe_rejected_image(self, reason: str) -> None:
        """Count a file that is unreadable or does not look like a chest scan."""
        self._rejected_images.labels(reason).inc()

    def observe_model(self, result: ModelResult) -> None:
        """Count the result of one model."""
        self._model_durations.labels(result.name).observe(result.duration_seconds)
        self._model_answers.labels(result.name, result.status).inc()
        if result.prediction is not None:
            self._model_predictions.labels(result.name, result.version, result.prediction).inc()

    def observe_ood_score(self, score: float) -> None:
        """Count an image's out-of-distribution score, whether it is rejected or not."""
        self._ood_scores.observe(score)

    def observe_prediction(self, result: PredictionResult) -> None:
        """Count a prediction of the ensemble; ``observe_model`` counts the models."""
        timing = result.timing
        self._stages.labels("decode").observe(timing.decode_seconds)
        self._stages.labels("preprocess").observe(timing.preprocess_seconds)
        self._stages.labels("inference").observe(timing.inference_seconds)
        self._predictions.labels(result.prediction).inc()
        self._probabilities.observe(result.probabilities[POSITIVE_CLASS])
        if result.degraded:
            self._degraded.inc()
        for reason in result.review_reasons:
            self._reviews.labels(reason).inc()
