"""Paths of Unix sockets, which may not be longer than 107 bytes."""

import os
import tempfile
from typing import Final

_MAX_PATH_BYTES: Final = 107
_SHORT: Final = "/tmp"  # noqa: S108 - callers create a folder with a random name in it


def temporary_folder_for_sockets(*, further_bytes: int) -> str:
    """The folder for temporary files, or ``/tmp`` if a socket's path in it would be too long.

    Args:
        further_bytes: the part of the socket's path that follows the folder, with its first slash.
    """
    usual = tempfile.gettempdir()
    fits = len(os.fsencode(usual)) + further_bytes <= _MAX_PATH_BYTES
    return usual if fits else _SHORT
