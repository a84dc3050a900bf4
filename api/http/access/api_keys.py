"""API keys: how keys and their stored records are created, parsed and compared.

A key is ``covidscan_<id>_<secret>``. The gateway only needs its record, ``<id>:<name>:<sha256 of
the key>``. The secret has 256 random bits, so a plain hash is enough: unlike a password, it cannot
be found by trying.
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
    """Records of API keys cannot be read or written, or are malformed."""


@dataclass(frozen=True)
class ApiKeyRecord:
    """What the gateway stores about a key."""

    id: str
    """Eight hex digits, also part of the key; may be logged."""
    name: str
    """The owner of the key."""
    sha256: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a record.

        Raises:
            ApiKeysError: the text is not a record.
        """
        match = _RECORD.fullmatch(text)
        if match is None:
            # The text is not quoted: it may be the key itself, put there by mistake.
            raise ApiKeysError("a record of an API key is <id>:<name>:<sha256>")
        return cls(*match.groups())

    def __str__(self) -> str:
        """The record as a line."""
        return f"{self.id}:{self.name}:{self.sha256}"


def create_key(name: str) -> tuple[str, ApiKeyRecord]:
    """Create a key. Returns the key, which cannot be recovered later, and its record.

    Raises:
        ApiKeysError: the name is not 1 to 64 letters, digits, dots, dashes and underscores.
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
        ApiKeysError: a record is malformed, or two have the same id.
    """
    records = [ApiKeyRecord.parse(word) for word in text.split()]
    if len({record.id for record in records}) < len(records):
        raise ApiKeysError("two API keys have the same id")
    return records


def find_record(records: Iterable[ApiKeyRecord], key: str) -> ApiKeyRecord | None:
    """Return the record that matches a key, or None.

    Takes the same time for any wrong secret (``hmac.compare_digest``). The id is not secret.
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
