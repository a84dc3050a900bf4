"""The configuration files of TensorFlow Serving and of the embedded model server."""

import itertools
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from api.prediction.fan_out import IMAGES_TOGETHER
from serving.batching_parameters import (
    EMBEDDED_BATCHING_FILE,
    BatchingParameters,
    read_batching_parameters,
)
from serving.contract import MODEL_NAMES
from serving.volume.model_config import ModelConfig, read_model_configs

_MONITORING_CONFIG = """
  name: "monitoring.proto" package: "tensorflow.serving" syntax: "proto3"
  message_type {
    name: "PrometheusConfig"
    field { name: "enable" number: 1 type: TYPE_BOOL }
    field { name: "path" number: 2 type: TYPE_STRING }
  }
  message_type {
    name: "MonitoringConfig"
    field { name: "prometheus_config" number: 1 type_name: ".tensorflow.serving.PrometheusConfig" }
  }
"""


@pytest.fixture(scope="module")
def batching(root: Path) -> BatchingParameters:
    # Raises for an unknown field, as TensorFlow Serving does, and for inconsistent sizes.
    return read_batching_parameters(root / "serving" / "config" / "batching.config")


def test_models_config_names_the_models_of_the_contract(root: Path):
    assert read_model_configs(root / "models.config") == [
        ModelConfig(name, Path("/models") / name) for name in MODEL_NAMES
    ]


def test_a_batch_has_at_most_32_images(batching: BatchingParameters):
    assert batching.max_batch_size == 32


def test_there_is_a_batch_thread_for_each_model(batching: BatchingParameters):
    assert batching.num_batch_threads >= len(MODEL_NAMES)


def test_the_embedded_server_does_not_pad_and_accepts_batches_of_the_same_size(
    batching: BatchingParameters,
):
    embedded = read_batching_parameters(EMBEDDED_BATCHING_FILE)
    assert embedded.allowed_batch_sizes == ()
    assert embedded.rows_together == IMAGES_TOGETHER
    assert embedded.max_batch_size >= batching.max_batch_size


def test_padding_adds_less_than_half_of_the_images_in_a_batch(batching: BatchingParameters):
    sizes = batching.allowed_batch_sizes
    assert sizes[0] == 1
    assert all(size < 1.5 * (below + 1) for below, size in itertools.pairwise(sizes))


def test_metrics_are_served_at_the_documented_path(root: Path):
    pool = descriptor_pool.DescriptorPool()
    file = text_format.Parse(_MONITORING_CONFIG, descriptor_pb2.FileDescriptorProto())
    pool.AddSerializedFile(file.SerializeToString())
    descriptor = pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig")
    config = text_format.Parse(
        (root / "serving" / "config" / "monitoring.config").read_text(),
        message_factory.GetMessageClass(descriptor)(),
    )
    assert config.prometheus_config.enable
    assert config.prometheus_config.path in (root / "docs" / "deployment.md").read_text()
