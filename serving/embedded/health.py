"""``grpc.health.v1``: the health of each model and of the whole server.

The servicer of grpcio-health-checking is not used. In version 1.71, when one watcher leaves, the
others get no more updates, and a watcher that does not read holds a lock that keeps the server from
stopping.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

_States = health_pb2.HealthCheckResponse

if TYPE_CHECKING:
    _Context = grpc.aio.ServicerContext[Any, Any]


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Reports states, and sends changes to watchers.

    Args:
        whole_server: the service names for the whole server, which is serving while all models are.
    """

    def __init__(self, whole_server: Collection[str]) -> None:
        self._whole_server = frozenset(whole_server)
        self._models: set[str] = set()
        self._not_serving: set[str] = set()
        self._watchers: set[asyncio.Event] = set()
        self._stopping = False
        self._closed = False

    @property
    def is_watched(self) -> bool:
        """Whether there are watchers."""
        return bool(self._watchers)

    def set(self, serving: Mapping[str, bool]) -> None:
        """Replace the states of all models: whether each is serving. Other names are unknown."""
        self._models = set(serving)
        self._not_serving = {name for name, serves in serving.items() if not serves}
        self._notify_watchers()

    def update(self, model: str, *, serving: bool) -> None:
        """Change the state of one known model."""
        if serving == (model not in self._not_serving):
            return
        if serving:
            self._not_serving.discard(model)
        else:
            self._not_serving.add(model)
        self._notify_watchers()

    def stop(self) -> None:
        """Report NOT_SERVING from now on."""
        self._stopping = True
        self._notify_watchers()

    def close(self) -> None:
        """End all watches.

        Call this only when the server stops, because gRPC clients restart their watch at once.
        """
        self._closed = True
        self._notify_watchers()

    async def Check(  # noqa: N802 - gRPC's name
        self, request: health_pb2.HealthCheckRequest, context: "_Context"
    ) -> health_pb2.HealthCheckResponse:
        """The state of a name; NOT_FOUND if it is unknown."""
        state = self._state(request.service)
        if state == _States.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
        return _States(status=state)

    async def Watch(  # noqa: N802 - gRPC's name
        self, request: health_pb2.HealthCheckRequest, context: "_Context"
    ) -> None:
        """Send the state of a name and all its changes; an unknown name may become known."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        sent = None
        try:
            while True:
                changed.clear()
                state = self._state(request.service)
                if state != sent:
                    await context.write(_States(status=state))
                    sent = state
                if self._closed:
                    return
                await changed.wait()
        finally:
            self._watchers.discard(changed)

    def _state(self, name: str) -> int:
        if name in self._whole_server:
            serves = not self._not_serving
        elif name in self._models:
            serves = name not in self._not_serving
        else:
            return int(_States.SERVICE_UNKNOWN)
        return int(_States.SERVING if serves and not self._stopping else _States.NOT_SERVING)

    def _notify_watchers(self) -> None:
        for changed in self._watchers:
            changed.set()
