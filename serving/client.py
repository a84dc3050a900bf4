"""The client of a model server: every call has a deadline, and errors are translated.

A call propagates the current trace, if there is one (W3C Trace Context).
"""

import enum
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from serving import protocol, tensors
from serving.contract import (
    CLASS_NAMES,
    INPUT_NAME,
    OLD_OOD_OUTPUT_NAME,
    OOD_OUTPUT_NAME,
    OUTPUT_NAME,
    SIGNATURE_NAME,
)
from serving.errors import InvalidAnswerError
from serving.probabilities import are_distributions
from serving.protos.model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
)
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse
from serving.replica_addresses import ReplicaAddresses
from serving.replicas import Replicas

_M = TypeVar("_M", bound=Message)

_OOD_OUTPUT_NAMES: Final = (OOD_OUTPUT_NAME, OLD_OOD_OUTPUT_NAME)


class VersionState(enum.Enum):
    """The states of a version, as TensorFlow Serving names them."""

    UNKNOWN = ModelVersionStatus.UNKNOWN
    START = ModelVersionStatus.START
    LOADING = ModelVersionStatus.LOADING
    AVAILABLE = ModelVersionStatus.AVAILABLE
    UNLOADING = ModelVersionStatus.UNLOADING
    END = ModelVersionStatus.END


@dataclass(frozen=True)
class VersionStatus:
    """The status of one version on the model server; ``error`` is empty if there is none."""

    version: int
    state: VersionState
    error: str

    @property
    def is_available(self) -> bool:
        """Whether the version answers predictions."""
        return self.state is VersionState.AVAILABLE


@dataclass(frozen=True)
class Prediction:
    """The answer of one model."""

    version: int
    """The version that answered."""
    probabilities: NDArray[np.float32]
    """``[N, 2]``."""
    ood_scores: NDArray[np.float32] | None = None
    """``[N]``; None if the version has no such output."""


@dataclass(frozen=True)
class EncodedImages:
    """A batch that is serialised once for all models."""

    count: int
    message: bytes
    """A serialised ``PredictRequest`` without its ``model_spec``."""


def encode_images(images: NDArray[np.float32]) -> EncodedImages:
    """Serialise a batch, float32 ``[N, 64, 64, 3]``.

    The request has no output filter, so a version returns all its outputs. Versions without an
    out-of-distribution score would reject a request that names it.
    """
    request = PredictRequest(inputs={INPUT_NAME: tensors.encode(images)})
    return EncodedImages(len(images), request.SerializeToString())


class ModelServerClient:
    """Calls TensorFlow Serving's gRPC API on all replicas behind one address.

    ::

        async with ModelServerClient("127.0.0.1:8500") as client:
            prediction = await client.predict(
                "vgg16", encode_images(images), timeout_seconds=1.0
            )

    Args:
        address: ``host:port``, ``dns:///name:port``, ``unix:/path``, or several addresses as
            ``ipv4:host:port,host:port``.
        credentials: for TLS; without them the connection is not encrypted.
    """

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        self._replicas = Replicas(ReplicaAddresses(address), credentials)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections; calls in flight are cancelled."""
        await self._replicas.close()

    async def predict(
        self, name: str, images: EncodedImages, *, timeout_seconds: float
    ) -> Prediction:
        """Ask one model's newest available version.

        Args:
            name: the servable.
            images: a batch from ``encode_images``.
            timeout_seconds: the deadline, which is sent with the call.

        Raises:
            ModelServerError: the call failed; the subclass says why.
        """
        # Concatenated serialised messages merge, so this is one complete PredictRequest.
        spec = PredictRequest(model_spec=ModelSpec(name=name, signature_name=SIGNATURE_NAME))
        request = spec.SerializeToString() + images.message
        answer = await self._replicas.call(
            protocol.PREDICT, name, request, timeout_seconds=timeout_seconds
        )
        response = _parse(PredictResponse(), answer)
        probabilities = _probabilities(name, response)
        ood_scores = _ood_scores(name, response)
        for rows in (probabilities, ood_scores):
            if rows is not None and len(rows) != images.count:
                raise InvalidAnswerError(
                    f"the answer of {name} has {len(rows)} rows for {images.count} images"
                )
        return Prediction(response.model_spec.version.value, probabilities, ood_scores)

    async def version_statuses(self, name: str, *, timeout_seconds: float) -> list[VersionStatus]:
        """All versions of a model on the server, newest first.

        Raises:
            ModelNotFoundError: the server never had a version of this model.
            ModelServerError: the call failed for another reason; the subclass says which.
        """
        request = GetModelStatusRequest(model_spec=ModelSpec(name=name)).SerializeToString()
        answer = await self._replicas.call(
            protocol.GET_MODEL_STATUS,
            name,
            request,
            timeout_seconds=timeout_seconds,
            # A replica that is still starting already lists the model.
            has_model=lambda answer: any(each.is_available for each in _version_statuses(answer)),
        )
        return _version_statuses(answer)

    async def has_available_version(self, name: str, *, timeout_seconds: float) -> bool:
        """Whether the server has a version of a model that answers predictions.

        Raises:
            ModelServerError: the call failed; the subclass says why.
        """
        statuses = await self.version_statuses(name, timeout_seconds=timeout_seconds)
        return any(each.is_available for each in statuses)


def _version_statuses(answer: bytes) -> list[VersionStatus]:
    response = _parse(GetModelStatusResponse(), answer)
    return [
        VersionStatus(status.version, VersionState(status.state), status.status.error_message)
        for status in sorted(response.model_version_status, key=lambda s: -s.version)
    ]


def _parse(message: _M, data: bytes) -> _M:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise InvalidAnswerError("the answer is not the expected message") from error
    return message


def _probabilities(name: str, response: PredictResponse) -> NDArray[np.float32]:
    if OUTPUT_NAME not in response.outputs:
        raise InvalidAnswerError(f"the answer of {name} has no output {OUTPUT_NAME!r}")
    values = _decode(name, response, OUTPUT_NAME)
    if values.dtype != np.float32 or values.shape[1:] != (len(CLASS_NAMES),):
        raise InvalidAnswerError(f"the answer of {name} is {values.dtype} {values.shape}")
    if not are_distributions(values):
        raise InvalidAnswerError(f"the answer of {name} is not a probability distribution")
    return np.clip(values, 0, 1)


def _ood_scores(name: str, response: PredictResponse) -> NDArray[np.float32] | None:
    output = next((each for each in _OOD_OUTPUT_NAMES if each in response.outputs), None)
    if output is None:
        return None
    values = _decode(name, response, output)
    if values.dtype != np.float32 or values.ndim != 1:
        raise InvalidAnswerError(
            f"the out-of-distribution scores of {name} are {values.dtype} {values.shape}"
        )
    if not (np.isfinite(values) & (values >= 0)).all():
        raise InvalidAnswerError(
            f"the out-of-distribution scores of {name} are negative or not finite"
        )
    return values


def _decode(name: str, response: PredictResponse, output: str) -> NDArray[Any]:
    try:
        return tensors.decode(response.outputs[output])
    except tensors.TensorError as error:
        raise InvalidAnswerError(f"the answer of {name} cannot be decoded: {error}") from error
