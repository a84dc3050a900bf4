"""Calls the replicas of a model server that serve a model.

Replicas are called in turn. A replica that has no version of a model yet, or cannot be reached, is
skipped for a moment if there are others.

gRPC's own load balancing is not used. Its client-side health checks, in grpcio 1.85, crash the
process with a segmentation fault if connections break soon after they were made. Without them, a
retry cannot be sent to a different replica.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving import protocol
from serving.errors import (
    ModelDeadlineError,
    ModelNotFoundError,
    ModelServerError,
    ModelServerExhaustedError,
    ModelServerUnavailableError,
)
from serving.replica_addresses import ReplicaAddresses

if TYPE_CHECKING:
    _Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", protocol.MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", protocol.MAX_MESSAGE_BYTES),
    # Reconnect to a restarted model server at once, not after gRPC's default of up to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)

_SKIP_SECONDS: Final = 1.0
"""How long a replica is skipped, unless all others are skipped too."""
_RETIREMENT_SECONDS: Final = 60.0

_ERRORS: Final[dict[grpc.StatusCode, type[ModelServerError]]] = {
    grpc.StatusCode.NOT_FOUND: ModelNotFoundError,
    grpc.StatusCode.DEADLINE_EXCEEDED: ModelDeadlineError,
    grpc.StatusCode.UNAVAILABLE: ModelServerUnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ModelServerExhaustedError,
    grpc.StatusCode.CANCELLED: ModelServerUnavailableError,
}

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()


class Replicas:
    """Calls the replicas behind one address.

    Args:
        addresses: of the replicas.
        credentials: for TLS; without them the connection is not encrypted.
        clock: returns the time in seconds, from any starting point.
    """

    def __init__(
        self,
        addresses: ReplicaAddresses,
        credentials: grpc.ChannelCredentials | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._credentials = credentials
        self._clock = clock
        self._replicas: dict[str, _Replica] = {}
        """By address."""
        self._turns: dict[str, int] = {}
        self._retired: list[tuple[float, _Replica]] = []
        """Replicas whose addresses are gone, with the times to close them."""

    async def close(self) -> None:
        """Close all connections; calls in flight are cancelled."""
        await self._addresses.close()
        for replica in (*self._replicas.values(), *(replica for _, replica in self._retired)):
            await replica.close()

    async def call(
        self,
        path: str,
        model: str,
        request: bytes,
        *,
        timeout_seconds: float,
        has_model: Callable[[bytes], bool] = lambda _: True,
    ) -> bytes:
        """Call a method for a model; returns the serialised response.

        If a replica does not have the model, the next one is called; each is called once.

        Args:
            path: of the method.
            model: its name.
            request: serialised.
            timeout_seconds: the deadline, which is sent with the calls.
            has_model: tells from a response whether the replica has the model.

        Raises:
            ModelNotFoundError: no reachable replica has the model.
            ModelServerError: a call failed for another reason; the subclass says which.
        """
        deadline = self._clock() + timeout_seconds
        await self._follow_addresses(timeout_seconds)
        while True:
            replica = self._next(model)
            try:
                response = await replica.call(path, request, deadline - self._clock())
            except ModelNotFoundError:
                self._skip(replica, model)
                if not self._usable(model):
                    raise
            except ModelServerExhaustedError:
                raise
            except ModelServerUnavailableError:
                self._skip(replica, None)
                self._addresses.refresh_soon()
                # The replica may have received the call, so only the caller may repeat it.
                if replica.may_be_reachable or not self._usable(model):
                    raise
            else:
                if has_model(response):
                    return response
                self._skip(replica, model)
                if not self._usable(model):
                    return response

    async def _follow_addresses(self, timeout_seconds: float) -> None:
        addresses = await self._addresses.get(timeout_seconds)
        now = self._clock()
        for address in addresses:
            if address not in self._replicas:
                self._replicas[address] = _Replica(address, self._addresses.host, self._credentials)
        for address in self._replicas.keys() - {*addresses}:
            # Calls in flight get time to finish.
            self._retired.append((now + _RETIREMENT_SECONDS, self._replicas.pop(address)))
        while self._retired and self._retired[0][0] <= now:
            await self._retired.pop(0)[1].close()

    def _skip(self, replica: "_Replica", model: str | None) -> None:
        replica.skip(model, self._clock() + _SKIP_SECONDS)

    def _next(self, model: str) -> "_Replica":
        """The next replica in turn that is not skipped."""
        candidates = self._usable(model) or [*self._replicas.values()]
        # Turns are counted per model. Calls alternate between models, so with a shared counter each
        # replica would only ever get one model. They start at different replicas to spread the
        # work.
        turn = self._turns.get(model, len(self._turns))
        self._turns[model] = turn + 1
        return candidates[turn % len(candidates)]

    def _usable(self, model: str) -> "Sequence[_Replica]":
        now = self._clock()
        return [each for each in self._replicas.values() if each.is_usable(model, now)]


class _Replica:
    """One replica and its state."""

    def __init__(
        self, address: str, host: str | None, credentials: grpc.ChannelCredentials | None
    ) -> None:
        self.address = address
        options: list[tuple[str, int | str]] = [*_CHANNEL_OPTIONS]
        if host is not None:
            # Certificates are for the name, not for its address.
            name, _, _ = host.rpartition(":")
            options += [
                ("grpc.default_authority", host),
                ("grpc.ssl_target_name_override", name.strip("[]")),
            ]
        self._channel = (
            grpc.aio.insecure_channel(address, options=options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=options)
        )
        self._methods: dict[str, _Method] = {}
        self._skipped_until: dict[str | None, float] = {}

    async def close(self) -> None:
        await self._channel.close()

    def skip(self, model: str | None, until: float) -> None:
        """Skip this replica for a model, or for all models (None), while there are others."""
        self._skipped_until[model] = until

    @property
    def may_be_reachable(self) -> bool:
        """Whether the replica is not known to be unreachable."""
        state = self._channel.get_state(try_to_connect=True)
        return state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE

    def is_usable(self, model: str, now: float) -> bool:
        """Whether to call the replica for a model."""
        return self.may_be_reachable and all(
            now >= self._skipped_until.get(each, now) for each in (model, None)
        )

    async def call(self, path: str, request: bytes, timeout_seconds: float) -> bytes:
        trace_context: dict[str, str] = {}
        _TRACE_CONTEXT.inject(trace_context)
        metadata = tuple(trace_context.items())
        try:
            return await self._method(path)(request, timeout=timeout_seconds, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            translated = _ERRORS.get(error.code(), ModelServerError)
            raise translated(f"{error.code().name}: {error.details()}") from error

    def _method(self, path: str) -> "_Method":
        if path not in self._methods:
            # Requests are passed as bytes, so that inputs are serialised once for all models.
            self._methods[path] = self._channel.unary_unary(path)
        return self._methods[path]
