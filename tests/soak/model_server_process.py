"""``covidscan model-server`` as a process that tests stop, kill and restart."""

import signal
import subprocess
from pathlib import Path
from typing import IO

from serving.batching_parameters import EMBEDDED_BATCHING_FILE
from serving.client import VersionState
from serving.errors import ModelServerError
from tests.model_server_calls import statuses
from tests.service_process import COVIDSCAN


class ModelServerProcess:
    """A model server at one address, whose process may be replaced.

    Args:
        models_dir: the versioned volume.
        address: the address to listen on, ``unix:/path`` or ``host:port``.
        log: the file that it logs to.
        options: more options of the command.
    """

    def __init__(self, models_dir: Path, address: str, log: IO[str], *options: str) -> None:
        self.address = address
        self.pids: list[int] = []
        """The pids of all processes so far."""
        self._log = log
        self._command = [
            *(*COVIDSCAN, "model-server", f"--models-dir={models_dir}", *_listening(address)),
            *("--enable_batching=true", f"--batching_parameters_file={EMBEDDED_BATCHING_FILE}"),
            "--file_system_poll_wait_seconds=0.1",
            *options,
        ]
        self._process = self._start()

    def start(self) -> None:
        """Start a new process."""
        self._process = self._start()

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(signal_number)

    def end(self, signal_number: signal.Signals) -> int:
        """End the process with a signal; returns its exit code."""
        self.send(signal_number)
        return self._process.wait(10)

    def is_available(self, name: str, version: int) -> bool:
        """Whether a version of a model is available."""
        try:
            return statuses(self.address, name).get(version) is VersionState.AVAILABLE
        except ModelServerError:
            return False

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stderr=self._log)
        self.pids.append(process.pid)
        return process


def _listening(address: str) -> list[str]:
    host, _, port_or_path = address.partition(":")
    if host == "unix":
        return [f"--socket={port_or_path}"]
    return [f"--host={host}", f"--port={port_or_path}"]
