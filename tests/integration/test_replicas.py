"""The gateway with several replicas of the model server behind one DNS name."""

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import numpy as np
import pytest

import serving.client
import serving.replica_addresses
from api.prediction.model_call import ModelCall, call_model
from api.prediction.results import ModelStatus
from api.settings import Settings
from serving import protocol, tensors
from serving.client import ModelServerClient, encode_images
from serving.contract import MODEL_NAMES, OUTPUT_NAME
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.errors import ModelNotFoundError
from serving.protos.predict_pb2 import PredictResponse
from serving.replica_addresses import ReplicaAddresses
from serving.replicas import Replicas
from serving.volume.model_config import default_model_configs
from tests.conftest import fill_volume
from tests.integration.conftest import gateway
from tests.servers import free_port, in_thread
from tests.service_process import wait_until
from tests.soak.model_server_process import ModelServerProcess
from tests.stand_ins import Clock

IMAGE = encode_images(np.zeros((1, 64, 64, 3), np.float32))

SHORT_LIVED = (
    ("grpc.max_connection_age_ms", 500),
    ("grpc.max_connection_age_grace_ms", 60_000),
)


def answered(server: EmbeddedModelServer, code: str, model: str = "vgg16") -> int:
    """How many predictions a server has answered with a status code."""
    version = "1" if code == "OK" else ""
    labels = {"method": "Predict", "model": model, "version": version, "code": code}
    total = "covidscan_model_server_requests_total"
    return int(server.metrics.registry.get_sample_value(total, labels) or 0)


@dataclass
class Replica:
    """An embedded model server in a thread, which can start without one of its models."""

    address: str
    models_dir: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> EmbeddedModelServer:
        options = ModelServerOptions(
            poll_seconds=0.05, load_retries=0, channel_arguments=SHORT_LIVED
        )
        configs = default_model_configs(self.models_dir)
        return self.stack.enter_context(
            in_thread(lambda: EmbeddedModelServer(configs, self.address, options))
        )

    def start_incomplete(self, load: "Load") -> EmbeddedModelServer:
        """Start without vgg16, add it under load, and wait until the server predicts with it."""
        model_dir, hidden_dir = self.models_dir / "vgg16", self.models_dir / ".vgg16"
        model_dir.rename(hidden_dir)
        server = self.start()
        wait_until(lambda: answered(server, "OK", "resnet50") > 0)
        load.wait_for_answers()
        hidden_dir.rename(model_dir)
        wait_until(lambda: answered(server, "OK") > 0)
        return server


@dataclass
class Load:
    """The answers of a gateway to its callers, and its strict readiness meanwhile."""

    answers: list[str] = field(default_factory=list)
    readiness: Counter[int] = field(default_factory=Counter)

    def wait_for_answers(self, count: int = 20) -> None:
        seen = len(self.answers)
        wait_until(lambda: len(self.answers) >= seen + count)


@contextmanager
def load_on(client: httpx.Client, png: bytes) -> Iterator[Load]:
    load, stop = Load(), threading.Event()

    def ask() -> None:
        while not stop.wait(0.01):
            answer = client.post("/predict?force=true", files={"file": ("a.png", png)})
            complete = answer.status_code == 200 and not answer.json()["degraded"]
            load.answers.append("complete" if complete else answer.text)

    def watch() -> None:
        while not stop.wait(0.05):
            load.readiness[client.get("/readyz?strict=true").status_code] += 1

    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(work) for work in (ask, ask, watch)]
        try:
            yield load
        finally:
            stop.set()
            for caller in callers:
                caller.result()


def test_no_request_fails_while_replicas_are_added_killed_and_restarted(
    tiny_saved_model: Path,
    tmp_path: Path,
    phantom_png: bytes,
    monkeypatch: pytest.MonkeyPatch,
):
    port, listed = free_port(), ["127.0.0.1", "127.0.0.2"]

    async def resolve(name: str, port: int) -> list[str]:
        hosts = listed if name == "model-server.test" else [name]
        return [f"ipv4:{host}:{port}" for host in hosts]

    monkeypatch.setattr(
        serving.client, "ReplicaAddresses", partial(ReplicaAddresses, resolve=resolve)
    )
    monkeypatch.setattr(serving.replica_addresses, "_LOOK_UP_SECONDS", 0.2)
    hosts = [f"127.0.0.{number}" for number in (1, 2, 3)]
    volumes = [fill_volume(tmp_path / host, tiny_saved_model) for host in hosts]
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("w"))
        killed = ModelServerProcess(volumes[1], f"{hosts[1]}:{port}", log)
        stack.callback(killed.end, signal.SIGKILL)
        restarted = Replica(f"{hosts[0]}:{port}", volumes[0])
        stack.callback(restarted.stack.close)
        restarted.start()
        wait_until(lambda: all(killed.is_available(name, 1) for name in ("vgg16", "xception")))
        name = f"dns:///model-server.test:{port}"
        settings = Settings(_env_file=None, model_server=name, models_dir=tmp_path / "cards")
        client = stack.enter_context(gateway(settings))
        wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
        load = stack.enter_context(load_on(client, phantom_png))
        load.wait_for_answers()

        added = Replica(f"{hosts[2]}:{port}", volumes[2])
        stack.callback(added.stack.close)
        listed.append(hosts[2])
        added.start_incomplete(load)

        killed.end(signal.SIGKILL)
        load.wait_for_answers()

        restarted.stack.close()
        load.wait_for_answers()
        restarted.start_incomplete(load)
        load.wait_for_answers()
    assert set(load.answers) == {"complete"}
    assert set(load.readiness) == {200}


