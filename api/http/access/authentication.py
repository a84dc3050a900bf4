"""Authentication: the key that a request shows, and whose it is."""

import base64
from collections.abc import Sequence
from typing import Final

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers

from api.http.access.api_keys import ApiKeyRecord, find_record, parse_records
from api.http.access.key_file import FollowedKeyFile
from api.http.errors import AuthenticationError, CrossSiteError
from api.settings import Settings

API_KEY_HEADER: Final = "X-API-Key"
_LONGEST_KEY: Final = 128
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

DOCUMENTED_SCHEMES: Final = [
    Security(scheme)
    for scheme in (
        HTTPBearer(auto_error=False),
        APIKeyHeader(name=API_KEY_HEADER, auto_error=False),
    )
]
"""For the OpenAPI document alone: a key is checked before a body is read, where no route is yet."""


class Authenticator:
    """Knows the keys that are accepted.

    Args:
        settings: name the keys.

    Raises:
        ApiKeysError: they cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        given = settings.api_keys
        self._records: Sequence[ApiKeyRecord] = (
            parse_records(given.get_secret_value()) if given else ()
        )
        self._file = FollowedKeyFile(settings.api_keys_file) if settings.api_keys_file else None

    async def authenticate(self, method: str, headers: Headers) -> ApiKeyRecord:
        """Whose key a request shows.

        It stands in ``Authorization``, as ``Bearer`` or as the password of ``Basic``, or in
        ``X-API-Key``.

        Raises:
            AuthenticationError: it shows none, or one that is not accepted.
            CrossSiteError: a browser shows it for a page of another site.
        """
        key, from_browser = _shown_key(headers)
        from_file = await self._file.records() if self._file else ()
        record = find_record((*self._records, *from_file), key)
        if record is None:
            raise AuthenticationError
        # A browser sends a password that it has stored with whatever any page makes it send.
        if from_browser and method not in _SAFE_METHODS and _is_from_elsewhere(headers):
            raise CrossSiteError
        return record


def _is_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that another site's page sends a request."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    # Over plain HTTP browsers tell the origin alone; what is no browser tells neither.
    origin = headers.get("Origin")
    if origin is None:
        return False
    # Browsers write both in one way. What they do not write, such as null, is from elsewhere.
    host = origin.partition("://")[2]
    return not host or host != headers.get("Host")


def _shown_key(headers: Headers) -> tuple[str, bool]:
    """The key, empty where none is shown, and whether it is a browser's stored password."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()[:_LONGEST_KEY], False
    if scheme.lower() == "basic":
        return _password(credentials.strip())[:_LONGEST_KEY], True
    return headers.get(API_KEY_HEADER, "")[:_LONGEST_KEY], False


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        # No Base64, no ASCII, or no UTF-8.
        return ""
