"""The token for requests of the library httpx.

    with httpx.Client(base_url=client.base_url, auth=tokenwell.httpx.Auth(client)) as api:
        api.get("/api/atlas/v2/orgs")
"""

from __future__ import annotations

import asyncio

from ._optional import require

require("httpx")

import httpx  # noqa: E402

from ._origin import Origin  # noqa: E402

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import AsyncGenerator, Generator, Optional

    from .client import Client
    from .token import Token

__all__ = ["Auth"]


class Auth(httpx.Auth):
    """Adds the ``Authorization`` header to requests for the origin of the API, and to no others.

    It is for `httpx.Client`, and for `httpx.AsyncClient` in asyncio. A request that has an
    ``Authorization`` header keeps it. If the server replies with 401 to the token, the token is
    invalidated and the request is sent once more with another one. A body that is a stream, such as
    a generator, a file or a multipart form, is not sent again: the reply is the 401.

    The `read` timeout of the request limits the wait for a token. The header is removed from the
    request once the response has arrived. httpx's methods raise the TokenwellError if no token can
    be returned.

    Args:
        client: The client.
        origin: The origin of the API, if that is not the client's `base_url`.

    Raises:
        InvalidArgumentError: The client has no base URL, or a token may not be sent to `origin`.
    """

    def __init__(self, client: Client, *, origin: Optional[str] = None) -> None:
        self._client = client
        self._origin = Origin(client, origin)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Implements `httpx.Auth` for `httpx.Client`."""
        if not self._applies_to(request):
            yield request
            return
        timeout = _timeout(request)
        token = self._client.token(timeout=timeout)
        try:
            response = yield _with(token, request)
            rejected = response.request  # not the same after a redirect
            if not self._is_rejection(response, token):
                return
            self._client.invalidate(token)
            if not _can_be_sent_again(rejected):
                return
            fresh = self._client.token(timeout=timeout)
        finally:
            _remove(token, request)
        try:
            yield _with(fresh, rejected)
        finally:
            _remove(fresh, rejected)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Implements `httpx.Auth` for `httpx.AsyncClient`."""
        if not self._applies_to(request):
            yield request
            return
        _require_asyncio()
        timeout = _timeout(request)
        token = await self._client.token_async(timeout=timeout)
        try:
            response = yield _with(token, request)
            rejected = response.request  # not the same after a redirect
            if not self._is_rejection(response, token):
                return
            await self._client.invalidate_async(token)
            if not _can_be_sent_again(rejected):
                return
            fresh = await self._client.token_async(timeout=timeout)
        finally:
            _remove(token, request)
        try:
            yield _with(fresh, rejected)
        finally:
            _remove(fresh, rejected)

    def _applies_to(self, request: httpx.Request) -> bool:
        return "Authorization" not in request.headers and self._is_target_of(request)

    def _is_rejection(self, response: httpx.Response, token: Token) -> bool:
        request = response.request
        is_ours = request.headers.get("Authorization") == token.authorization and self._is_target_of(request)
        return response.status_code == 401 and is_ours

    def _is_target_of(self, request: httpx.Request) -> bool:
        return self._origin.is_target_of(str(request.url), request.headers.get("Host"))


def _with(token: Token, request: httpx.Request) -> httpx.Request:
    request.headers["Authorization"] = token.authorization
    return request


def _remove(token: Token, request: httpx.Request) -> None:
    """Removes the header, so that the program can send the request again later, with another token."""
    if request.headers.get("Authorization") == token.authorization:
        del request.headers["Authorization"]


def _can_be_sent_again(request: httpx.Request) -> bool:
    # The body of every request whose content is known, even if it is empty.
    return isinstance(request.stream, httpx.ByteStream)


def _timeout(request: httpx.Request) -> Optional[float]:
    limit: Optional[float] = request.extensions.get("timeout", {}).get("read")
    return limit


def _require_asyncio() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("tokenwell.httpx.Auth requires asyncio for an httpx.AsyncClient") from None
