import itertools
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from serving.contract import MODEL_NAMES
from serving.model_config import ModelConfig, read_model_configs

_BATCHING_PARAMETERS = """
  name: "batching.proto" package: "tensorflow.serving" syntax: "proto3"
  dependency: "google/protobuf/wrappers.proto"
  message_type {
    name: "BatchingParameters"
    field { name: "max_batch_size" number: 1 type_name: ".google.protobuf.Int64Value" }
    field { name: "batch_timeout_micros" number: 2 type_name: ".google.protobuf.Int64Value" }
    field { name: "max_enqueued_batches" number: 3 type_name: ".google.protobuf.Int64Value" }
    field { name: "num_batch_threads" number: 4 type_name: ".google.protobuf.Int64Value" }
    field { name: "allowed_batch_sizes" number: 6 type: TYPE_INT64 label: LABEL_REPEATED }
  }
"""

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


def read(path: Path, file_descriptor: str, message: str) -> Any:
    """Parse a config as TensorFlow Serving does: an unknown field is an error."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = text_format.Parse(file_descriptor, descriptor_pb2.FileDescriptorProto())
    pool.AddSerializedFile(file.SerializeToString())
    descriptor = pool.FindMessageTypeByName(f"tensorflow.serving.{message}")
    return text_format.Parse(path.read_text(), message_factory.GetMessageClass(descriptor)())


@pytest.fixture(scope="module")
def batching(root: Path) -> Any:
    path = root / "serving" / "config" / "batching.config"
    return read(path, _BATCHING_PARAMETERS, "BatchingParameters")


def test_models_config_names_the_models_of_the_contract(root: Path):
    assert read_model_configs(root / "models.config") == [
        ModelConfig(name, Path("/models") / name, num_versions=1) for name in MODEL_NAMES
    ]


def test_batches_are_small_and_wait_hardly(batching: Any):
    assert batching.max_batch_size.value == 32
    assert batching.batch_timeout_micros.value == 2000


def test_the_answers_to_one_image_do_not_wait_for_each_other(batching: Any):
    assert batching.num_batch_threads.value >= len(MODEL_NAMES)


def test_allowed_batch_sizes_end_at_the_largest_batch(batching: Any):
    # startup_batching_allowed_sizes_last_not_max: no model loads.
    sizes = list(batching.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == batching.max_batch_size.value


def test_padding_stays_below_a_half(batching: Any):
    sizes = list(batching.allowed_batch_sizes)
    assert sizes[0] == 1
    assert all(size < 1.5 * (below + 1) for below, size in itertools.pairwise(sizes))


def test_metrics_are_served_where_prometheus_is_told_to_look(root: Path):
    path = root / "serving" / "config" / "monitoring.config"
    config = read(path, _MONITORING_CONFIG, "MonitoringConfig")
    assert config.prometheus_config.enable
    assert config.prometheus_config.path in (root / "docs" / "deployment.md").read_text()
