"""Errors for versions that cannot be loaded and for calls that are rejected.

::

    ServingError
    ├── ModelLoadError   a version cannot be served
    └── CallError        a call ends with this status and message
"""

import grpc

from serving.errors import ServingError
from serving.protos.model_status_pb2 import Code


class ModelLoadError(ServingError):
    """A version cannot be served.

    Args:
        code: for GetModelStatus.
        message: TensorFlow Serving's own, if it has one.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CallError(ServingError):
    """A call ends with this status and message."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_argument(message: str) -> CallError:
    """The request is not valid."""
    return CallError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> CallError:
    """The requested object does not exist."""
    return CallError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> CallError:
    """The request does not fit the current state."""
    return CallError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unknown(message: str) -> CallError:
    """The request failed for the reason in the message."""
    return CallError(grpc.StatusCode.UNKNOWN, message)
