"""How a refused call is answered: TensorFlow Serving's status codes and messages."""

import grpc


class CallError(Exception):
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
