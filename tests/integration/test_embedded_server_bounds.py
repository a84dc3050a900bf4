"""Malformed requests and abandoned calls do not crash the model server or waste its resources."""

import random
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving import protocol
from serving.contract import INPUT_NAME
from serving.embedded.engine import LoadedModel
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.volume.model_config import default_model_configs
from tests.model_server_calls import IMAGES, health, predict, raw_predict, request_of
from tests.servers import embedded_model_server, in_thread, predictions_in_progress
from tests.service_process import wait_until


def test_corrupted_requests_are_rejected_and_do_not_crash_the_server(address: str):
    """A request with bits flipped and bytes deleted, inserted or repeated, a thousand times."""
    rng = random.Random(0)  # noqa: S311 - faults, not secrets
    valid = request_of(IMAGES[:1, :8]).SerializeToString()
    statuses = Counter()
    with grpc.insecure_channel(address) as channel:
        for _ in range(1000):
            message = bytearray(valid)
            for _ in range(rng.randint(1, 4)):
                # Names, shapes and lengths are in the first bytes.
                at = rng.randrange(60 if rng.random() < 0.5 else len(message))
                match rng.randrange(4):
                    case 0:
                        message[at] ^= 1 << rng.randrange(8)
                    case 1:
                        del message[at : at + rng.randint(1, 100)]
                    case 2:
                        message[at:at] = rng.randbytes(rng.randint(1, 20))
                    case _:
                        message += message[at : at + 200]
            try:
                channel.unary_unary(protocol.PREDICT)(bytes(message), timeout=10)
                statuses["OK"] += 1
            except grpc.RpcError as error:
                statuses[error.code().name] += 1
    rejected = {"INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}
    assert statuses.keys() <= rejected | {"RESOURCE_EXHAUSTED"}, (
        "the image is 8 pixels high, so no request succeeds"
    )
    assert statuses.keys() >= {"INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND"}
    assert predict(address).version == 1


def test_a_tensor_with_100_000_dimensions_is_rejected_within_five_seconds(address: str):
    request = request_of(IMAGES[:1])
    for _ in range(100_000):
        request.inputs[INPUT_NAME].tensor_shape.dim.add(size=2**62)
    started = time.monotonic()
    with pytest.raises(grpc.RpcError, match="tensor parsing error"):
        raw_predict(address, request)
    assert time.monotonic() - started < 5
    assert predict(address).version == 1


def watch(channel: grpc.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="vgg16"))


def test_a_health_watcher_gets_updates_after_another_watcher_has_cancelled(tiny_volume: Path):
    serving, not_serving = (
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    )
    options = ModelServerOptions(poll_seconds=0.05)
    with (
        in_thread(
            lambda: EmbeddedModelServer(default_model_configs(tiny_volume), "127.0.0.1:0", options)
        ) as server,
        grpc.insecure_channel(server.address) as one,
        grpc.insecure_channel(server.address) as two,
    ):
        wait_until(lambda: health(server.address) == serving)
        leaving, staying = watch(one), watch(two)
        assert next(leaving).status == next(staying).status == serving
        leaving.cancel()
        wait_until(lambda: len(server._health._watchers) == 1)
        shutil.rmtree(tiny_volume / "vgg16" / "1")
        assert next(staying).status == not_serving


def test_an_open_health_watch_does_not_delay_shutdown(tiny_volume: Path):
    configs, options = default_model_configs(tiny_volume), ModelServerOptions(grace_seconds=60)
    with embedded_model_server(configs, options) as address:
        # The channel stays open, so that the server must end the stream.
        channel = grpc.insecure_channel(address)
        watching = watch(channel)
        next(watching)
        started = time.monotonic()
    assert time.monotonic() - started < 30
    channel.close()


def test_a_short_message_cannot_make_the_server_allocate_a_huge_tensor(address: str):
    request = request_of(IMAGES[:1])
    tensor = request.inputs[INPUT_NAME]
    tensor.ClearField("tensor_content")
    tensor.float_val.append(0.5)
    for rows, code in (
        (10**9, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (10**4, grpc.StatusCode.INVALID_ARGUMENT),
    ):
        tensor.tensor_shape.dim[0].size = rows
        with pytest.raises(grpc.RpcError) as caught:
            raw_predict(address, request)
        assert caught.value.code() is code
    assert predict(address).version == 1


@pytest.mark.parametrize("ending", ["deadline", "cancel"])
def test_a_cancelled_or_expired_call_is_not_computed(
    tiny_volume: Path, monkeypatch: pytest.MonkeyPatch, ending: str
):
    gate, runs = threading.Event(), []
    infer = LoadedModel.infer

    def gated(model: LoadedModel, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        runs.append(len(inputs[INPUT_NAME]))
        assert gate.wait(120)
        return infer(model, inputs)

    options = ModelServerOptions(inference_threads=1)
    configs = default_model_configs(tiny_volume)
    with in_thread(lambda: EmbeddedModelServer(configs, "127.0.0.1:0", options)) as server:
        wait_until(lambda: health(server.address) == health_pb2.HealthCheckResponse.SERVING)
        monkeypatch.setattr(LoadedModel, "infer", gated)
        with grpc.insecure_channel(server.address) as channel:
            method = channel.unary_unary(protocol.PREDICT)
            calls = [method.future(serialized(IMAGES[:1]), timeout=120)]
            wait_until(lambda: runs == [1])
            timeout = 0.5 if ending == "deadline" else 120
            abandoned = [method.future(serialized(IMAGES), timeout=timeout) for _ in range(5)]
            # On a busy machine, their deadlines may pass before all of them have arrived.
            wait_until(
                lambda: (
                    predictions_in_progress(server) == 6 or all(call.done() for call in abandoned)
                )
            )
            for call in abandoned:
                if ending == "cancel":
                    call.cancel()
                else:
                    assert call.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
            wait_until(lambda: predictions_in_progress(server) == 1)
            calls.append(method.future(serialized(IMAGES[:2]), timeout=120))
            gate.set()
            assert all(call.result() for call in calls)
    assert runs == [1, 2]


def serialized(images: np.ndarray) -> bytes:
    return request_of(images).SerializeToString()
