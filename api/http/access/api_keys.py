"""API keys: what a caller shows, and the record that proves it without giving it away.

A key is ``covidscan_<id>_<secret>``. Its record, ``<id>:<name>:<sha256 of the key>``, is all that
the gateway needs. The secret has 256 random bits, so that a plain hash, unlike a password's, cannot
be searched for the key.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

_PREFIX: Final = "covidscan"
_ID_BYTES: Final = 4
_SECRET_BYTES: Final = 32
_RECORD: Final = re.compile(r"([0-9a-f]{8}):([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})")
_KEY: Final = re.compile(rf"{_PREFIX}_([0-9a-f]{{8}})_[A-Za-z0-9_-]{{43}}")


class ApiKeysError(ValueError):
    """Records of API keys cannot be read or written, or do not say what they must."""


@dataclass(frozen=True)
class ApiKeyRecord:
    """What is kept of a key."""

    id: str
    """Eight hex digits, which stand in the key too; may be logged."""
    name: str
    """Whose key it is."""
    sha256: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record.

        Raises:
            ApiKeysError: it is none.
        """
        match = _RECORD.fullmatch(text)
        if match is None:
            # Not quoted: somebody may have put the key itself there.
            raise ApiKeysError("a record of an API key is <id>:<name>:<sha256>")
        return cls(*match.groups())

    def __str__(self) -> str:
        """The record as a line."""
        return f"{self.id}:{self.name}:{self.sha256}"


def create_key(name: str) -> tuple[str, ApiKeyRecord]:
    """Make a key: the key itself, which nobody can ever read again, and its record.

    Raises:
        ApiKeysError: the name is none of letters, digits, dots, dashes and underscores, 1 to 64.
    """
    identity = secrets.token_hex(_ID_BYTES)
    key = f"{_PREFIX}_{identity}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    try:
        return key, ApiKeyRecord.parse(f"{identity}:{name}:{_sha256(key)}")
    except ApiKeysError as error:
        raise ApiKeysError(
            "a key's name has 1 to 64 letters, digits, dots, dashes and underscores"
        ) from error


def parse_records(text: str) -> list[ApiKeyRecord]:
    """Read records that are separated by spaces or line ends.

    Raises:
        ApiKeysError: one is malformed, or two have one id.
    """
    records = [ApiKeyRecord.parse(word) for word in text.split()]
    if len({record.id for record in records}) < len(records):
        raise ApiKeysError("two API keys have the same id")
    return records


def find_record(records: Iterable[ApiKeyRecord], key: str) -> ApiKeyRecord | None:
    """The record that a shown key belongs to, or None.

    Takes the same time for any wrong secret (``hmac.compare_digest``); an id is no secret.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    digest = _sha256(key)
    for record in records:
        if record.id == match[1] and hmac.compare_digest(record.sha256, digest):
            return record
    return None


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
