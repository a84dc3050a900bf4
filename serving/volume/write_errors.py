"""Turns errors of writing to the volume into messages that say what to do."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from serving.errors import VolumeError
from system.container_user import CHANGE_OWNER, CONTAINER_USER

_GIVE_TO_USER: Final = (
    f"give it to the user of this process, in the containers {CONTAINER_USER}:"
    f" {CHANGE_OWNER} on the folder or the volume"
)
_REMEDIES: Final = {
    errno.EACCES: _GIVE_TO_USER,
    errno.EPERM: _GIVE_TO_USER,
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
