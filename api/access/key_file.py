"""The file of API key records: written whole or not at all, read again when it has changed."""

import fcntl
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from api.access.api_keys import ApiKeyRecord, ApiKeysError, parse_records

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0


def read_key_file(path: Path) -> list[ApiKeyRecord]:
    """Read all records of a file.

    Raises:
        ApiKeysError: it cannot be read, or is malformed.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ApiKeysError("the file of API keys cannot be read") from error
    return parse_records(text)


def change_key_file(
    path: Path, change: Callable[[Sequence[ApiKeyRecord]], Sequence[ApiKeyRecord]]
) -> None:
    """Read a file, change what it holds and replace it, while nobody else does.

    It keeps its owner and mode; a new one is readable for its owner alone. Where it is not there
    yet, it holds nothing.

    Raises:
        ApiKeysError: it cannot be read or written, or ``change`` says so.
    """
    path = path.resolve()
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ApiKeysError(f"the file of API keys cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _replace(path, change(read_key_file(path) if path.exists() else []))
    except OSError as error:
        raise ApiKeysError(f"the file of API keys cannot be written: {error.strerror}") from error
    finally:
        os.close(folder)


def _replace(path: Path, records: Sequence[ApiKeyRecord]) -> None:
    before = path.stat() if path.exists() else None
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        if before is not None:
            os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
        file.writelines(f"{record}\n" for record in records)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


class FollowedKeyFile:
    """The records of a file that may change while it is used.

    While it cannot be read no key of it is accepted: one that was just revoked might be among them.

    Args:
        path: the file.

    Raises:
        ApiKeysError: it cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Looked at first: a change between the two is then read once more, not missed.
        self._seen = self._look()
        self._records: Sequence[ApiKeyRecord] = read_key_file(path)
        self._looked = time.monotonic()

    @property
    def records(self) -> Sequence[ApiKeyRecord]:
        """The records as the file has them, at most a second old."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            seen = self._look()
            if seen is None or seen != self._seen:
                self._read(seen)
        return self._records

    def _read(self, seen: tuple[int, int, int] | None) -> None:
        try:
            self._records = read_key_file(self._path)
        except ApiKeysError:
            self._records, self._seen = (), None
            logger.exception("no API key is accepted until their file can be read")
            return
        self._seen = seen
        logger.info("the file of API keys has changed: %d keys", len(self._records))

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
