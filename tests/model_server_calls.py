"""Calls to a model server that has the models of the contract."""

from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving import protocol, tensors
from serving.client import VersionState, encode_images
from serving.contract import INPUT_NAME
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse
from tests.servers import ask

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 64, 64, 3), np.float32)


def predict(address: str, name: str = "vgg16", images: np.ndarray = IMAGES) -> Any:
    return ask(address, lambda c: c.predict(name, encode_images(images), timeout_seconds=10))


def statuses(address: str, name: str = "vgg16") -> dict[int, VersionState]:
    found = ask(address, lambda c: c.version_statuses(name, timeout_seconds=10))
    return {status.version: status.state for status in found}


def health(address: str, service: str = "") -> int:
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, timeout=10).status


def raw_predict(address: str, request: PredictRequest) -> PredictResponse:
    with grpc.insecure_channel(address) as channel:
        method = channel.unary_unary(
            protocol.PREDICT,
            request_serializer=PredictRequest.SerializeToString,
            response_deserializer=PredictResponse.FromString,
        )
        return method(request, timeout=10)


def request_of(array: np.ndarray, **spec: Any) -> PredictRequest:
    return PredictRequest(
        model_spec=ModelSpec(**{"name": "vgg16", **spec}),
        inputs={INPUT_NAME: tensors.encode(array)},
    )
