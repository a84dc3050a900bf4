"""Calls to whichever replica of a model server serves a model.

All replicas behind an address are asked in turn. One that starts up, or stops, lacks models that
the others have. So where replicas have a health service (``grpc.health.v1``), each model has a
channel of its own, which calls only those replicas that report this model as ``SERVING``. All
channels share one connection to each replica.
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving import protocol
from serving.errors import (
    ModelDeadlineError,
    ModelNotFoundError,
    ModelNowhereError,
    ModelServerError,
    ModelServerExhaustedError,
    ModelServerUnavailableError,
)

if TYPE_CHECKING:
    _Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", protocol.MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", protocol.MAX_MESSAGE_BYTES),
    # A restarted model server is found again at once, not after gRPC's default of up to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A name is looked up again whenever a connection ends. gRPC's default of 30 s would keep the
    # replica that takes the place of a lost one without calls for so long.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)

_CHECK_SECONDS: Final = 1.0
_NO_HEALTH_SERVICE_SECONDS: Final = 60.0
"""How long a server without a health service is not asked for one again."""

_ERRORS: Final[dict[grpc.StatusCode, type[ModelServerError]]] = {
    grpc.StatusCode.NOT_FOUND: ModelNotFoundError,
    grpc.StatusCode.DEADLINE_EXCEEDED: ModelDeadlineError,
    grpc.StatusCode.UNAVAILABLE: ModelServerUnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ModelServerExhaustedError,
    grpc.StatusCode.CANCELLED: ModelServerUnavailableError,
}

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


class Replicas:
    """Calls the replicas behind one address, each model's calls where the model is served.

    Args:
        address: ``host:port``, ``dns:///name:port`` or ``unix:/path``.
        credentials: for TLS; without them the connection is not encrypted.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        address: str,
        credentials: grpc.ChannelCredentials | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._clock = clock
        self._all = _Channel(address, credentials, model=None)
        self._serving: dict[str, _Channel] = {}
        """By model, calls only the replicas that serve it."""
        self._has_health_service = False
        self._check_health_from = float("-inf")

    async def close(self) -> None:
        """Close all connections; calls in flight are cancelled."""
        for channel in (self._all, *self._serving.values()):
            await channel.close()

    async def call(self, path: str, model: str, request: bytes, *, timeout_seconds: float) -> bytes:
        """Call a method about a model; gives the serialised response.

        Args:
            path: of the method.
            model: its name.
            request: serialised.
            timeout_seconds: the deadline, which travels with the call.

        Raises:
            ModelNowhereError: NOT_FOUND, and no replica reports that it serves the model.
            ModelServerError: the call failed otherwise, by the subclass that says why.
        """
        deadline = self._clock() + timeout_seconds
        if not await self._check_for_health_service(timeout_seconds):
            return await self._all.call(path, request, deadline - self._clock())
        if model not in self._serving:
            self._serving[model] = _Channel(self._address, self._credentials, model=model)
        serving = self._serving[model]
        if not serving.has_no_replica:
            try:
                return await serving.call(path, request, deadline - self._clock())
            except ModelServerUnavailableError:
                if not serving.has_no_replica:
                    raise
        # Any replica can say why: the model is not there, or has no version yet, or nobody answers.
        try:
            return await self._all.call(path, request, deadline - self._clock())
        except ModelNotFoundError as error:
            raise ModelNowhereError(str(error)) from error

    async def _check_for_health_service(self, timeout_seconds: float) -> bool:
        """Whether replicas have a health service.

        TensorFlow Serving has none by default. gRPC would take its replicas as healthy, but write a
        line to stderr for each connection and model.
        """
        if self._has_health_service or self._clock() < self._check_health_from:
            return self._has_health_service
        status = await self._all.status(
            protocol.CHECK_HEALTH, protocol.WHOLE_SERVER, min(timeout_seconds, _CHECK_SECONDS)
        )
        # While no replica answers nothing is known.
        self._has_health_service = status in (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND)
        if status is grpc.StatusCode.UNIMPLEMENTED:
            self._check_health_from = self._clock() + _NO_HEALTH_SERVICE_SECONDS
        return self._has_health_service


class _Channel:
    """One gRPC channel: to all replicas, or to those that serve a model."""

    def __init__(
        self, address: str, credentials: grpc.ChannelCredentials | None, *, model: str | None
    ) -> None:
        service_config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
        if model is not None:
            service_config["healthCheckConfig"] = {"serviceName": model}
        options = (*_CHANNEL_OPTIONS, ("grpc.service_config", json.dumps(service_config)))
        self._channel = (
            grpc.aio.insecure_channel(address, options=options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=options)
        )
        self._methods: dict[str, _Method] = {}

    @property
    def has_no_replica(self) -> bool:
        """Whether every replica is unreachable or reports that it does not serve the model."""
        return self._channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, path: str, request: bytes, timeout_seconds: float) -> bytes:
        trace_context: dict[str, str] = {}
        _TRACE_CONTEXT.inject(trace_context)
        metadata = tuple(trace_context.items())
        try:
            return await self._method(path)(request, timeout=timeout_seconds, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            translated = _ERRORS.get(error.code(), ModelServerError)
            raise translated(f"{error.code().name}: {error.details()}") from error

    async def status(self, path: str, request: bytes, timeout_seconds: float) -> grpc.StatusCode:
        try:
            await self._method(path)(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def _method(self, path: str) -> "_Method":
        if path not in self._methods:
            # Requests are handed over as bytes: the inputs are serialised once, not once a model.
            self._methods[path] = self._channel.unary_unary(path)
        return self._methods[path]
