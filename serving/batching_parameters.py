"""Reads batching parameters files, as for TensorFlow Serving's ``--batching_parameters_file``."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from google.protobuf import text_format

from serving.errors import BatchingParametersError
from serving.protos.server_files_pb2 import BatchingParameters as BatchingParametersProto
from system.regular_files import read_config_file, unreadable_reason

EMBEDDED_BATCHING_FILE: Final = Path(__file__).parent / "config" / "embedded_batching.config"
"""The embedded model server's batching parameters for the three CNNs."""


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are batched; the defaults are those of TensorFlow Serving."""

    max_batch_size: int = 1000
    """Largest number of rows in a batch, and in a request."""
    max_enqueued_batches: int = 10
    """How many batches of one model may wait; a request that needs one more is rejected."""
    num_batch_threads: int = os.cpu_count() or 1
    """How many batches run at the same time, for all models together."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """A batch is padded to the next of these sizes; without any, it is not padded."""
    max_execution_batch_size: int | None = None
    """Larger batches are split into pieces of this size."""

    @property
    def rows_together(self) -> int:
        """The number of rows up to which requests join a batch."""
        return min(self.max_batch_size, self.max_execution_batch_size or self.max_batch_size)

    @classmethod
    def from_proto(cls, proto: BatchingParametersProto) -> Self:
        """Read the message.

        ``batch_timeout_micros`` limits how long TensorFlow Serving waits for a batch to fill. The
        embedded model server never waits while a thread is idle, so it ignores this value, and also
        ``pad_variable_length_inputs`` and ``thread_pool_name``.

        Raises:
            BatchingParametersError: a value is not positive, or the sizes are inconsistent.
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
        BatchingParametersError: the text is malformed, or its values are inconsistent.
    """
    try:
        proto = text_format.Parse(text, BatchingParametersProto())
    except text_format.ParseError as error:
        raise BatchingParametersError(f"batching parameters cannot be parsed: {error}") from error
    return BatchingParameters.from_proto(proto)


def read_batching_parameters(path: Path) -> BatchingParameters:
    """Read a batching parameters file.

    Raises:
        BatchingParametersError: the file cannot be read, is malformed, or its values are
            inconsistent.
    """
    try:
        text = read_config_file(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BatchingParametersError(
            f"{path} cannot be read: {unreadable_reason(error)}"
        ) from error
    return parse_batching_parameters(text)
