"""Options of a model server, with the names of TensorFlow Serving's flags in parentheses."""

from dataclasses import dataclass

import grpc

from serving.batching_parameters import BatchingParameters
from serving.precision import Precision


@dataclass(frozen=True, kw_only=True)
class ModelServerOptions:
    """Options of ``EmbeddedModelServer``; the defaults suit the three CNNs on a CPU."""

    precision: Precision = Precision.F32
    """The precision of the engine's arithmetic."""
    inference_threads: int = 2
    """How many requests run at the same time without batching."""
    batching: BatchingParameters | None = None
    """How requests are batched (``enable_batching``)."""
    poll_seconds: float = 1.0
    """The interval for polling a model's directory (``file_system_poll_wait_seconds``)."""
    load_threads: int = 4
    """How many versions are loaded at the same time (``num_load_threads``)."""
    load_retries: int = 1
    """How many times loading a version is retried (``max_num_load_retries``)."""
    load_retry_interval_seconds: float = 2.0
    """The pause between two attempts (``load_retry_interval_micros``)."""
    allow_labels_for_unavailable: bool = False
    """Allow labels of unavailable versions (``allow_version_labels_for_unavailable_models``)."""
    answer_as_content: bool = False
    """Use ``tensor_content`` in responses (``enable_serialization_as_tensor_content``)."""
    max_concurrent_requests: int = 100
    """The limit of concurrent predictions; more are rejected (``grpc_max_threads``)."""
    credentials: grpc.ServerCredentials | None = None
    """For TLS (``ssl_config_file``)."""
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    """gRPC arguments, such as the maximum age of a connection (``grpc_channel_arguments``)."""
    grace_seconds: float = 2.0
    """How long calls in flight may still take when the server stops."""

    @property
    def runs_at_once(self) -> int:
        """The number of concurrent runs of all models; each has its share of the cores."""
        return self.batching.num_batch_threads if self.batching else self.inference_threads
