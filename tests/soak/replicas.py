"""Replicas of the model server: processes at addresses of their own, behind one name."""

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
    """A replica with a volume of its own, one model of which it may lack for a while.

    Args:
        host: its address on loopback.
        port: of all replicas.
        metrics_port: of all replicas.
        known: its networks.
        folder: where its volume is made.
        log: where it logs.
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
        """Start it; its models follow."""
        if self._process is None:
            self._process = ModelServerProcess(
                self._volume.models_dir, self._address, self._log, *self._options
            )
        else:
            self._process.start()

    def start_incomplete(self, late: str, meanwhile: Callable[[], None]) -> None:
        """Start it without one model, wait until it serves the others, and then add that one."""
        model_dir = self._volume.models_dir / late
        away = model_dir.with_name(f".{late}")
        model_dir.rename(away)
        self.start()
        for name in MODEL_NAMES:
            if name != late:
                wait_until(lambda n=name: self._serves(n))
        meanwhile()
        away.rename(model_dir)
        self.wait_until_served()

    def wait_until_served(self) -> None:
        """All models are."""
        for name in MODEL_NAMES:
            wait_until(lambda n=name: self._serves(n))

    def wait_for_calls(self) -> None:
        """It answers callers."""
        before = self.answered()
        wait_until(lambda: self.answered() > before)

    def answered(self) -> int:
        """Predictions that it has answered."""
        families = text_string_to_metric_families(httpx.get(self._metrics).text)
        return sum(
            int(sample.value)
            for family in families
            for sample in family.samples
            if sample.name == "covidscan_model_server_requests_total"
            and (sample.labels["method"], sample.labels["code"]) == ("Predict", "OK")
        )

    def end(self, signal_number: signal.Signals) -> None:
        """End it with a signal."""
        if self._process is not None:
            self._process.end(signal_number)

    def remove(self) -> None:
        """End it for good."""
        self.end(signal.SIGKILL)
        shutil.rmtree(self._volume.models_dir)

    def _serves(self, name: str) -> bool:
        assert self._process is not None
        return self._process.is_available(name, self._volume.newest[name])
