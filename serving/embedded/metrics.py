"""Prometheus metrics of a model server: requests, batches and loads, by model and version."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.embedded.servable import ServableVersion
from serving.protos.model_status_pb2 import ModelVersionStatus

_LATENCY_BUCKETS_SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_ROWS_BUCKETS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 1024)


class Metrics:
    """The metrics of one model server, in their own registry.

    No label has a value that a client can choose freely: the model label is empty for unknown
    models.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "covidscan_model_server_requests",
            "Calls answered, by gRPC status code.",
            ["method", "model", "version", "code"],
            registry=self.registry,
        )
        self._in_progress = Gauge(
            "covidscan_model_server_requests_in_progress",
            "Calls in progress.",
            ["method"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "covidscan_model_server_request_latency_seconds",
            "Time from a decoded request to its answer, including waiting.",
            ["method", "model", "version"],
            buckets=_LATENCY_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._rows = Histogram(
            "covidscan_model_server_batch_size_rows",
            "Rows (images) in each run of a network.",
            ["model", "version"],
            buckets=_ROWS_BUCKETS,
            registry=self.registry,
        )
        self._states = Counter(
            "covidscan_model_server_version_states",
            "State changes of versions; END with an error counts as ERROR.",
            ["model", "version", "state"],
            registry=self.registry,
        )

    def begin_request(self, method: str) -> None:
        """Count a call that starts; ``observe_request`` must follow."""
        self._in_progress.labels(method).inc()

    def observe_request(
        self, method: str, model: str, version: str, code: str, seconds: float
    ) -> None:
        """Count a call that has ended; ``model`` and ``version`` are empty if unknown."""
        self._in_progress.labels(method).dec()
        self._requests.labels(method, model, version, code).inc()
        self._latency.labels(method, model, version).observe(seconds)

    def observe_batch(self, version: ServableVersion, rows: int) -> None:
        """Count a run of a network."""
        self._rows.labels(version.model_name, str(version.number)).observe(rows)

    def observe_version(self, version: ServableVersion | None) -> None:
        """Count a change of a version's state."""
        if version is not None:
            state = "ERROR" if version.error else ModelVersionStatus.State.Name(version.state)
            self._states.labels(version.model_name, str(version.number), state).inc()
