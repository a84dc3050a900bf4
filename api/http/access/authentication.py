"""Authentication: finds the API key in a request and looks up its owner."""

import base64
from collections.abc import Sequence
from typing import Final

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers

from api.http.access.api_keys import ApiKeyRecord, find_record, parse_records
from api.http.access.key_file import ReloadingKeyFile
from api.http.errors import AuthenticationError, CrossSiteError
from api.settings import Settings

API_KEY_HEADER: Final = "X-API-Key"
_MAX_KEY_LENGTH: Final = 128
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

DOCUMENTED_SCHEMES: Final = [
    Security(scheme)
    for scheme in (
        HTTPBearer(auto_error=False),
        APIKeyHeader(name=API_KEY_HEADER, auto_error=False),
    )
]
"""Only for the OpenAPI document: keys are checked before the body is read and before routing."""


class Authenticator:
    """Checks the API keys of requests.

    Args:
        settings: list the accepted keys.

    Raises:
        ApiKeysError: the keys cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        given = settings.api_keys
        self._records: Sequence[ApiKeyRecord] = (
            parse_records(given.get_secret_value()) if given else ()
        )
        self._file = ReloadingKeyFile(settings.api_keys_file) if settings.api_keys_file else None

    async def authenticate(self, method: str, headers: Headers) -> ApiKeyRecord:
        """Return the record of the key that a request carries.

        The key is in ``Authorization``, as ``Bearer`` or as the password of ``Basic``, or in
        ``X-API-Key``.

        Raises:
            AuthenticationError: there is no key, or it is not accepted.
            CrossSiteError: a browser sent its stored key for a page of another site.
        """
        key, from_browser = _find_key(headers)
        from_file = await self._file.records() if self._file else ()
        record = find_record((*self._records, *from_file), key)
        if record is None:
            raise AuthenticationError
        # A browser adds a stored password to every request, whichever page caused it.
        if from_browser and method not in _SAFE_METHODS and _is_cross_site(headers):
            raise CrossSiteError
        return record


def _is_cross_site(headers: Headers) -> bool:
    """Whether the browser's headers say that a page of another site caused the request."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    # Over plain HTTP browsers send only Origin; other clients send neither header.
    origin = headers.get("Origin")
    if origin is None:
        return False
    # Browsers format Origin and Host alike. Any other origin, such as null, is another site.
    host = origin.partition("://")[2]
    return not host or host != headers.get("Host")


def _find_key(headers: Headers) -> tuple[str, bool]:
    """The key, empty if there is none, and whether a browser sent it as a stored password."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()[:_MAX_KEY_LENGTH], False
    if scheme.lower() == "basic":
        return _password(credentials.strip())[:_MAX_KEY_LENGTH], True
    return headers.get(API_KEY_HEADER, "")[:_MAX_KEY_LENGTH], False


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        # Not Base64, not ASCII, or not UTF-8.
        return ""
