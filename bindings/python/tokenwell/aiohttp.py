"""The token for requests of the client of the library aiohttp.

    async with aiohttp.ClientSession(middlewares=[tokenwell.aiohttp.middleware(client)]) as session: ...
"""

from __future__ import annotations

from ._optional import require

require("aiohttp")

import aiohttp  # noqa: E402

from ._origin import Origin  # noqa: E402

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Optional

    from .client import Client

__all__ = ["middleware"]


def middleware(client: Client, *, origin: Optional[str] = None) -> aiohttp.ClientMiddlewareType:
    """Returns a middleware that adds the ``Authorization`` header to requests for the origin of the API only.

    A request that has an ``Authorization`` header keeps it, also one that aiohttp itself takes from
    the user's .netrc file (`trust_env`). If the server replies with 401 to the
    token, the token is invalidated and the request is sent once more with another one. A body that
    cannot be read again, such as that of a generator, is not sent again: the reply is the 401.

    The timeout and the cancellation of a request also end its wait for a token. The session's
    methods raise the TokenwellError if no token can be returned.

    Args:
        client: The client.
        origin: The origin of the API, if that is not the client's `base_url`.

    Raises:
        InvalidArgumentError: The client has no base URL, or a token may not be sent to `origin`.
    """
    pinned = Origin(client, origin)

    async def authorize(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        headers = request.headers
        if "Authorization" in headers or not pinned.is_target_of(str(request.url), headers.get("Host")):
            return await handler(request)
        token = await client.token_async()
        headers["Authorization"] = token.authorization
        response = await handler(request)
        if response.status != 401 or headers.get("Authorization") != token.authorization:
            return response
        try:
            await client.invalidate_async(token)
            if not _can_be_sent_again(request.body):
                return response
            fresh = await client.token_async()
        except BaseException:
            response.close()
            raise
        response.release()
        headers["Authorization"] = fresh.authorization
        return await handler(request)

    return authorize


def _can_be_sent_again(body: Any) -> bool:
    if isinstance(body, aiohttp.MultipartWriter):
        return all(_can_be_sent_again(part[0]) for part in body)
    if isinstance(body, aiohttp.payload.IOBasePayload):
        # aiohttp returns to where the file was, but does not report that it could not.
        return _is_seekable(getattr(body, "_value", None))
    return not body or isinstance(body, (bytes, aiohttp.BytesPayload))


def _is_seekable(file: Any) -> bool:
    try:
        return bool(file.seekable())
    except (AttributeError, ValueError):
        return False  # ValueError: the file is closed
