"""The engine: OpenVINO Runtime, which reads SavedModels without TensorFlow."""

import queue
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray

from serving.contract import SIGNATURE_NAME
from serving.embedded.errors import ModelLoadError
from serving.embedded.saved_model import read_signatures
from serving.errors import ServingError
from serving.precision import Precision
from serving.protos.model_metadata_pb2 import SignatureDefMap
from serving.protos.model_status_pb2 import Code

_NUMPY_DTYPES: Final[dict[openvino.Type, np.dtype[Any]]] = {
    openvino.Type.f32: np.dtype(np.float32),
    openvino.Type.f64: np.dtype(np.float64),
    openvino.Type.i32: np.dtype(np.int32),
    openvino.Type.i64: np.dtype(np.int64),
    openvino.Type.u8: np.dtype(np.uint8),
    openvino.Type.boolean: np.dtype(np.bool_),
}

_OPENVINO_SOURCE: Final = re.compile(r"\.(cpp|hpp|h):\d+")

_MAX_ROWS_KEPT: Final = 64


class InferenceError(ServingError):
    """The engine failed on inputs that match the signature."""


@dataclass(frozen=True)
class TensorSignature:
    """Name, dtype and shape of an input or output; -1 means any size."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a concrete shape matches; no dimension may be empty."""
        return len(shape) == len(self.shape) and all(
            size > 0 and expected in (-1, size)
            for size, expected in zip(shape, self.shape, strict=True)
        )


class LoadedModel:
    """A compiled model; several threads may use it concurrently.

    Args:
        compiled: the signature ``serving_default`` of a SavedModel.
        signatures: all signatures of the SavedModel.
    """

    def __init__(self, compiled: openvino.CompiledModel, signatures: SignatureDefMap) -> None:
        self._compiled = compiled
        self.signatures = signatures
        self._idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()
        self.inputs = [_tensor_signature(port) for port in compiled.inputs]
        self.outputs = [_tensor_signature(port) for port in compiled.outputs]

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the model; the arrays must match the signature.

        Args:
            inputs: by name.

        Returns:
            All outputs, by name.

        Raises:
            InferenceError: the engine failed.
        """
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            results = request.infer(dict(inputs), share_inputs=True)
            return {
                signature.name: np.array(results[port])
                for signature, port in zip(self.outputs, self._compiled.outputs, strict=True)
            }
        except RuntimeError as error:
            raise InferenceError("the engine failed on this request") from error
        finally:
            # An infer request keeps the memory of its largest run, so large ones are not reused.
            if all(len(array) <= _MAX_ROWS_KEPT for array in inputs.values() if array.ndim):
                self._idle.put(request)

    def warm_up(self) -> dict[str, NDArray[Any]]:
        """Run the model on zeros, with size 1 for dimensions of any size.

        Returns:
            All outputs.

        Raises:
            InferenceError: the engine failed.
        """
        return self.infer(
            {
                signature.name: np.zeros(
                    [1 if size == -1 else size for size in signature.shape], signature.dtype
                )
                for signature in self.inputs
            }
        )


class Engine:
    """Loads versions onto the CPU.

    Args:
        precision: of its arithmetic.
        streams: concurrent runs of a model, each on its share of the cores.
        pin_threads: whether a model pins its threads to cores. Models do not coordinate, so several
            would choose the same cores: docs/decisions/0007.
    """

    def __init__(
        self,
        precision: Precision = Precision.F32,
        *,
        streams: int = 1,
        pin_threads: bool = False,
    ) -> None:
        self._core = openvino.Core()
        # OpenVINO's bindings initialise NumPy support when the first tensor is created. Two threads
        # that do so at the same time deadlock, so the first tensor is created here, before there
        # are threads.
        _ = openvino.Tensor(np.zeros(1, np.float32)).data
        self._options = {
            "INFERENCE_PRECISION_HINT": precision.value,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": pin_threads,
        }

    def load(self, version_dir: Path) -> LoadedModel:
        """Read, compile and warm up one version.

        Raises:
            ModelLoadError: it is not a SavedModel with a servable signature.
        """
        signatures = read_signatures(version_dir)
        if SIGNATURE_NAME not in signatures.signature_def:
            raise _unservable(f'Serving signature key "{SIGNATURE_NAME}" not found.')
        try:
            model = self._core.read_model(version_dir)
            loaded = LoadedModel(self._core.compile_model(model, "CPU", self._options), signatures)
            # So that the first request does not have to wait for the engine's initialisation.
            loaded.warm_up()
        except (RuntimeError, InferenceError) as error:
            raise _unservable(f"{version_dir} cannot be served: {_reason(error)}") from error
        return loaded


def _tensor_signature(port: openvino.ConstOutput) -> TensorSignature:
    element_type = port.get_element_type()
    if element_type not in _NUMPY_DTYPES:
        raise _unservable(f"tensors of type {element_type} are not supported")
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise _unservable(f"the rank of {port.get_any_name()} is unknown")
    sizes = tuple(-1 if dim.is_dynamic else dim.get_length() for dim in shape)
    return TensorSignature(port.get_any_name(), _NUMPY_DTYPES[element_type], sizes)


def _unservable(reason: str) -> ModelLoadError:
    return ModelLoadError(Code.INVALID_ARGUMENT, reason)


def _reason(error: Exception) -> str:
    """OpenVINO's message without the lines that mention its own source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not _OPENVINO_SOURCE.search(line)]
    return " ".join(kept) or type(error).__name__
