"""Authenticates and rate-limits requests before their bodies are read."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.access.authentication import Authenticator
from api.http.access.client_address import network_of
from api.http.access.open_paths import OPEN_PATHS
from api.http.access.rate_limits import RateLimits
from api.http.errors import AuthenticationError, RequestError
from api.http.problems import problem_response


class AccessMiddleware:
    """Authenticates each request and applies the rate limits, or responds with a problem.

    Sets ``key_id`` in ``scope["state"]``, and the ``client`` that the work is counted for.

    Args:
        app: the wrapped ASGI application.
        authenticator: checks API keys; None accepts requests without a key.
        rate_limits: counts requests and images.
    """

    def __init__(
        self, app: ASGIApp, *, authenticator: Authenticator | None, rate_limits: RateLimits
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._rate_limits = rate_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            await self._admit(scope, headers)
        except RequestError as error:
            response = problem_response(error, scope)
            if isinstance(error, AuthenticationError):
                # In a header of its own: Chromium ignores two challenges in one header.
                response.headers.append("WWW-Authenticate", 'Bearer realm="covidscan"')
            if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
                # Otherwise the server would go on receiving the body, only to discard it.
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, headers: Headers) -> None:
        address = scope["client"][0] if scope["client"] else ""
        await self._rate_limits.count_request(address)
        state = scope["state"]
        if self._authenticator is None:
            state["key_id"], state["client"] = None, f"address {network_of(address)}"
            return
        key_id = (await self._authenticator.authenticate(scope["method"], headers)).id
        state["key_id"], state["client"] = key_id, f"key {key_id}"
        if scope["method"] == "POST":
            await self._rate_limits.check_key(key_id)
