"""Predict calls with batching get the outcomes of the recordings `batch_*`."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc.aio
import numpy as np
import pytest

from serving import protocol, tensors
from serving.batching_parameters import BatchingParameters, parse_batching_parameters
from serving.embedded.options import ModelServerOptions
from serving.protos.predict_pb2 import ModelSpec, PredictRequest
from serving.volume.model_config import ModelConfig
from tests.conformance.differences import DIFFERENCES
from tests.conformance.recording import RECORDINGS as FOLDER
from tests.conformance.recording import Outcome, Recording, call, check, recordings
from tests.conformance.servables import Servables
from tests.servers import embedded_model_server
from tests.service_process import wait_until

RECORDINGS = recordings("batch_")
SINGLE = [r for r in RECORDINGS if r.content["protocol"] == "grpc"]
BURSTS = [r for r in RECORDINGS if r.content["protocol"] != "grpc"]
IMAGE = (64, 64, 3)


def parameters_of(note: str) -> BatchingParameters:
    """Return the batching parameters of a recording's note, which has them or hints at a file."""
    if "default parameters" in note:
        return BatchingParameters()
    if "max_batch_size" in note:
        text = note.partition("batching on: ")[2] or note.partition("batching: ")[2]
        return parse_batching_parameters(text.replace(";", "\n"))
    startups = {
        "allowed_batch_sizes 4,8": "startup_batching_allowed_sizes",
        "splitting off": "startup_batching_split_off",
        "splitting on": "startup_batching_split_on",
        "pad_variable_length_inputs": "startup_batching_pad",
        "empty-batch requests": "startup_batching_allowed_sizes",
    }
    (name,) = (startup for hint, startup in startups.items() if hint in note)
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    return parse_batching_parameters(recorded["request"]["batching_parameters"])


def images(count: int, shape: tuple[int, ...] = IMAGE, dtype: str = "float32") -> bytes:
    array = np.full((count, *shape), 0.5, dtype)
    return PredictRequest(
        model_spec=ModelSpec(name="m"), inputs={"image": tensors.encode(array)}
    ).SerializeToString()


REQUESTS: dict[str, dict[str, tuple[int, bytes]]] = {
    "batch_3_concurrent_single": {"1 image": (3, images(1))},
    "batch_8_concurrent_single": {"1 image": (8, images(1))},
    "batch_defaults_32_concurrent": {"1 image": (32, images(1))},
    "batch_good_with_bad_channels": {
        "good": (1, images(1)),
        "4 channels": (1, images(1, (64, 64, 4))),
    },
    "batch_good_with_wrong_dtype": {
        "good": (1, images(1)),
        "int32": (1, images(1, dtype="int32")),
    },
    "batch_mixed_shapes": {"64x64": (1, images(1)), "32x32": (1, images(1, (32, 32, 3)))},
    "batch_pad_mixed_shapes": {"64x64": (1, images(1)), "32x32": (1, images(1, (32, 32, 3)))},
    "batch_queue_full": {"8 images": (120, images(8))},
    "batch_queue_full_7": {"7 images": (120, images(7))},
}
"""The concurrent requests of each burst: by name, their number and content."""


@pytest.fixture(scope="module")
def serve(
    servables: Servables, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Recording], str]]:
    """Start a server with the batching parameters of a recording; returns its address."""
    root = tmp_path_factory.mktemp("models")
    servables.put("m", root / "m" / "1")
    servables.put("two", root / "two" / "1")
    configs = [ModelConfig(name, root / name) for name in ("m", "two")]
    with ExitStack() as stack:
        addresses: dict[BatchingParameters, str] = {}

        def serve(recording: Recording) -> str:
            batching = parameters_of(recording.note)
            if batching not in addresses:
                options = ModelServerOptions(batching=batching, max_concurrent_requests=1000)
                address = stack.enter_context(embedded_model_server(configs, options))
                health = "/grpc.health.v1.Health/Check"
                wait_until(lambda: call(address, health, b"").response == b"\x08\x01")
                addresses[batching] = address
            return addresses[batching]

        yield serve


@pytest.mark.parametrize("recording", SINGLE, ids=lambda r: r.name)
def test_a_call_with_batching_gets_the_recorded_outcome(
    recording: Recording, serve: Callable[[Recording], str]
):
    address = serve(recording)
    if recording.name == "batch_after_10_empty_batches_good_predict":
        for _ in range(10):
            assert call(address, protocol.PREDICT, images(0)).status == "INVALID_ARGUMENT"
    check(recording, call(address, recording.path, recording.request))


@pytest.mark.parametrize("recording", BURSTS, ids=lambda r: r.name)
async def test_a_burst_with_batching_gets_the_recorded_outcomes(
    recording: Recording, serve: Callable[[Recording], str]
):
    found = await burst(serve(recording), REQUESTS[recording.name])
    if difference := DIFFERENCES.get(recording.name):
        assert ", ".join(f"{kind} {o.status}" for kind, o in sorted(found)) == difference.status
        return
    # How many calls TensorFlow Serving rejected depends on how many of its threads were busy.
    recorded = {
        (entry["request"], Outcome(entry["status"], entry["message"]))
        for entry in recording.content["response"]
        if entry["status"] != "RESOURCE_EXHAUSTED"
    }
    assert found == recorded


async def burst(address: str, requests: dict[str, tuple[int, bytes]]) -> set[tuple[str, Outcome]]:
    async with grpc.aio.insecure_channel(address) as channel:
        predict = channel.unary_unary(protocol.PREDICT)

        async def one(kind: str, request: bytes) -> tuple[str, Outcome]:
            try:
                await predict(request, timeout=30)
            except grpc.aio.AioRpcError as error:
                return kind, Outcome(error.code().name, error.details() or "")
            return kind, Outcome("OK")

        calls = [one(kind, r) for kind, (count, r) in requests.items() for _ in range(count)]
        return set(await asyncio.gather(*calls))
