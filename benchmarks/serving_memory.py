"""How much memory published models take in TensorFlow Serving's runtime.

Loads each model as TensorFlow Serving does, in a session of its own, and asks it for the sizes of
its warm-up requests. Then loads each anew several times and closes the old session, as a
publication does. Prints the resident memory beyond what TensorFlow itself takes.

    MALLOC_ARENA_MAX=2 python -m benchmarks.serving_memory --models-dir models
"""

import argparse
import gc
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from serving import volume
from serving.contract import CHANNELS, IMAGE_SIZE, INPUT_NAME, MODEL_NAMES, SIGNATURE_NAME
from trainer.native_output import quiet_native_output, start_tensorflow

_KIBIBYTES_PER_MIB: Final = 1024
_BATCH_SIZES: Final = (1, 8)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--publications", type=int, default=4)
    arguments = parser.parse_args()
    start_tensorflow()
    before = _resident_mib()
    write = sys.stdout.write
    write("| after | MiB |\n|---|---|\n")
    sessions = {}
    for name in MODEL_NAMES:
        sessions[name] = _serve(arguments.models_dir, name)
        write(f"| {name} loaded and warm | {_resident_mib() - before:.0f} |\n")
    for number in range(1, arguments.publications + 1):
        for name in MODEL_NAMES:
            newer = _serve(arguments.models_dir, name)
            sessions[name].close()
            sessions[name] = newer
            gc.collect()
        write(f"| publication {number} of each | {_resident_mib() - before:.0f} |\n")


def _serve(models_dir: Path, name: str) -> Any:  # noqa: ANN401 - TensorFlow has no types
    import tensorflow as tf  # noqa: PLC0415 - after its start

    version_dir = volume.version_dir(models_dir, name, volume.versions(models_dir, name)[-1])
    with quiet_native_output():
        graph = tf.Graph()
        session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version_dir))
        signature = loaded.signature_def[SIGNATURE_NAME]
        outputs = [tensor.name for tensor in signature.outputs.values()]
        for size in _BATCH_SIZES:
            images = np.zeros((size, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), np.float32)
            session.run(outputs, {signature.inputs[INPUT_NAME].name: images})
    return session


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text()
    (kibibytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(kibibytes) / _KIBIBYTES_PER_MIB


if __name__ == "__main__":
    main()
