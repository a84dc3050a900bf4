"""The file of API key records: written whole or not at all, read again when it has changed."""

import logging
import os
import stat
import tempfile
import time
from collections.abc import Sequence
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


def write_key_file(path: Path, records: Sequence[ApiKeyRecord]) -> None:
    """Replace a file, readable for its owner alone unless it was readable for more before.

    Raises:
        ApiKeysError: it cannot be written.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(file.fileno(), mode)
            file.writelines(f"{record}\n" for record in records)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise ApiKeysError(f"the file of API keys cannot be written: {error.strerror}") from error


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
        self._records: Sequence[ApiKeyRecord] = read_key_file(path)
        self._seen = self._look()
        self._looked = time.monotonic()

    @property
    def records(self) -> Sequence[ApiKeyRecord]:
        """The records as the file has them, at most a second old."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                self._records = self._read()
        return self._records

    def _read(self) -> Sequence[ApiKeyRecord]:
        try:
            records = read_key_file(self._path)
        except ApiKeysError:
            logger.exception("no API key is accepted until their file can be read")
            return ()
        logger.info("the file of API keys has changed: %d keys", len(records))
        return records

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
