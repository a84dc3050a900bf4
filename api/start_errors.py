"""Errors at the gateway's start, in a module that can be imported without loading the gateway."""


class ModelServerNotSetError(ValueError):
    """No model server is set."""


class AuditTrailError(ValueError):
    """The file of the audit trail cannot be written."""


class NoTemporaryFolderError(OSError):
    """No folder for temporary files is writable, but the processes need one for their sockets."""
