"""What the gateway tells Prometheus. No label carries what a client made up."""

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

from api.prediction.ensemble import POSITIVE_CLASS
from api.prediction.results import ModelResult, PredictionResult

_LATENCY_BUCKETS_SECONDS: Final = (
    *(0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)
_OOD_SCORE_BUCKETS: Final = (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4)
_PROBABILITY_BUCKETS: Final = tuple(tenth / 10 for tenth in range(1, 11))


class Metrics:
    """The counters and histograms of one gateway, in a registry of their own.

    Args:
        version: of covidscan.
        preprocessing: the preprocess's fingerprint.
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
            "From a request's head to the end of its answer.",
            ["route", "status"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.requests_in_progress = Gauge(
            "covidscan_requests_in_progress",
            "Requests that are not answered yet.",
            registry=self.registry,
        )
        self._refused_images = Counter(
            "covidscan_refused_images",
            "Files that are no image that can be read, or no chest scan, by the reason.",
            ["reason"],
            registry=self.registry,
        )
        self._stages = Histogram(
            "covidscan_stage_duration_seconds",
            "Parts of a prediction: decode, preprocess, inference.",
            ["stage"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._model_durations = Histogram(
            "covidscan_model_duration_seconds",
            "Round trips to the model server.",
            ["model"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._model_answers = Counter(
            "covidscan_model_answers",
            "What models answered: ok, or why not.",
            ["model", "status"],
            registry=self.registry,
        )
        self._model_predictions = Counter(
            "covidscan_model_predictions",
            "Predictions of each model's versions.",
            ["model", "version", "prediction"],
            registry=self.registry,
        )
        self._predictions = Counter(
            "covidscan_predictions",
            "The ensemble's predictions.",
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
            "How far images are from those that the models learned from; above 1 is refused.",
            buckets=_OOD_SCORE_BUCKETS,
            registry=self.registry,
        )
        self._degraded = Counter(
            "covidscan_degraded_answers", "Answers that lack a model.", registry=self.registry
        )
        self._reviews = Counter(
            "covidscan_review_answers",
            "Answers that somebody should look at, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self._refused_connections = Counter(
            "covidscan_refused_connections",
            "Connections refused before there was a request: too many, too slow, no HTTP.",
            ["status"],
            registry=self.registry,
        )
        self._decoder_restarts = Counter(
            "covidscan_decoder_restarts",
            "Decoder processes replaced: after a crash, out of time, or ended from outside.",
            ["reason"],
            registry=self.registry,
        )
        self._accept_errors = Counter(
            "covidscan_accept_errors",
            "Connections that could not be accepted, by the error, such as EMFILE.",
            ["error"],
            registry=self.registry,
        )
        self.audit_failures = Counter(
            "covidscan_audit_failures",
            "Predictions that could not be recorded and were not given.",
            registry=self.registry,
        )
        build = Gauge(
            "covidscan_build_info",
            "Always 1; what runs here.",
            ["version", "python", "preprocessing"],
            registry=self.registry,
        )
        build.labels(version, platform.python_version(), preprocessing).set(1)

    def watch(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when Prometheus asks."""
        Gauge(f"covidscan_{name}", what, registry=self.registry).set_function(read)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(method, route, status).inc()
        self._request_durations.labels(route, status).observe(seconds)

    def observe_refused_connection(self, status: int) -> None:
        """Count a connection on which no request could be answered."""
        self._refused_connections.labels(int(status)).inc()

    def observe_decoder_restart(self, reason: str) -> None:
        """Count a decoder process that had to be replaced."""
        self._decoder_restarts.labels(reason).inc()

    def observe_accept_error(self, name: str) -> None:
        """Count an attempt to accept a connection that failed."""
        self._accept_errors.labels(name).inc()

    def observe_refused_image(self, reason: str) -> None:
        """Count a file that could not be read, or is refused as no chest scan."""
        self._refused_images.labels(reason).inc()

    def observe_model(self, answer: ModelResult) -> None:
        """Count what one model said, or that it did not."""
        self._model_durations.labels(answer.name).observe(answer.duration_seconds)
        self._model_answers.labels(answer.name, answer.status).inc()
        if answer.prediction is not None:
            self._model_predictions.labels(answer.name, answer.version, answer.prediction).inc()

    def observe_ood_score(self, score: float) -> None:
        """Count how far an image is from the training images, refused or not."""
        self._ood_scores.observe(score)

    def observe_prediction(self, answer: PredictionResult) -> None:
        """Count what the ensemble said; its models are counted by themselves."""
        timing = answer.timing
        self._stages.labels("decode").observe(timing.decode_seconds)
        self._stages.labels("preprocess").observe(timing.preprocess_seconds)
        self._stages.labels("inference").observe(timing.inference_seconds)
        self._predictions.labels(answer.prediction).inc()
        self._probabilities.observe(answer.probabilities[POSITIVE_CLASS])
        if answer.degraded:
            self._degraded.inc()
        for reason in answer.review_reasons:
            self._reviews.labels(reason).inc()
