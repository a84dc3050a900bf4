"""Calls get the status, message and response of the recordings `grpc_*` and `onednn_off_*`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import grpc.aio
import numpy as np
import pytest

from serving import protocol, tensors
from serving.embedded.options import ModelServerOptions
from serving.protos.predict_pb2 import ModelSpec, PredictRequest
from serving.volume.model_config import All, ModelConfig
from tests.conformance.recording import Recording, call, check, recordings
from tests.conformance.servables import Servables
from tests.servers import embedded_model_server
from tests.service_process import wait_until

MEBIBYTE = 1024 * 1024

DEFAULT_OPTIONS = ModelServerOptions(allow_labels_for_unavailable=True)

OPTIONS = {
    "grpc_predict_flag_serialization_as_tensor_content": replace(
        DEFAULT_OPTIONS, answer_as_content=True
    ),
    # TensorFlow Serving had 8 threads. Here, 64 small calls are certain to exceed only 1.
    "grpc_burst_64_concurrent_default_threads": replace(DEFAULT_OPTIONS, max_concurrent_requests=1),
}
"""The server options of recordings whose note names a flag."""


def images(count: int) -> bytes:
    """Make the most common request of the recordings: images whose values are all 0.5."""
    array = np.full((count, 64, 64, 3), 0.5, np.float32)
    return PredictRequest(
        model_spec=ModelSpec(name="m"), inputs={"image": tensors.encode(array)}
    ).SerializeToString()


REQUESTS: dict[str, Callable[[], bytes]] = {
    "grpc_predict_5MB_request": lambda: images(100),
    # Only as long as they must be to exceed the limit.
    "grpc_600MB_of_garbage": lambda: bytes(protocol.MAX_MESSAGE_BYTES + MEBIBYTE),
    "grpc_oversized_2GiB": lambda: bytes(protocol.MAX_MESSAGE_BYTES + MEBIBYTE),
}
"""Requests that were too long to be recorded."""


@pytest.fixture(scope="module")
def serve(
    servables: Servables, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[ModelServerOptions], str]]:
    """Start a server with the recorded models and these options; returns its address."""
    root = tmp_path_factory.mktemp("models")
    for kind, version in (
        ("m", "m/1"),
        ("two", "two/1"),
        ("m", "labelled/1"),
        ("canary", "labelled/2"),
        ("m", "one/1"),
    ):
        servables.put(kind, root / version)
    configs = [ModelConfig(name, root / name) for name in ("m", "two", "one")]
    configs.append(ModelConfig("labelled", root / "labelled", All(), {"stable": 1, "canary": 2}))
    with ExitStack() as stack:
        addresses: dict[ModelServerOptions, str] = {}

        def serve(options: ModelServerOptions) -> str:
            if options not in addresses:
                addresses[options] = stack.enter_context(embedded_model_server(configs, options))
                wait_until(lambda: all_available(addresses[options]))
            return addresses[options]

        yield serve


def all_available(address: str) -> bool:
    return call(address, "/grpc.health.v1.Health/Check", b"").response == b"\x08\x01"


SINGLE = [r for r in recordings("grpc_", "onednn_off_") if r.content["protocol"] == "grpc"]
BURSTS = [r for r in recordings("grpc_", "onednn_off_") if r.content["protocol"] != "grpc"]


@pytest.mark.parametrize("recording", SINGLE, ids=lambda r: r.name)
def test_a_call_gets_the_recorded_outcome(
    recording: Recording, serve: Callable[[ModelServerOptions], str]
):
    options = OPTIONS.get(recording.name, DEFAULT_OPTIONS)
    request = REQUESTS[recording.name]() if recording.name in REQUESTS else recording.request
    limited = recording.name.endswith("_default_client")
    check(recording, call(serve(options), recording.path, request, limited=limited))


@pytest.mark.parametrize("recording", BURSTS, ids=lambda r: r.name)
async def test_a_burst_gets_the_recorded_outcomes(
    recording: Recording, serve: Callable[[ModelServerOptions], str]
):
    address = serve(OPTIONS.get(recording.name, DEFAULT_OPTIONS))
    recorded = Counter(status for status, _, _ in recording.content["response"])
    found = Counter(await burst(address, images(16), recorded.total()))
    assert found.keys() == {(s, m) for s, m, _ in recording.content["response"]}


async def burst(address: str, request: bytes, count: int) -> list[tuple[str, str]]:
    async with grpc.aio.insecure_channel(address) as channel:
        predict = channel.unary_unary(protocol.PREDICT)

        async def one() -> tuple[str, str]:
            try:
                await predict(request, timeout=30)
            except grpc.aio.AioRpcError as error:
                return error.code().name, error.details() or ""
            return "OK", ""

        return await asyncio.gather(*(one() for _ in range(count)))
