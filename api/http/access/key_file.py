"""The file of API key records: written atomically, read again after each change."""

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from api.http.access.api_keys import ApiKeyRecord, ApiKeysError, parse_records
from system.deadlines import DeadlineThreads
from system.regular_files import read_config_file, unreadable_reason
from system.replacement import replacing

logger = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 1.0
_READ_SECONDS: Final = 2.0
_PRIVATE: Final = 0o600


def read_key_file(path: Path) -> list[ApiKeyRecord]:
    """Read all records in a file.

    Raises:
        ApiKeysError: the file cannot be read, or is malformed.
    """
    try:
        text = read_config_file(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ApiKeysError(
            f"the API key file cannot be read: {unreadable_reason(error)}"
        ) from error
    return parse_records(text)


def change_key_file(
    path: Path, change: Callable[[Sequence[ApiKeyRecord]], Sequence[ApiKeyRecord]]
) -> None:
    """Read a file, change its records and replace it, under a lock.

    The file keeps its owner and mode. A new file is readable only by its owner. A missing file
    counts as empty.

    Raises:
        ApiKeysError: the file cannot be read or written, or ``change`` raises it.
    """
    path = path.resolve()
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ApiKeysError(f"the API key file cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _replace(path, change(read_key_file(path) if path.exists() else []))
    except OSError as error:
        raise ApiKeysError(f"the API key file cannot be written: {error.strerror}") from error
    finally:
        os.close(folder)


def _replace(path: Path, records: Sequence[ApiKeyRecord]) -> None:
    with replacing(path, mode=_PRIVATE, keep_owner=True) as file:
        file.writelines(f"{record}\n".encode() for record in records)


_FileVersion = tuple[int, int, int] | None


class ReloadingKeyFile:
    """The records of a file that may change while the gateway runs.

    While the file cannot be read in time, none of its keys is accepted: one of them might just have
    been revoked. The file is read in a thread, so that a hanging mount blocks nothing else.

    Args:
        path: the file.

    Raises:
        ApiKeysError: the file cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = DeadlineThreads("keys", threads=1, seconds=_READ_SECONDS)
        self._version: _FileVersion = None
        self._records: Sequence[ApiKeyRecord] = read_key_file(path)
        self._readable = True
        # The first request reads the file once more, so that no change since then is missed.
        self._checked_at = float("-inf")
        self._checking: asyncio.Task[None] | None = None

    async def records(self) -> Sequence[ApiKeyRecord]:
        """The records in the file, at most one second old."""
        if self._checking is None and time.monotonic() - self._checked_at >= _CHECK_SECONDS:
            self._checking = asyncio.create_task(self._reload(), name="read API keys")
        if self._checking is not None:
            # Shielded, because other requests may wait for the same read when this one is
            # cancelled.
            await asyncio.shield(self._checking)
        return self._records

    async def _reload(self) -> None:
        checked_at = time.monotonic()
        try:
            changed = await self._threads.call(partial(_read_if_changed, self._path, self._version))
        except (ApiKeysError, OSError) as error:
            self._records, self._version = (), None
            if self._readable:
                logger.warning(
                    "keys in the API key file are rejected until it can be read: %s", error
                )
            self._readable = False
        else:
            self._readable = True
            if changed is not None:
                self._version, self._records = changed
                logger.info("the API key file was read: %d keys", len(self._records))
        finally:
            self._checked_at, self._checking = checked_at, None


def _read_if_changed(
    path: Path, version: _FileVersion
) -> tuple[_FileVersion, Sequence[ApiKeyRecord]] | None:
    # stat comes first: a change between stat and read then causes another read and is not missed.
    status = path.stat()
    found = status.st_ino, status.st_mtime_ns, status.st_size
    return None if found == version else (found, read_key_file(path))
