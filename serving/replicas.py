"""Calls to whichever replica of a model server serves a model.

Replicas are asked in turn. One that has no version of a model yet, or cannot be reached, is passed
over for a moment, as long as there are others.

Not by gRPC's own balancing: its client-side health checks, in grpcio 1.85, end the process with a
segmentation fault when connections break soon after they were made, and without them a second
attempt cannot be sent to another replica than the first.
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
    # A restarted model server is found again at once, not after gRPC's default of up to 120 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)

_PASSED_OVER_SECONDS: Final = 1.0
"""How long a replica is asked only if all others are passed over too."""
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
        clock: seconds, from any start.
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
        """Gone from the name, with when to close them."""

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
        """Call a method about a model; gives the serialised response.

        Where a replica has not got the model the next one is asked, each once.

        Args:
            path: of the method.
            model: its name.
            request: serialised.
            timeout_seconds: the deadline, which travels with the calls.
            has_model: whether, by its response, a replica has the model.

        Raises:
            ModelNotFoundError: no replica that can be reached has the model.
            ModelServerError: a call failed otherwise, by the subclass that says why.
        """
        deadline = self._clock() + timeout_seconds
        await self._follow_addresses(timeout_seconds)
        while True:
            replica = self._next(model)
            try:
                response = await replica.call(path, request, deadline - self._clock())
            except ModelNotFoundError:
                self._pass_over(replica, model)
                if not self._usable(model):
                    raise
            except ModelServerExhaustedError:
                raise
            except ModelServerUnavailableError:
                self._pass_over(replica, None)
                self._addresses.look_again()
                # A call that it may have received is for the caller to repeat.
                if replica.is_connected_or_tries or not self._usable(model):
                    raise
            else:
                if has_model(response):
                    return response
                self._pass_over(replica, model)
                if not self._usable(model):
                    return response

    async def _follow_addresses(self, timeout_seconds: float) -> None:
        addresses = await self._addresses.get(timeout_seconds)
        now = self._clock()
        for address in addresses:
            if address not in self._replicas:
                self._replicas[address] = _Replica(address, self._addresses.host, self._credentials)
        for address in self._replicas.keys() - {*addresses}:
            # Calls in flight have their time.
            self._retired.append((now + _RETIREMENT_SECONDS, self._replicas.pop(address)))
        while self._retired and self._retired[0][0] <= now:
            await self._retired.pop(0)[1].close()

    def _pass_over(self, replica: "_Replica", model: str | None) -> None:
        replica.pass_over(model, self._clock() + _PASSED_OVER_SECONDS)

    def _next(self, model: str) -> "_Replica":
        """The next one in turn, of those that are not passed over."""
        candidates = self._usable(model) or [*self._replicas.values()]
        # Turns are by model, as calls about the models alternate: with common ones each replica
        # would be asked about one model only. They begin apart, so that replicas share the work.
        turn = self._turns.get(model, len(self._turns))
        self._turns[model] = turn + 1
        return candidates[turn % len(candidates)]

    def _usable(self, model: str) -> "Sequence[_Replica]":
        now = self._clock()
        return [each for each in self._replicas.values() if each.is_usable(model, now)]


class _Replica:
    """One replica, and what is known of it."""

    def __init__(
        self, address: str, host: str | None, credentials: grpc.ChannelCredentials | None
    ) -> None:
        self.address = address
        options: list[tuple[str, int | str]] = [*_CHANNEL_OPTIONS]
        if host is not None:
            # Certificates are for the name, not for the address that it has.
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
        self._passed_over_until: dict[str | None, float] = {}

    async def close(self) -> None:
        await self._channel.close()

    def pass_over(self, model: str | None, until: float) -> None:
        """Do not ask it about a model, or about any (None), while others can be asked."""
        self._passed_over_until[model] = until

    @property
    def is_connected_or_tries(self) -> bool:
        """Whether it is not known to be unreachable."""
        state = self._channel.get_state(try_to_connect=True)
        return state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE

    def is_usable(self, model: str, now: float) -> bool:
        """Whether it is worth asking about a model."""
        return self.is_connected_or_tries and all(
            now >= self._passed_over_until.get(each, now) for each in (model, None)
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
            # Requests are handed over as bytes: the inputs are serialised once, not once a model.
            self._methods[path] = self._channel.unary_unary(path)
        return self._methods[path]
