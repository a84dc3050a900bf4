"""Measures how much memory published models take in TensorFlow Serving's runtime.

Loads each model as TensorFlow Serving does, in its own session, and runs requests of its warm-up
sizes. Then reloads each model several times and closes the old session once its last request is
answered, as a publication does. With ``--clients``, that many threads send requests all the time.
Prints the resident memory beyond what TensorFlow itself takes.

    MALLOC_ARENA_MAX=2 python -m benchmarks.serving_memory --publications 20 --clients 4
"""

import argparse
import gc
import itertools
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving import volume
from serving.contract import INPUT_NAME, MODEL_NAMES, SIGNATURE_NAME
from trainer.native_output import quiet_native_output, start_tensorflow

_KIBIBYTES_PER_MIB: Final = 1024
_BATCH_SIZES: Final = (1, 8)


class _Session:
    """One version of a model, loaded and warmed up as by TensorFlow Serving."""

    def __init__(self, models_dir: Path, name: str) -> None:
        import tensorflow as tf  # noqa: PLC0415 - after start_tensorflow

        self.requests = 0
        """In flight."""
        version_dir = volume.version_dir(models_dir, name, volume.versions(models_dir, name)[-1])
        with quiet_native_output():
            graph = tf.Graph()
            self._session: Any = tf.compat.v1.Session(graph=graph)
            with graph.as_default():
                loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(version_dir))
        signature = loaded.signature_def[SIGNATURE_NAME]
        self._input = signature.inputs[INPUT_NAME].name
        self._outputs = [tensor.name for tensor in signature.outputs.values()]
        for size in _BATCH_SIZES:
            self.predict(size)

    def predict(self, batch_size: int) -> None:
        images = np.zeros((batch_size, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), np.float32)
        self._session.run(self._outputs, {self._input: images})

    def close(self) -> None:
        self._session.close()


class _Server:
    """Answers with the newest session of each model."""

    def __init__(self, models_dir: Path) -> None:
        self.answered = 0
        self._models_dir = models_dir
        self._sessions: dict[str, _Session] = {}
        self._changed = threading.Condition()

    def publish(self, name: str) -> None:
        """Reload a model. Close its previous session once the last request on it is answered."""
        newer = _Session(self._models_dir, name)
        with self._changed:
            older = self._sessions.get(name, newer)
            self._sessions[name] = newer
            self._changed.wait_for(lambda: older is newer or older.requests == 0)
        if older is not newer:
            older.close()

    def answer(self, name: str, batch_size: int) -> None:
        """Answer one request."""
        with self._changed:
            session = self._sessions[name]
            session.requests += 1
        session.predict(batch_size)
        with self._changed:
            session.requests -= 1
            self.answered += 1
            self._changed.notify_all()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--publications", type=int, default=4)
    parser.add_argument("--clients", type=int, default=0)
    arguments = parser.parse_args()
    start_tensorflow()
    before = _resident_mib()
    write = sys.stdout.write
    write("| after | answers | MiB |\n|---|---|---|\n")
    server = _Server(arguments.models_dir)
    for name in MODEL_NAMES:
        server.publish(name)
        write(f"| {name} loaded and warm | 0 | {_resident_mib() - before:.0f} |\n")
    with _clients(server, arguments.clients):
        for number in range(1, arguments.publications + 1):
            for name in MODEL_NAMES:
                server.publish(name)
                gc.collect()
            row = f"publication {number} of each | {server.answered}"
            write(f"| {row} | {_resident_mib() - before:.0f} |\n")
            sys.stdout.flush()


@contextmanager
def _clients(server: _Server, count: int) -> Iterator[None]:
    stop = threading.Event()

    def ask() -> None:
        for name, batch_size in itertools.cycle(itertools.product(MODEL_NAMES, _BATCH_SIZES)):
            if stop.is_set():
                return
            server.answer(name, batch_size)

    with ThreadPoolExecutor(max(count, 1)) as pool:
        asking = [pool.submit(ask) for _ in range(count)]
        try:
            yield
        finally:
            stop.set()
        for each in asking:
            each.result()


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text()
    (kibibytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(kibibytes) / _KIBIBYTES_PER_MIB


if __name__ == "__main__":
    main()
