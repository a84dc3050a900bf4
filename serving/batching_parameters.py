"""Read a batching parameters file, TensorFlow Serving's ``--batching_parameters_file``."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from google.protobuf import text_format

from serving.errors import BatchingParametersError
from serving.files.regular_files import read_config_file, unreadable_reason
from serving.protos.server_files_pb2 import BatchingParameters as BatchingParametersProto

_CONFIG_DIR: Final = Path(__file__).parent / "config"
TENSORFLOW_SERVING_BATCHING_FILE: Final = _CONFIG_DIR / "batching.config"
EMBEDDED_BATCHING_FILE: Final = _CONFIG_DIR / "embedded_batching.config"
"""What the three CNNs are served with, by either model server."""


@dataclass(frozen=True)
class BatchingParameters:
    """How requests share runs of a network; the defaults are TensorFlow Serving's."""

    max_batch_size: int = 1000
    """Rows in a batch, and in a request."""
    max_enqueued_batches: int = 10
    """Batches of one model that wait; a request that needs one more is refused."""
    num_batch_threads: int = os.cpu_count() or 1
    """Batches that run at the same time, of all models."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """A batch is padded to the next of these; without them it runs as it is."""
    max_execution_batch_size: int | None = None
    """A larger batch runs in pieces of this size."""

    @property
    def rows_together(self) -> int:
        """Rows up to which requests join a batch."""
        return min(self.max_batch_size, self.max_execution_batch_size or self.max_batch_size)

    @classmethod
    def from_proto(cls, proto: BatchingParametersProto) -> Self:
        """Read the message.

        ``batch_timeout_micros`` bounds how long TensorFlow Serving waits for a batch to fill. The
        embedded model server never waits while a thread is idle, so it has nothing to bound;
        ``pad_variable_length_inputs`` and ``thread_pool_name`` mean nothing to it either.

        Raises:
            BatchingParametersError: a value is not positive, or the sizes do not fit together.
        """
        given = {
            name: getattr(proto, name).value
            for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads")
            if proto.HasField(name)
        }
        splitting = proto.enable_large_batch_splitting.value
        if splitting and proto.HasField("max_execution_batch_size"):
            given["max_execution_batch_size"] = proto.max_execution_batch_size.value
        for name, value in given.items():
            if value < 1:
                raise BatchingParametersError(f"{name} must be positive; was {value}")
        parameters = cls(**given, allowed_batch_sizes=tuple(proto.allowed_batch_sizes))
        parameters._check_allowed_batch_sizes()
        return parameters

    def _check_allowed_batch_sizes(self) -> None:
        sizes = self.allowed_batch_sizes
        if not sizes:
            return
        if list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
            raise BatchingParametersError(
                "allowed_batch_sizes entries must be positive and monotonically increasing"
            )
        name, largest = (
            ("max_execution_batch_size", self.max_execution_batch_size)
            if self.max_execution_batch_size
            else ("max_batch_size", self.max_batch_size)
        )
        if sizes[-1] != largest:
            raise BatchingParametersError(
                f"Last entry in allowed_batch_sizes must match {name};"
                f" last entry was {sizes[-1]}; expected {largest}"
            )


def parse_batching_parameters(text: str) -> BatchingParameters:
    """Parse the text of a batching parameters file.

    Raises:
        BatchingParametersError: the text is malformed, or its values do not fit together.
    """
    try:
        proto = text_format.Parse(text, BatchingParametersProto())
    except text_format.ParseError as error:
        raise BatchingParametersError(f"batching parameters cannot be parsed: {error}") from error
    return BatchingParameters.from_proto(proto)


def read_batching_parameters(path: Path) -> BatchingParameters:
    """Read a batching parameters file.

    Raises:
        BatchingParametersError: the file cannot be read, is malformed, or its values do not fit.
    """
    try:
        text = read_config_file(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BatchingParametersError(
            f"{path} cannot be read: {unreadable_reason(error)}"
        ) from error
    return parse_batching_parameters(text)
