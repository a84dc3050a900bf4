"""The embedded model server: the services on a gRPC server, and its life from start to stop."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from serving import protocol
from serving.embedded.engine import Engine
from serving.embedded.model_service import ModelService
from serving.embedded.prediction_service import PredictionService
from serving.embedded.repository import DEFAULT_POLL_SECONDS, ModelRepository
from serving.embedded.status import CallError
from serving.model_config import ModelConfig
from serving.protos.model_metadata_pb2 import GetModelMetadataRequest
from serving.protos.model_status_pb2 import GetModelStatusRequest
from serving.protos.predict_pb2 import PredictRequest

logger = logging.getLogger(__name__)

DEFAULT_GRACE_SECONDS: Final = 2.0
_MESSAGE_LIMIT: Final = 1024
"""TensorFlow Serving cuts its messages here."""

_Request = TypeVar("_Request", bound=Message)

if TYPE_CHECKING:
    _MethodHandler = grpc.RpcMethodHandler[Any, Any]
    _Context = grpc.aio.ServicerContext[Any, Any]


class EmbeddedModelServer:
    """Serves models on an address in the running event loop.

    ::

        async with EmbeddedModelServer(configs, "127.0.0.1:0") as server:
            print(server.address)
            await server.wait()

    Args:
        configs: the models and their directories.
        address: ``host:port`` (port 0 takes a free one) or ``unix:/path``.
        precision: of the engine's arithmetic, ``f32`` or ``bf16``.
        poll_seconds: pause between two looks at a model's directory.
        grace_seconds: how long calls in flight may take when the server stops.
    """

    def __init__(
        self,
        configs: Sequence[ModelConfig],
        address: str,
        *,
        precision: str = "f32",
        poll_seconds: float = DEFAULT_POLL_SECONDS,
        grace_seconds: float = DEFAULT_GRACE_SECONDS,
    ) -> None:
        self.address = address
        self._grace_seconds = grace_seconds
        self._executor = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="infer")
        self._health = health.HealthServicer()
        self._repository = ModelRepository(configs, Engine(precision), poll_seconds=poll_seconds)
        self._changed = asyncio.Event()
        self._repository.on_change(self._changed.set)
        self._health_task: asyncio.Task[None] | None = None
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_send_message_length", protocol.MAX_MESSAGE_BYTES),
                ("grpc.max_receive_message_length", protocol.MAX_MESSAGE_BYTES),
                # Two servers on one port would share its calls in silence.
                ("grpc.so_reuseport", 0),
            )
        )

    async def __aenter__(self) -> Self:
        """Open the port and begin to load; health tells when all models are there.

        Raises:
            RuntimeError: the address cannot be bound.
        """
        self._add_services()
        port = self._server.add_insecure_port(self.address)
        if not self.address.startswith("unix:"):
            self.address = f"{self.address.rpartition(':')[0]}:{port}"
        await self._server.start()
        self._health_task = asyncio.create_task(self._keep_health_true(), name="health")
        self._repository.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Refuse new calls, let those in flight finish within the grace period, unload."""
        if self._health_task:
            self._health_task.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._grace_seconds)
        await self._repository.stop()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def wait(self) -> None:
        """Wait until the server is stopped."""
        await self._server.wait_for_termination()

    def _add_services(self) -> None:
        predictions, models = (
            PredictionService(self._repository, self._executor),
            ModelService(self._repository),
        )
        self._add_service(
            protocol.PREDICTION_SERVICE,
            {
                "Predict": _handler(predictions.predict, PredictRequest),
                "GetModelMetadata": _handler(
                    predictions.get_model_metadata, GetModelMetadataRequest
                ),
            },
        )
        self._add_service(
            protocol.MODEL_SERVICE,
            {"GetModelStatus": _handler(models.get_model_status, GetModelStatusRequest)},
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def _add_service(self, name: str, handlers: dict[str, "_MethodHandler"]) -> None:
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, handlers),)
        )

    async def _keep_health_true(self) -> None:
        """Health of each model by its name, and of the server by the empty name."""
        while True:
            available = {
                name: servable.find() is not None
                for name, servable in self._repository.servables.items()
            }
            for name, serving in {**available, "": all(available.values())}.items():
                await self._health.set(
                    name,
                    health_pb2.HealthCheckResponse.SERVING
                    if serving
                    else health_pb2.HealthCheckResponse.NOT_SERVING,
                )
            await self._changed.wait()
            self._changed.clear()


def _handler(
    method: Callable[[_Request], Awaitable[Message]], request_type: type[_Request]
) -> "_MethodHandler":
    async def handle(request: _Request, context: "_Context") -> Message:
        try:
            return await method(request)
        except CallError as error:
            await context.abort(error.code, _cut(error.message))

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=request_type.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def _cut(message: str) -> str:
    if len(message) <= _MESSAGE_LIMIT:
        return message
    return message[:_MESSAGE_LIMIT] + "...TRUNCATED"
