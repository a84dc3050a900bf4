"""How a model server runs; the names of TensorFlow Serving's flags stand beside ours."""

from dataclasses import dataclass

import grpc

from serving.batching_parameters import BatchingParameters
from serving.precision import Precision


@dataclass(frozen=True, kw_only=True)
class ModelServerOptions:
    """Options of ``EmbeddedModelServer``, each with what is right for the three CNNs on a CPU."""

    precision: Precision = Precision.F32
    """Of the engine's arithmetic."""
    inference_threads: int = 2
    """Requests that run at the same time where batching is off."""
    batching: BatchingParameters | None = None
    """How requests share a run of the network (``enable_batching``)."""
    poll_seconds: float = 1.0
    """Pause between two looks at a model's directory (``file_system_poll_wait_seconds``)."""
    load_threads: int = 4
    """Versions that are loaded at the same time (``num_load_threads``)."""
    load_retries: int = 1
    """Attempts to load a version after the first (``max_num_load_retries``)."""
    load_retry_interval_seconds: float = 2.0
    """Pause between two attempts (``load_retry_interval_micros``)."""
    allow_labels_for_unavailable: bool = False
    """Labels for versions not loaded (``allow_version_labels_for_unavailable_models``)."""
    answer_as_content: bool = False
    """Compact tensors in answers (``enable_serialization_as_tensor_content``)."""
    max_concurrent_requests: int = 100
    """More predictions at once are refused (``grpc_max_threads``)."""
    credentials: grpc.ServerCredentials | None = None
    """For TLS (``ssl_config_file``)."""
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    """Of gRPC, such as the age at which a connection is closed (``grpc_channel_arguments``)."""
    grace_seconds: float = 2.0
    """How long calls in flight may take when the server stops."""

    @property
    def runs_at_once(self) -> int:
        """Of all models; each has its share of the cores."""
        return self.batching.num_batch_threads if self.batching else self.inference_threads
