"""Turns errors of writing to the volume into messages that say what to do."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from serving.errors import VolumeError

_CHANGE_OWNER: Final = (
    "give it to the user of this process, in the containers 10001:"
    " chown -R 10001:10001 on the folder or the volume"
)
_REMEDIES: Final = {
    errno.EACCES: _CHANGE_OWNER,
    errno.EPERM: _CHANGE_OWNER,
    errno.EROFS: "mount it for writing; among the containers only the trainer writes to it",
    errno.ENOSPC: "make room, or remove old versions with `covidscan models prune`",
    errno.EDQUOT: "make room, or remove old versions with `covidscan models prune`",
}
"""What to do about errors of the operating system."""


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn errors of the operating system in the body into a ``VolumeError`` that says what to do.

    Args:
        name: of the model that is written.

    Raises:
        VolumeError: the volume cannot be written.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        raise VolumeError(
            f"cannot write to the volume of {name}: {error.strerror}"
            + (f"; {remedy}" if remedy else "")
        ) from error
