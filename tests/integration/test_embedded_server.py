"""The embedded model server over real gRPC."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2

from serving import protocol, volume
from serving.client import ModelServerClient, VersionState, encode_images
from serving.contract import INPUT_NAME, MODEL_NAMES, OUTPUT_NAME, SIGNATURE_NAME
from serving.embedded.options import ModelServerOptions
from serving.errors import ModelDeadlineError, ModelNotFoundError, ModelServerUnavailableError
from serving.protos.model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from serving.protos.predict_pb2 import ModelSpec, PredictRequest
from serving.volume.model_config import (
    All,
    Latest,
    ModelConfig,
    Specific,
    VersionPolicy,
)
from tests.model_server_calls import IMAGES, health, predict, raw_predict, request_of, statuses
from tests.servers import ask, embedded_model_server, model_server
from tests.service_process import wait_until


def test_a_batch_gets_a_row_of_probabilities_for_each_image(address: str):
    prediction = predict(address)
    assert prediction.version == 1
    assert prediction.probabilities.shape == (3, 2)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, atol=1e-5)


def test_an_image_gets_the_same_answer_alone_and_in_a_batch(address: str):
    alone = [predict(address, images=IMAGES[i : i + 1]).probabilities[0] for i in range(3)]
    np.testing.assert_allclose(alone, predict(address).probabilities, atol=1e-6)


def test_probabilities_are_equal_to_those_of_tensorflow(address: str, tiny_saved_model: Path):
    import tensorflow as tf

    signature = tf.saved_model.load(str(tiny_saved_model)).signatures[SIGNATURE_NAME]
    expected = signature(**{INPUT_NAME: tf.constant(IMAGES)})[OUTPUT_NAME].numpy()
    np.testing.assert_allclose(predict(address).probabilities, expected, atol=1e-5)


def test_64_concurrent_calls_get_the_same_answer(address: str):
    async def question(client: ModelServerClient) -> list[Any]:
        calls = [
            client.predict(name, encode_images(IMAGES), timeout_seconds=30)
            for name in (MODEL_NAMES * 22)[:64]
        ]
        return await asyncio.gather(*calls)

    answers = ask(address, question)
    for answer in answers:
        np.testing.assert_array_equal(answer.probabilities, answers[0].probabilities)


def test_a_message_over_four_mebibytes_is_answered(address: str):
    images = np.zeros((100, 64, 64, 3), np.float32)
    assert images.nbytes > 4 * 1024 * 1024
    assert len(predict(address, images=images).probabilities) == 100


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (IMAGES[0], "has shape"),
        (IMAGES[:, :32, :32], "has shape"),
        (IMAGES[..., :1], "has shape"),
        (IMAGES[None], "has shape"),
        (IMAGES[:0], "no empty dimension"),
        (IMAGES.astype(np.float64), "Expects arg[0] to be float but double is provided"),
        ((IMAGES * 255).astype(np.uint8), "Expects arg[0] to be float but uint8 is provided"),
    ],
    ids=["rank-3", "32x32", "grey", "rank-5", "empty", "float64", "uint8"],
)
def test_a_wrong_tensor_is_answered_invalid_argument_and_the_next_call_succeeds(
    address: str, array: np.ndarray, message: str
):
    with pytest.raises(grpc.RpcError) as caught:
        raw_predict(address, request_of(array))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()
    assert predict(address).version == 1


@pytest.mark.parametrize(
    ("request_message", "code", "message"),
    [
        (PredictRequest(), grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            request_of(IMAGES, name=""),
            grpc.StatusCode.INVALID_ARGUMENT,
            "ModelSpec has no name specified.",
        ),
        (
            request_of(IMAGES, name="nosuch"),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(nosuch)",
        ),
        (
            request_of(IMAGES, version={"value": 99}),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Specific(vgg16, 99)",
        ),
        (
            request_of(IMAGES, signature_name="nosig"),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "nosig" not found.',
        ),
        (
            PredictRequest(model_spec=ModelSpec(name="vgg16")),
            grpc.StatusCode.INVALID_ARGUMENT,
            (
                "input size does not match signature: 0!=1 len({}) != len({image})."
                " Sent extra: {}. Missing but required: {image}."
            ),
        ),
    ],
)
def test_rejections_have_the_codes_and_messages_of_tensorflow_serving(
    address: str, request_message: PredictRequest, code: grpc.StatusCode, message: str
):
    with pytest.raises(grpc.RpcError) as caught:
        raw_predict(address, request_message)
    assert (caught.value.code(), caught.value.details()) == (code, message)


def test_a_response_contains_only_the_requested_outputs(address: str):
    request = request_of(IMAGES)
    request.output_filter.append(OUTPUT_NAME)
    assert set(raw_predict(address, request).outputs) == {OUTPUT_NAME}
    request.output_filter.append("nope")
    with pytest.raises(grpc.RpcError) as caught:
        raw_predict(address, request)
    assert caught.value.details() == (
        "output tensor alias not found in signature: nope"
        " Outputs expected to be in the set {probabilities}."
    )


def test_metadata_contains_the_signature(address: str):
    with grpc.insecure_channel(address) as channel:
        method = channel.unary_unary(
            protocol.GET_MODEL_METADATA,
            request_serializer=GetModelMetadataRequest.SerializeToString,
            response_deserializer=GetModelMetadataResponse.FromString,
        )
        response = method(
            GetModelMetadataRequest(
                model_spec=ModelSpec(name="vgg16"), metadata_field=[protocol.SIGNATURE_DEF_FIELD]
            ),
            timeout=10,
        )
    packed = response.metadata[protocol.SIGNATURE_DEF_FIELD]
    signature = SignatureDefMap.FromString(packed.value).signature_def[SIGNATURE_NAME]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    assert [d.size for d in signature.inputs[INPUT_NAME].tensor_shape.dim] == [-1, 64, 64, 3]
    assert [d.size for d in signature.outputs[OUTPUT_NAME].tensor_shape.dim] == [-1, 2]


def test_a_new_version_replaces_the_old_one_without_a_failed_call(
    address: str, tiny_volume: Path, tiny_saved_model: Path
):
    seen = [predict(address).version]
    publish(tiny_saved_model, tiny_volume, 2)
    while seen[-1] != 2:
        seen.append(predict(address).version)
        assert len(seen) < 2000, "version 2 has not answered"
    assert seen == sorted(seen)
    wait_until(lambda: statuses(address) == {2: VersionState.AVAILABLE, 1: VersionState.END})


@pytest.mark.parametrize("content", [b"", b"no graph", None], ids=["empty", "garbage", "missing"])
def test_the_previous_version_stays_in_service_if_a_new_one_is_broken(
    address: str, tiny_volume: Path, tiny_saved_model: Path, content: bytes | None
):
    broken = tiny_volume / ".broken"
    broken.mkdir()
    if content is not None:
        (broken / "saved_model.pb").write_bytes(content)
    broken.rename(tiny_volume / "vgg16" / "2")
    wait_until(lambda: statuses(address).get(2) is VersionState.END)
    assert predict(address).version == 1
    publish(tiny_saved_model, tiny_volume, 3)
    wait_until(lambda: predict(address).version == 3)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_a_version_with_a_fifo_in_place_of_a_file_is_rejected_without_blocking(
    address: str, tiny_volume: Path, tiny_saved_model: Path, name: str
):
    broken = tiny_volume / ".broken"
    shutil.copytree(tiny_saved_model, broken)
    (broken / name).unlink()
    os.mkfifo(broken / name)
    broken.rename(tiny_volume / "vgg16" / "2")
    wait_until(lambda: statuses(address).get(2) is VersionState.END)
    assert predict(address).version == 1
    publish(tiny_saved_model, tiny_volume, 3)
    wait_until(lambda: predict(address).version == 3)


def test_removing_the_newest_version_rolls_back_to_the_previous_one(
    address: str, tiny_volume: Path, tiny_saved_model: Path
):
    publish(tiny_saved_model, tiny_volume, 2)
    wait_until(lambda: predict(address).version == 2)
    shutil.rmtree(tiny_volume / "vgg16" / "2")
    wait_until(lambda: predict(address).version == 1)


def test_a_model_without_versions_is_not_found_and_not_serving(address: str, tiny_volume: Path):
    shutil.rmtree(tiny_volume / "vgg16" / "1")
    wait_until(lambda: health(address) == health_pb2.HealthCheckResponse.NOT_SERVING)
    assert health(address, "resnet50") == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(ModelNotFoundError, match=r"Latest\(vgg16\)"):
        predict(address)


def test_a_server_on_an_empty_volume_answers_not_serving_until_a_model_is_published(
    tmp_path: Path, tiny_saved_model: Path
):
    with model_server(tmp_path) as address:
        assert health(address) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(ModelNotFoundError, match="Could not find any versions of model"):
            statuses(address)
        publish(tiny_saved_model, tmp_path, 1)
        wait_until(lambda: health(address, "vgg16") == health_pb2.HealthCheckResponse.SERVING)


def test_a_missing_server_raises_model_server_unavailable_error():
    with pytest.raises(ModelServerUnavailableError):
        predict("127.0.0.1:1")


def test_a_late_answer_raises_model_deadline_error(address: str):
    images = encode_images(np.repeat(IMAGES, 50, axis=0))
    with pytest.raises(ModelDeadlineError):
        ask(address, lambda c: c.predict("vgg16", images, timeout_seconds=1e-9))


@pytest.mark.parametrize(
    ("policy", "served"),
    [(Latest(2), [7, 12]), (All(), [3, 7, 12]), (Specific(frozenset({3, 12, 99})), [3, 12])],
    ids=["latest-2", "all", "specific"],
)
def test_a_version_policy_selects_the_versions_that_are_served(
    tiny_saved_model: Path, tmp_path: Path, policy: VersionPolicy, served: list[int]
):
    # Leading zeros are ignored; folders not named by a 64-bit number are not versions.
    for name in ("3", "007", "12", "v13", "14.0", "-15", str(2**63)):
        shutil.copytree(tiny_saved_model, tmp_path / "m" / name)
    config = ModelConfig("m", tmp_path / "m", policy, {"old": served[0]})
    options = ModelServerOptions(allow_labels_for_unavailable=True)
    with embedded_model_server([config], options) as address:
        wait_until(lambda: health(address) == health_pb2.HealthCheckResponse.SERVING)
        wait_until(lambda: sorted(statuses(address, "m")) == served)
        wait_until(lambda: set(statuses(address, "m").values()) == {VersionState.AVAILABLE})
        for number in served:
            request = request_of(IMAGES, name="m", version={"value": number})
            assert raw_predict(address, request).model_spec.version.value == number
        by_label = raw_predict(address, request_of(IMAGES, name="m", version_label="old"))
        assert by_label.model_spec.version.value == served[0]


def test_a_version_stays_in_service_if_its_base_path_disappears(
    address: str, tiny_volume: Path, monkeypatch: pytest.MonkeyPatch
):
    reads: list[Path] = []
    read = volume.version_candidates

    def counted(model_dir: Path) -> dict[int, Path]:
        reads.append(model_dir)
        return read(model_dir)

    (tiny_volume / "vgg16").rename(tiny_volume / "moved")
    monkeypatch.setattr(volume, "version_candidates", counted)
    wait_until(lambda: reads.count(tiny_volume / "vgg16") > 2)
    assert predict(address).version == 1


def publish(saved_model: Path, models_dir: Path, version: int) -> None:
    draft = models_dir / ".draft"
    shutil.copytree(saved_model, draft)
    (models_dir / "vgg16").mkdir(exist_ok=True)
    draft.rename(models_dir / "vgg16" / str(version))
