"""What the gateway requires of any model server that speaks TensorFlow Serving's protocol.

To test a real one, run ``make conformance TARGET=host:port``; its volume must hold the three models
of models.config. Without an address, the embedded model server is tested.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from serving import protocol, tensors
from serving.client import ModelServerClient, Prediction, encode_images
from serving.contract import CLASS_NAMES, INPUT_NAME, OUTPUT_NAME, SIGNATURE_NAME
from serving.errors import (
    ModelDeadlineError,
    ModelNotFoundError,
    ModelServerUnavailableError,
)
from serving.protos.model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse
from serving.protos.tensor_pb2 import DataType
from serving.volume.model_config import read_model_configs
from tests.conformance.recording import Outcome, call
from tests.servers import ask, model_server
from tests.service_process import wait_until

pytestmark = pytest.mark.client

ADDRESS = os.environ.get("COVIDSCAN_MODEL_SERVER")
MODELS = [c.name for c in read_model_configs(Path(__file__).parents[2] / "models.config")]
IMAGES = np.random.default_rng(0).random((3, 64, 64, 3), np.float32)


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[str]:
    if ADDRESS:
        yield ADDRESS
        return
    models_dir = tmp_path_factory.mktemp("models")
    for name in MODELS:
        shutil.copytree(request.getfixturevalue("tiny_saved_model"), models_dir / name / "1")
    with model_server(models_dir) as address:
        wait_until(lambda: all(available_versions(address, name) for name in MODELS))
        yield address


def available_versions(address: str, name: str) -> list[int]:
    try:
        found = ask(address, lambda c: c.version_statuses(name, timeout_seconds=10))
    except ModelNotFoundError:
        return []
    return [status.version for status in found if status.is_available]


def predict(address: str, name: str, images: np.ndarray = IMAGES) -> Prediction:
    return ask(address, lambda c: c.predict(name, encode_images(images), timeout_seconds=30))


def raw_predict(address: str, request: PredictRequest) -> Outcome:
    return call(address, protocol.PREDICT, request.SerializeToString())


def request_of(name: str, array: np.ndarray = IMAGES) -> PredictRequest:
    return PredictRequest(
        model_spec=ModelSpec(name=name), inputs={INPUT_NAME: tensors.encode(array)}
    )


@pytest.mark.parametrize("name", MODELS)
class TestOneModel:
    def test_a_version_is_available(self, address: str, name: str):
        assert available_versions(address, name)

    def test_each_image_gets_probabilities_that_sum_to_1(self, address: str, name: str):
        prediction = predict(address, name)
        assert prediction.version in available_versions(address, name)
        assert prediction.probabilities.shape == (len(IMAGES), len(CLASS_NAMES))
        np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, atol=1e-3)

    def test_the_same_image_gets_the_same_answer(self, address: str, name: str):
        first, second = predict(address, name), predict(address, name)
        np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-5)

    def test_an_image_gets_the_same_answer_alone_and_in_a_batch(self, address: str, name: str):
        alone = [predict(address, name, IMAGES[i : i + 1]).probabilities[0] for i in range(3)]
        np.testing.assert_allclose(alone, predict(address, name).probabilities, atol=1e-4)

    def test_the_signature_matches_the_contract(self, address: str, name: str):
        request = GetModelMetadataRequest(
            model_spec=ModelSpec(name=name), metadata_field=[protocol.SIGNATURE_DEF_FIELD]
        )
        outcome = call(address, protocol.GET_MODEL_METADATA, request.SerializeToString())
        packed = GetModelMetadataResponse.FromString(outcome.response).metadata
        signatures = SignatureDefMap.FromString(packed[protocol.SIGNATURE_DEF_FIELD].value)
        signature = signatures.signature_def[SIGNATURE_NAME]
        assert list(signature.inputs) == [INPUT_NAME]
        assert signature.inputs[INPUT_NAME].dtype == DataType.DT_FLOAT
        assert signature.outputs[OUTPUT_NAME].dtype == DataType.DT_FLOAT
        sizes = [dim.size for dim in signature.inputs[INPUT_NAME].tensor_shape.dim]
        assert sizes[1:] == [64, 64, 3]

    def test_a_request_can_name_a_version(self, address: str, name: str):
        newest = max(available_versions(address, name))
        request = request_of(name)
        request.model_spec.version.value = newest
        outcome = raw_predict(address, request)
        assert outcome.status == "OK", outcome.message
        assert PredictResponse.FromString(outcome.response).model_spec.version.value == newest

    def test_an_unknown_version_gets_not_found(self, address: str, name: str):
        request = request_of(name)
        request.model_spec.version.value = 987654321
        assert raw_predict(address, request).status == "NOT_FOUND"

    def test_float_val_gets_the_same_answer_as_tensor_content(self, address: str, name: str):
        request = request_of(name)
        request.inputs[INPUT_NAME].CopyFrom(tensors.encode_values(IMAGES))
        outcome = raw_predict(address, request)
        answer = PredictResponse.FromString(outcome.response).outputs[OUTPUT_NAME]
        expected = predict(address, name).probabilities
        np.testing.assert_allclose(tensors.decode(answer), expected, atol=1e-5)

    def test_a_request_can_name_an_output(self, address: str, name: str):
        request = request_of(name)
        request.output_filter.append(OUTPUT_NAME)
        outcome = raw_predict(address, request)
        assert set(PredictResponse.FromString(outcome.response).outputs) == {OUTPUT_NAME}

    def test_a_wrong_dtype_is_rejected(self, address: str, name: str):
        outcome = raw_predict(address, request_of(name, IMAGES.astype(np.int32)))
        assert outcome.status in {"INVALID_ARGUMENT", "INTERNAL"}
        assert len(predict(address, name).probabilities) == len(IMAGES)

    def test_a_batch_of_32_is_answered(self, address: str, name: str):
        images = np.repeat(IMAGES[:1], 32, axis=0)
        assert len(predict(address, name, images).probabilities) == 32


def test_every_model_has_an_available_version(address: str):
    for name in MODELS:
        assert ask(address, lambda c, name=name: c.has_available_version(name, timeout_seconds=10))


def test_an_unknown_model_raises_model_not_found(address: str):
    with pytest.raises(ModelNotFoundError):
        predict(address, "nosuchmodel")
    with pytest.raises(ModelNotFoundError):
        ask(address, lambda c: c.version_statuses("nosuchmodel", timeout_seconds=10))


def test_a_call_beyond_its_deadline_raises_model_deadline_error(address: str):
    # Large enough to take longer than a millisecond, the resolution of gRPC's deadlines.
    images = encode_images(np.repeat(IMAGES, 50, axis=0))
    with pytest.raises(ModelDeadlineError):
        ask(address, lambda c: c.predict(MODELS[0], images, timeout_seconds=1e-9))


def test_three_models_answer_concurrent_calls(address: str):
    async def call_all(client: ModelServerClient) -> list[Prediction]:
        encoded = encode_images(IMAGES)
        return await asyncio.gather(
            *(client.predict(name, encoded, timeout_seconds=30) for name in MODELS)
        )

    assert all(len(answer.probabilities) == len(IMAGES) for answer in ask(address, call_all))


def test_64_concurrent_calls_are_answered_or_rejected_as_unavailable(
    address: str, prove: Callable[[str], None]
):
    async def call_all(client: ModelServerClient) -> list[Prediction | BaseException]:
        encoded = encode_images(IMAGES[:1])
        return await asyncio.gather(
            *(client.predict(MODELS[i % 3], encoded, timeout_seconds=60) for i in range(64)),
            return_exceptions=True,
        )

    answers = ask(address, call_all)
    rejected = [a for a in answers if isinstance(a, ModelServerUnavailableError)]
    assert all(isinstance(answer, Prediction) for answer in answers if answer not in rejected)
    # TensorFlow Serving rejects calls beyond its threads; --grpc_max_threads=100 is enough.
    assert not rejected or ADDRESS
    prove(f"64 concurrent calls: {len(answers) - len(rejected)} answered, {len(rejected)} rejected")
