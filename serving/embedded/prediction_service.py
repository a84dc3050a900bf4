"""PredictionService: Predict and GetModelMetadata, checked before the engine sees a byte."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any, Final

import grpc
import numpy as np
from numpy.typing import NDArray

from serving import protocol, tensors
from serving.contract import SIGNATURE_NAME
from serving.embedded.engine import InferenceError, LoadedModel, TensorSignature
from serving.embedded.repository import ModelRepository
from serving.embedded.servable import ServableVersion
from serving.embedded.status import CallError, invalid_argument, not_found
from serving.protos.model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
    TensorInfo,
)
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse
from serving.protos.tensor_pb2 import DataType, TensorProto

_TYPE_NAMES: Final = {
    DataType.DT_FLOAT: "float",
    DataType.DT_DOUBLE: "double",
    DataType.DT_INT32: "int32",
    DataType.DT_UINT8: "uint8",
    DataType.DT_INT16: "int16",
    DataType.DT_INT8: "int8",
    DataType.DT_STRING: "string",
    DataType.DT_INT64: "int64",
    DataType.DT_BOOL: "bool",
    DataType.DT_HALF: "half",
    DataType.DT_UINT16: "uint16",
    DataType.DT_UINT32: "uint32",
    DataType.DT_UINT64: "uint64",
}


class PredictionService:
    """Answers predictions from the newest available version, or the one asked for.

    Args:
        repository: the models.
        executor: where inference runs.
    """

    def __init__(self, repository: ModelRepository, executor: Executor) -> None:
        self._repository = repository
        self._executor = executor

    async def predict(self, request: PredictRequest) -> PredictResponse:
        """Predict.

        Raises:
            CallError: with TensorFlow Serving's code and message for this refusal.
        """
        version = self._version(request.HasField("model_spec"), request.model_spec)
        _check_signature_name(request.model_spec.signature_name)
        model = version.model
        if model is None:
            raise not_found(_servable_not_found(request.model_spec))
        inputs = _decode_inputs(model, request)
        wanted = _wanted_outputs(model, request.output_filter)
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._executor, model.infer, inputs)
        except InferenceError as error:
            raise CallError(grpc.StatusCode.INTERNAL, str(error)) from error
        response = PredictResponse(
            model_spec=_answering_spec(request.model_spec.name, version, SIGNATURE_NAME)
        )
        for name in wanted:
            response.outputs[name].CopyFrom(tensors.encode(outputs[name]))
        return response

    async def get_model_metadata(
        self, request: GetModelMetadataRequest
    ) -> GetModelMetadataResponse:
        """GetModelMetadata: the one signature of a version.

        Raises:
            CallError: with TensorFlow Serving's code and message for this refusal.
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
        version = self._version(True, request.model_spec)
        response = GetModelMetadataResponse(
            model_spec=_answering_spec(request.model_spec.name, version, "")
        )
        if version.model is not None:
            packed = response.metadata[protocol.SIGNATURE_DEF_FIELD]
            packed.type_url = protocol.SIGNATURE_DEF_MAP_TYPE_URL
            packed.value = _signature_def_map(version.model).SerializeToString()
        return response

    def _version(self, has_spec: bool, spec: ModelSpec) -> ServableVersion:
        if not has_spec:
            raise invalid_argument("Missing ModelSpec")
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version_label":
            raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
        servable = self._repository.servables.get(spec.name)
        number = spec.version.value if spec.HasField("version") else None
        version = servable.find(number) if servable else None
        if version is None:
            raise not_found(_servable_not_found(spec))
        return version


def _servable_not_found(spec: ModelSpec) -> str:
    if spec.HasField("version"):
        return f"Servable not found for request: Specific({spec.name}, {spec.version.value})"
    return f"Servable not found for request: Latest({spec.name})"


def _check_signature_name(name: str) -> None:
    if name not in ("", SIGNATURE_NAME):
        raise CallError(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        )


def _decode_inputs(model: LoadedModel, request: PredictRequest) -> dict[str, NDArray[Any]]:
    expected = {signature.name for signature in model.inputs}
    given = set(request.inputs)
    if len(given) != len(expected):
        raise invalid_argument(
            f"input size does not match signature: {len(given)}!={len(expected)}"
            f" len({_set(given)}) != len({_set(expected)})."
            f" Sent extra: {_set(given - expected)}."
            f" Missing but required: {_set(expected - given)}."
        )
    for name in sorted(expected - given):
        raise invalid_argument(
            f"Signature input alias: {name}(feed name: serving_default_{name}:0) not found in"
            " request and no default value provided. Inputs expected to be in the request"
            f" {_set(given)}, or default input alias set: "
        )
    return {
        signature.name: _decode_input(position, signature, request.inputs[signature.name])
        for position, signature in enumerate(model.inputs)
    }


def _decode_input(position: int, signature: TensorSignature, tensor: TensorProto) -> NDArray[Any]:
    try:
        array = tensors.decode(tensor)
    except tensors.TensorError as error:
        raise invalid_argument(f"tensor parsing error: {signature.name}") from error
    if array.dtype != signature.dtype:
        expected = _TYPE_NAMES[tensors.data_type(signature.dtype)]
        given = _TYPE_NAMES[tensor.dtype]
        raise invalid_argument(f"Expects arg[{position}] to be {expected} but {given} is provided")
    if not signature.accepts(array.shape):
        raise invalid_argument(
            f"input {signature.name} has shape {list(array.shape)},"
            f" the signature takes {list(signature.shape)} and no empty dimension"
        )
    return np.ascontiguousarray(array)


def _wanted_outputs(model: LoadedModel, output_filter: Iterable[str]) -> list[str]:
    names = [signature.name for signature in model.outputs]
    wanted = list(output_filter)
    for name in wanted:
        if name not in names:
            raise invalid_argument(
                f"output tensor alias not found in signature: {name}"
                f" Outputs expected to be in the set {_set(names)}."
            )
    return wanted or names


def _answering_spec(name: str, version: ServableVersion, signature_name: str) -> ModelSpec:
    spec = ModelSpec(name=name, signature_name=signature_name)
    spec.version.value = version.number
    return spec


def _signature_def_map(model: LoadedModel) -> SignatureDefMap:
    signatures = SignatureDefMap()
    signature = signatures.signature_def[SIGNATURE_NAME]
    signature.method_name = protocol.PREDICT_METHOD_NAME
    for tensor in model.inputs:
        signature.inputs[tensor.name].CopyFrom(
            _tensor_info(f"serving_default_{tensor.name}:0", tensor)
        )
    for position, tensor in enumerate(model.outputs):
        signature.outputs[tensor.name].CopyFrom(
            _tensor_info(f"StatefulPartitionedCall:{position}", tensor)
        )
    return signatures


def _tensor_info(graph_name: str, tensor: TensorSignature) -> TensorInfo:
    return TensorInfo(
        name=graph_name,
        dtype=tensors.data_type(tensor.dtype),
        tensor_shape=tensors.shape_proto(tensor.shape),
    )


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
