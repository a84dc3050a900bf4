"""The exceptions of ``serving``.

::

    ServingError
    ├── VolumeError                      the versioned volume cannot be read or written
    ├── ModelConfigError                 models.config is not valid
    ├── BatchingParametersError          a batching parameters file is not valid
    ├── TlsConfigError                   keys or certificates are not valid
    └── ModelServerError                 a call to the model server failed
        ├── ModelNotFoundError           no such servable or version
        ├── ModelServerUnavailableError  unreachable, overloaded or stopping
        │   └── ModelServerExhaustedError    it is running, but rejects more work
        ├── ModelDeadlineError           no answer within the deadline
        └── InvalidAnswerError           the answer violates the contract
"""


class ServingError(Exception):
    """The base of all exceptions of ``serving``."""


class VolumeError(ServingError):
    """The versioned volume cannot be read or written."""


class ModelConfigError(ServingError):
    """A models.config file is malformed or names something that cannot be served."""


class BatchingParametersError(ServingError):
    """A batching parameters file is malformed or its values are inconsistent."""


class TlsConfigError(ServingError):
    """Keys or certificates cannot be read or are not valid."""


class ModelServerError(ServingError):
    """A call to the model server failed; the message is the server's, if it sent one."""


class ModelNotFoundError(ModelServerError):
    """The model server has no such servable or version."""


class ModelServerUnavailableError(ModelServerError):
    """The model server cannot be reached, or temporarily rejects work."""


class ModelServerExhaustedError(ModelServerUnavailableError):
    """The model server is running, but rejects more work; a retry would make it worse."""


class ModelDeadlineError(ModelServerError):
    """The model server did not answer within the deadline."""


class InvalidAnswerError(ModelServerError):
    """The model server's answer violates the contract."""
