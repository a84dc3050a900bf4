"""Every exception of the shared layer.

::

    ServingError
    ├── VolumeError                      the versioned volume cannot be read or written as asked
    ├── ModelConfigError                 models.config does not say what it must
    ├── BatchingParametersError          a batching parameters file does not say what it must
    ├── TlsConfigError                   keys or certificates are not what TLS needs
    └── ModelServerError                 a call to the model server failed
        ├── ModelNotFoundError           no such servable or version
        ├── ModelServerUnavailableError  unreachable, overloaded or going away
        │   └── ModelServerExhaustedError    it is there and refuses more work
        ├── ModelDeadlineError           no answer within the deadline
        └── InvalidAnswerError           the answer breaks the contract
"""


class ServingError(Exception):
    """The base of all exceptions of ``serving``."""


class VolumeError(ServingError):
    """The versioned volume cannot be read or written as asked."""


class ModelConfigError(ServingError):
    """A models.config file is malformed or names what cannot be served."""


class BatchingParametersError(ServingError):
    """A batching parameters file is malformed or its values do not fit together."""


class TlsConfigError(ServingError):
    """Keys or certificates cannot be read or are not what TLS needs."""


class ModelServerError(ServingError):
    """A call to the model server failed; the message is the server's own where there is one."""


class ModelNotFoundError(ModelServerError):
    """The model server has no such servable or version."""


class ModelServerUnavailableError(ModelServerError):
    """The model server cannot be reached, or refuses work for the moment."""


class ModelServerExhaustedError(ModelServerUnavailableError):
    """The model server is there and refuses more work: asking again would make it worse."""


class ModelDeadlineError(ModelServerError):
    """The model server did not answer within the deadline."""


class InvalidAnswerError(ModelServerError):
    """The model server's answer breaks the contract."""