async def call(client: ModelServerClient, name: str = "vgg16") -> ModelCall:
    return await call_model(client, name, IMAGE, timeout_seconds=10, links=[])


async def test_a_missing_model_is_requested_once_per_prediction(tiny_volume: Path):
    (tiny_volume / "vgg16").rename(tiny_volume / ".vgg16")
    options = ModelServerOptions(poll_seconds=0.05, load_retries=0)
    configs = default_model_configs(tiny_volume)
    async with (
        EmbeddedModelServer(configs, "127.0.0.1:0", options) as server,
        ModelServerClient(server.address) as client,
    ):
        await until_answered(client, "resnet50")
        for number in range(1, 6):
            assert (await call(client)).status is ModelStatus.NOT_AVAILABLE
            assert answered(server, "NOT_FOUND") == number
        (tiny_volume / ".vgg16").rename(tiny_volume / "vgg16")
        await until_answered(client, "vgg16")


async def until_answered(client: ModelServerClient, name: str) -> None:
    async with asyncio.timeout(20):
        while (await call(client, name)).status is not ModelStatus.OK:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class ModelServer(grpc.GenericRpcHandler):
    """Answers predictions, or with TensorFlow Serving's NOT_FOUND if it lacks the model."""

    def __init__(self, *, has_model: bool) -> None:
        self.calls = 0
        self.requests: Counter[bytes] = Counter()
        self._has_model = has_model

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != protocol.PREDICT:
            return None
        return grpc.unary_unary_rpc_method_handler(self._predict)

    async def _predict(
        self, request: bytes, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> bytes:
        self.calls += 1
        self.requests[request] += 1
        if not self._has_model:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")
        response = PredictResponse()
        response.model_spec.version.value = 1
        probabilities = tensors.encode(np.array([[0.5, 0.5]], np.float32))
        response.outputs[OUTPUT_NAME].CopyFrom(probabilities)
        return response.SerializeToString()


@asynccontextmanager
async def listening(handler: grpc.GenericRpcHandler) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_replica_without_the_model_is_skipped_for_a_second():
    handlers = [ModelServer(has_model=has_model) for has_model in (False, True, False)]
    clock = Clock()
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(listening(each)) for each in handlers]
        replicas = Replicas(ReplicaAddresses(f"ipv4:{','.join(addresses)}"), None, clock=clock)
        stack.push_async_callback(replicas.close)
        for _ in range(5):
            await replicas.call(protocol.PREDICT, "vgg16", b"", timeout_seconds=10)
        assert [handler.calls for handler in handlers] == [1, 5, 1]
        clock.now = 1
        for _ in range(5):
            await replicas.call(protocol.PREDICT, "vgg16", b"", timeout_seconds=10)
        assert [handler.calls for handler in handlers] == [2, 10, 2]


async def test_a_missing_model_is_requested_from_every_replica_then_from_one_per_call():
    handlers = [ModelServer(has_model=False) for _ in range(3)]
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(listening(each)) for each in handlers]
        replicas = Replicas(ReplicaAddresses(f"ipv4:{','.join(addresses)}"), None, clock=Clock())
        stack.push_async_callback(replicas.close)
        for _ in range(4):
            with pytest.raises(ModelNotFoundError):
                await replicas.call(protocol.PREDICT, "vgg16", b"", timeout_seconds=10)
        assert [handler.calls for handler in handlers] == [2, 2, 2]


async def test_the_calls_for_each_model_are_distributed_evenly_over_the_replicas():
    handlers = [ModelServer(has_model=True) for _ in range(3)]
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(listening(each)) for each in handlers]
        replicas = Replicas(ReplicaAddresses(f"ipv4:{','.join(addresses)}"), None)
        stack.push_async_callback(replicas.close)
        for _ in range(6):
            for name in MODEL_NAMES:
                await replicas.call(protocol.PREDICT, name, name.encode(), timeout_seconds=10)
    expected = {name.encode(): 2 for name in MODEL_NAMES}
    assert [handler.requests for handler in handlers] == [expected] * 3
