"""gRPC handlers for the services: parse requests, set status codes, count calls, hide internals."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from serving import protocol
from serving.embedded.errors import CallError
from serving.embedded.metrics import Metrics
from serving.embedded.model_service import ModelService
from serving.embedded.prediction_service import PredictionService
from serving.embedded.repository import ModelRepository
from serving.protos.model_config_pb2 import ReloadConfigRequest
from serving.protos.model_metadata_pb2 import GetModelMetadataRequest
from serving.protos.model_status_pb2 import GetModelStatusRequest
from serving.protos.predict_pb2 import PredictRequest, PredictResponse

logger = logging.getLogger(__name__)

_MESSAGE_LIMIT: Final = 1024
"""TensorFlow Serving truncates its messages at this length."""

_Request = TypeVar("_Request", bound=Message)

if TYPE_CHECKING:
    _MethodHandler = grpc.RpcMethodHandler[Any, Any]
    _Context = grpc.aio.ServicerContext[Any, Any]


class CallHandlers:
    """Creates gRPC handlers for services.

    Args:
        repository: the models, whose names may be used as metric labels.
        metrics: count every call.
    """

    def __init__(self, repository: ModelRepository, metrics: Metrics) -> None:
        self._repository = repository
        self._metrics = metrics
        self._in_progress = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    async def finish(self, timeout_seconds: float) -> None:
        """Reject new calls, and wait for those in progress until the timeout."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()

    def prediction_service(self, service: PredictionService) -> grpc.GenericRpcHandler:
        """The methods of PredictionService."""
        return _generic_handler(
            protocol.PREDICTION_SERVICE,
            self._method(protocol.PREDICT, service.predict, PredictRequest),
            self._method(
                protocol.GET_MODEL_METADATA, service.get_model_metadata, GetModelMetadataRequest
            ),
        )

    def model_service(self, service: ModelService) -> grpc.GenericRpcHandler:
        """The methods of ModelService."""
        return _generic_handler(
            protocol.MODEL_SERVICE,
            self._method(
                protocol.GET_MODEL_STATUS, service.get_model_status, GetModelStatusRequest
            ),
            self._method(
                protocol.HANDLE_RELOAD_CONFIG_REQUEST,
                service.handle_reload_config_request,
                ReloadConfigRequest,
            ),
        )

    def _method(
        self,
        path: str,
        method: Callable[[_Request], Awaitable[Message]],
        request_type: type[_Request],
    ) -> "tuple[str, _MethodHandler]":
        """The name of a method in its service, and its handler."""
        name = path.rpartition("/")[2]

        async def handle(message: bytes, context: "_Context") -> Message:
            try:
                request = request_type.FromString(message)
            except DecodeError:
                await context.abort(
                    grpc.StatusCode.INTERNAL, f"this is not a {request_type.DESCRIPTOR.name}"
                )
            del message
            if self._stopping:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the model server is stopping")
            started = self._begin(name)
            response: Message | None = None
            rejection: CallError | None = None
            code = grpc.StatusCode.OK
            try:
                response = await method(request)
            except CallError as error:
                code, rejection = error.code, error
            except asyncio.CancelledError:
                # The deadline has passed, or the client has disconnected.
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception:
                logger.exception("unhandled exception in %s", name)
                code = grpc.StatusCode.INTERNAL
                rejection = CallError(code, "internal error while handling the request")
            finally:
                self._end(name, request, response, code, time.perf_counter() - started)
            if response is None:
                await context.abort(code, _truncated(rejection.message if rejection else ""))
            return response

        return name, grpc.unary_unary_rpc_method_handler(
            handle,
            response_serializer=lambda response: response.SerializeToString(),
        )

    def _begin(self, method: str) -> float:
        self._in_progress += 1
        self._idle.clear()
        self._metrics.begin_request(method)
        return time.perf_counter()

    def _end(
        self,
        method: str,
        request: Message,
        response: Message | None,
        code: grpc.StatusCode,
        seconds: float,
    ) -> None:
        self._in_progress -= 1
        if self._in_progress == 0:
            self._idle.set()
        asked = request.model_spec.name if hasattr(request, "model_spec") else ""
        model = asked if asked in self._repository.served else ""
        version = (
            str(response.model_spec.version.value) if isinstance(response, PredictResponse) else ""
        )
        self._metrics.observe_request(method, model, version, code.name, seconds)


def _generic_handler(
    service: str, *methods: "tuple[str, _MethodHandler]"
) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(service, dict(methods))


def _truncated(message: str) -> str:
    if len(message) <= _MESSAGE_LIMIT:
        return message
    return message[:_MESSAGE_LIMIT] + "...TRUNCATED"
