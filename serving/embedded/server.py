"""The embedded model server: its components, and its life cycle."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from serving import protocol
from serving.embedded.engine import Engine
from serving.embedded.errors import CallError
from serving.embedded.handlers import CallHandlers
from serving.embedded.health import HealthService
from serving.embedded.loader import Loader
from serving.embedded.metrics import Metrics
from serving.embedded.model_check import EXPECTED_SIGNATURES, ModelSignature
from serving.embedded.model_service import ModelService
from serving.embedded.options import ModelServerOptions
from serving.embedded.prediction_service import PredictionService
from serving.embedded.repository import ModelRepository
from serving.embedded.scheduler import Scheduler
from serving.embedded.servable import ServableVersion
from serving.errors import ModelConfigError
from serving.volume.model_config import ModelConfig

_FLUSH_SECONDS: Final = 0.3
_NOT_SERVING_SECONDS: Final = 0.5

_CHANNEL_ARGUMENTS: Final[dict[str, int | str]] = {
    "grpc.max_send_message_length": protocol.MAX_MESSAGE_BYTES,
    "grpc.max_receive_message_length": protocol.MAX_MESSAGE_BYTES,
    # Otherwise two servers on one port would silently share its calls.
    "grpc.so_reuseport": 0,
}

_WHOLE_SERVER: Final = ("", "ModelService", "PredictionService")
"""The names of the whole server in TensorFlow Serving's health service."""


class EmbeddedModelServer:
    """Serves models on an address in the running event loop.

    ::

        async with EmbeddedModelServer(configs, "127.0.0.1:0") as server:
            print(server.address)
            await stopped.wait()

    Args:
        configs: the models and their directories.
        address: ``host:port`` (port 0 selects a free one) or ``unix:/path``.
        options: everything else.
        expected_signatures: the required signatures, by model name.
    """

    def __init__(
        self,
        configs: Sequence[ModelConfig],
        address: str,
        options: ModelServerOptions | None = None,
        *,
        expected_signatures: Mapping[str, ModelSignature] = EXPECTED_SIGNATURES,
    ) -> None:
        self.address = address
        self.metrics = Metrics()
        self._configs = configs
        self._options = options or ModelServerOptions()
        self._repository = ModelRepository(
            Loader(
                Engine(self._options.precision, streams=self._options.runs_at_once),
                expected_signatures,
                threads=self._options.load_threads,
                retries=self._options.load_retries,
                retry_interval_seconds=self._options.load_retry_interval_seconds,
            ),
            poll_seconds=self._options.poll_seconds,
            allow_labels_for_unavailable=self._options.allow_labels_for_unavailable,
        )
        self._scheduler = Scheduler(
            threads=self._options.inference_threads,
            batching=self._options.batching,
            observe_batch=self.metrics.observe_batch,
        )
        self._handlers = CallHandlers(self._repository, self.metrics)
        self._health = HealthService(_WHOLE_SERVER)
        self._repository.on_change(self._update_health)
        self._repository.on_change(self.metrics.observe_version)
        self._server = grpc.aio.server(
            options=[*(_CHANNEL_ARGUMENTS | dict(self._options.channel_arguments)).items()]
        )

    async def __aenter__(self) -> Self:
        """Open the port and start loading; health checks report when all models are available.

        Raises:
            RuntimeError: the address cannot be bound.
            ModelConfigError: a label refers to a version that is not loaded yet, and the options do
                not allow that.
        """
        self._add_services()
        if self._options.credentials is None:
            port = self._server.add_insecure_port(self.address)
        else:
            port = self._server.add_secure_port(self.address, self._options.credentials)
        if not self.address.startswith("unix:"):
            self.address = f"{self.address.rpartition(':')[0]}:{port}"
        try:
            self._repository.configure(self._configs)
        except CallError as error:
            raise ModelConfigError(str(error)) from error
        self._update_health(None)
        await self._server.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Reject new calls, finish those in flight within the grace period, unload all models."""
        self._health.stop()
        if self._health.is_watched:
            # Watching clients switch to other replicas before calls are rejected.
            await asyncio.sleep(_NOT_SERVING_SECONDS)
        await self._handlers.finish(self._options.grace_seconds)
        self._health.close()
        # Responses may still be in transit.
        await self._server.stop(_FLUSH_SECONDS)
        await self._repository.stop()
        await self._scheduler.stop()

    async def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve exactly these models from now on; returns once they are loaded.

        Raises:
            CallError: the configuration is rejected, or one of its models has only broken versions.
        """
        await self._repository.reload(configs)

    def _add_services(self) -> None:
        predictions = PredictionService(
            self._repository,
            self._scheduler,
            max_concurrent_requests=self._options.max_concurrent_requests,
            answer_as_content=self._options.answer_as_content,
        )
        self._server.add_generic_rpc_handlers(
            (
                self._handlers.prediction_service(predictions),
                self._handlers.model_service(ModelService(self._repository)),
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def _update_health(self, changed: ServableVersion | None) -> None:
        """Update the health of the changed model, or of all models if some came or went."""
        served = self._repository.served
        if changed is None:
            self._health.set({name: model.find() is not None for name, model in served.items()})
        elif changed.model_name in served:
            available = served[changed.model_name].find() is not None
            self._health.update(changed.model_name, serving=available)
