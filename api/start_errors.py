"""What keeps the gateway from starting; apart, so that who starts it need not load it first."""


class ModelServerNotSetError(ValueError):
    """The gateway was not told where its model server is."""


class AuditTrailError(ValueError):
    """The file of the audit trail cannot be written to."""


class NoTemporaryFolderError(OSError):
    """No folder for temporary files can be written to; the processes' sockets are made in one."""
