"""PredictionService: Predict and GetModelMetadata."""

import contextlib
from typing import Final

import grpc

from serving import protocol, tensors
from serving.contract import SIGNATURE_NAME
from serving.embedded.engine import InferenceError
from serving.embedded.errors import CallError, invalid_argument
from serving.embedded.repository import ModelRepository
from serving.embedded.request_tensors import check_signature_name, decode_inputs, requested_outputs
from serving.embedded.scheduler import Scheduler
from serving.embedded.servable import ServableVersion
from serving.protos.model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse

MAX_BYTES_IN_PROGRESS: Final = 1024 * 1024 * 1024
"""The limit for the decoded tensors of all requests in progress."""


class PredictionService:
    """Answers predictions with the newest available version, or the requested one.

    Args:
        repository: the models.
        scheduler: runs requests, in batches.
        max_concurrent_requests: more requests than this are rejected.
        answer_as_content: whether responses use ``tensor_content`` instead of typed fields.
    """

    def __init__(
        self,
        repository: ModelRepository,
        scheduler: Scheduler,
        *,
        max_concurrent_requests: int,
        answer_as_content: bool,
    ) -> None:
        self._repository = repository
        self._scheduler = scheduler
        self._max_concurrent_requests = max_concurrent_requests
        self._concurrent_requests = 0
        self._bytes_in_progress = 0
        self._encode = tensors.encode if answer_as_content else tensors.encode_values

    async def predict(self, request: PredictRequest) -> PredictResponse:
        """Predict; removes the inputs from the request.

        Raises:
            CallError: with TensorFlow Serving's status code and message.
        """
        if self._concurrent_requests >= self._max_concurrent_requests:
            raise CallError(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        size_bytes = max(_declared_bytes(request), request.ByteSize())
        if self._bytes_in_progress + size_bytes > MAX_BYTES_IN_PROGRESS:
            raise CallError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "the requests in progress are too large"
            )
        self._concurrent_requests += 1
        self._bytes_in_progress += size_bytes
        try:
            return await self._predict(request)
        finally:
            self._concurrent_requests -= 1
            self._bytes_in_progress -= size_bytes

    async def get_model_metadata(
        self, request: GetModelMetadataRequest
    ) -> GetModelMetadataResponse:
        """GetModelMetadata: all signatures of a version's SavedModel.

        Raises:
            CallError: with TensorFlow Serving's status code and message.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != protocol.SIGNATURE_DEF_FIELD:
                raise invalid_argument(f"Metadata field {field} is not supported")
        version = self._repository.find(request.model_spec)
        response = GetModelMetadataResponse(
            model_spec=_response_spec(request.model_spec.name, version)
        )
        packed = response.metadata[protocol.SIGNATURE_DEF_FIELD]
        packed.type_url = protocol.SIGNATURE_DEF_MAP_TYPE_URL
        packed.value = version.loaded.signatures.SerializeToString()
        return response

    async def _predict(self, request: PredictRequest) -> PredictResponse:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        version = self._repository.find(request.model_spec)
        check_signature_name(request.model_spec.signature_name)
        model = version.loaded
        inputs = decode_inputs(model, request)
        requested = requested_outputs(model, request.output_filter)
        # While a request waits, it keeps only its arrays in memory, not their messages.
        request.ClearField("inputs")
        try:
            outputs = await self._scheduler.infer(version, inputs)
        except InferenceError as error:
            # The engine also checks what a signature cannot express: that inputs have equal row
            # counts.
            is_client_error = len({len(array) for array in inputs.values() if array.ndim}) > 1
            raise CallError(
                grpc.StatusCode.INVALID_ARGUMENT if is_client_error else grpc.StatusCode.INTERNAL,
                str(error),
            ) from error
        response = PredictResponse(
            model_spec=_response_spec(request.model_spec.name, version, SIGNATURE_NAME)
        )
        for name in requested:
            response.outputs[name].CopyFrom(self._encode(outputs[name]))
        return response


def _declared_bytes(request: PredictRequest) -> int:
    size_bytes = 0
    for tensor in request.inputs.values():
        # A tensor that cannot be decoded is rejected later, with its reason.
        with contextlib.suppress(tensors.TensorError):
            size_bytes += tensors.size_bytes(tensor)
    return size_bytes


def _response_spec(name: str, version: ServableVersion, signature_name: str = "") -> ModelSpec:
    spec = ModelSpec(name=name, signature_name=signature_name)
    spec.version.value = version.number
    return spec
