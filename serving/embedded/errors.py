"""How a version that cannot be loaded and a call that is refused are told apart and answered.

::

    ServingError
    ├── ModelLoadError   a version's directory does not hold what can be served
    └── CallError        a call ends with this status and message
"""

import grpc

from serving.errors import ServingError
from serving.protos.model_status_pb2 import Code


class ModelLoadError(ServingError):
    """A version's directory does not hold what can be served.

    Args:
        code: as GetModelStatus tells it.
        message: TensorFlow Serving's own, where it has one.
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
    """The request itself is wrong."""
    return CallError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> CallError:
    """What is asked for is not there."""
    return CallError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> CallError:
    """The request does not fit the state that things are in."""
    return CallError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unknown(message: str) -> CallError:
    """It failed, for a reason that the message tells."""
    return CallError(grpc.StatusCode.UNKNOWN, message)
