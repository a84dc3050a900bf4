"""Replicas of the model server: each is a process with its own address."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from serving.contract import MODEL_NAMES
from tests.service_process import wait_until
from tests.soak.known_answers import KnownNetworks, KnownVolume
from tests.soak.model_server_process import ModelServerProcess

CONNECTION_AGE: Final = (
    "--grpc_channel_arguments=grpc.max_connection_age_ms=1000,"
    "grpc.max_connection_age_grace_ms=60000"
)


class Replica:
    """A replica with its own volume, from which one model may be missing for a while.

    Args:
        host: the loopback address that it listens on.
        port: the port of all replicas.
        metrics_port: the metrics port of all replicas.
        known: the networks on its volume.
        folder: the folder of its volume.
        log: the file that it logs to.
    """

    def __init__(
        self,
        host: str,
        *,
        port: int,
        metrics_port: int,
        known: KnownNetworks,
        folder: Path,
        log: IO[str],
    ) -> None:
        self.host = host
        self._address = f"{host}:{port}"
        self._metrics = f"http://{host}:{metrics_port}/metrics"
        self._volume = KnownVolume(folder, known)
        self._log = log
        self._options = (CONNECTION_AGE, f"--metrics-port={metrics_port}")
        self._process: ModelServerProcess | None = None

    def start(self) -> None:
        """Start it, without waiting for its models."""
        if self._process is None:
            self._process = ModelServerProcess(
                self._volume.models_dir, self._address, self._log, *self._options
            )
        else:
            self._process.start()

    def start_incomplete(self, late: str, meanwhile: Callable[[], None]) -> None:
        """Start it without one model, wait until it serves the others, and then add that model."""
        model_dir = self._volume.models_dir / late
        hidden_dir = model_dir.with_name(f".{late}")
        model_dir.rename(hidden_dir)
        self.start()
        for name in MODEL_NAMES:
            if name != late:
                wait_until(lambda n=name: self._serves(n))
        meanwhile()
        hidden_dir.rename(model_dir)
        self.wait_until_served()

    def wait_until_served(self) -> None:
        """Wait until it serves all models."""
        for name in MODEL_NAMES:
            wait_until(lambda n=name: self._serves(n))

    def wait_for_calls(self) -> None:
        """Wait until it has answered another prediction."""
        before = self.answered()
        wait_until(lambda: self.answered() > before)

    def answered(self) -> int:
        """Count the predictions that it has answered."""
        families = text_string_to_metric_families(httpx.get(self._metrics).text)
        return sum(
            int(sample.value)
            for family in families
            for sample in family.samples
            if sample.name == "covidscan_model_server_requests_total"
            and (sample.labels["method"], sample.labels["code"]) == ("Predict", "OK")
        )

    def end(self, signal_number: signal.Signals) -> None:
        """End its process with a signal."""
        if self._process is not None:
            self._process.end(signal_number)

    def remove(self) -> None:
        """Kill its process and delete its volume."""
        self.end(signal.SIGKILL)
        shutil.rmtree(self._volume.models_dir)

    def _serves(self, name: str) -> bool:
        assert self._process is not None
        return self._process.is_available(name, self._volume.newest[name])
