"""The token for requests of the library requests.

    session = requests.Session()
    session.auth = tokenwell.requests.Auth(client)
"""

from __future__ import annotations

from ._optional import require

require("requests")

import requests  # noqa: E402
from requests.auth import AuthBase  # noqa: E402
from requests.utils import rewind_body  # noqa: E402

from ._origin import Origin  # noqa: E402

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Tuple

    from ._options import Seconds
    from .client import Client
    from .token import Token

__all__ = ["Auth"]


class Auth(AuthBase):
    """Adds the ``Authorization`` header to requests for the origin of the API, and to no others.

    A request that has an ``Authorization`` header keeps it. If the server replies with 401 to the
    token, the token is invalidated and the request is sent once more with another one. A body that
    cannot be read again, such as that of a generator, is not sent again: the reply is the 401.

    requests.get and others raise the TokenwellError if no token can be returned.

    Args:
        client: The client.
        origin: The origin of the API, if that is not the client's `base_url`.
        timeout: The time limit for the token, in seconds or as a timedelta. requests does not tell
            an auth object the `timeout` of a request before it is sent, so the default is the
            client's setting.

    Raises:
        InvalidArgumentError: The client has no base URL, or a token may not be sent to `origin`.
    """

    def __init__(self, client: Client, *, origin: Optional[str] = None, timeout: Optional[Seconds] = None) -> None:
        self._client = client
        self._origin = Origin(client, origin)
        self._timeout = timeout

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        hooks: Any = r
        if "Authorization" not in r.headers and self._is_target_of(r):
            token = self._client.token(timeout=self._timeout)
            r.headers["Authorization"] = token.authorization
            hooks.register_hook("response", _Replay(self, token))
        return r

    def _is_target_of(self, request: requests.PreparedRequest) -> bool:
        return self._origin.is_target_of(request.url or "", request.headers.get("Host"))

    def _after(self, token: Token, response: requests.Response, options: Any) -> requests.Response:
        """Returns the response, or that to a second request if the first one's token was rejected."""
        request = response.request
        if response.status_code != 401 or request.headers.get("Authorization") != token.authorization:
            return response
        if not self._is_target_of(request):
            return response
        try:
            self._client.invalidate(token)
            if not _rewind(request):
                return response
            limit = _seconds(options.get("timeout"))
            fresh = self._client.token(timeout=self._timeout if limit is None else limit)
        except BaseException:
            response.close()
            raise
        _discard(response, options)
        again = request.copy()
        again.headers["Authorization"] = fresh.authorization
        adapter: Any = response.connection
        replayed: requests.Response = adapter.send(again, **options)
        replayed.history.append(response)
        replayed.request = again
        return replayed


class _Replay:
    """The hook of a request that carries a token."""

    __slots__ = ("_auth", "_token")

    def __init__(self, auth: Auth, token: Token) -> None:
        self._auth = auth
        self._token = token

    def __call__(self, response: requests.Response, **options: Any) -> requests.Response:
        return self._auth._after(self._token, response, options)

    def __reduce__(self) -> Tuple[Callable[[], object], Tuple[()]]:
        # A response refers to its request, and programs pickle responses. A client cannot be pickled.
        return _no_hook, ()


def _no_hook() -> Callable[..., None]:
    return _keep_response


def _keep_response(response: requests.Response, **options: Any) -> None:
    """A hook that changes nothing."""


def _rewind(request: requests.PreparedRequest) -> bool:
    """Makes the body ready to be sent again; returns False if it cannot be read again."""
    if request.body is None or isinstance(request.body, (str, bytes, bytearray)):
        return True
    if not isinstance(getattr(request, "_body_position", None), int):
        return False
    try:
        rewind_body(request)
    except (requests.exceptions.UnrewindableBodyError, ValueError):
        return False  # ValueError: the file is closed
    return True


def _discard(response: requests.Response, options: Any) -> None:
    """Releases the connection of a response, and reads it first as requests itself would have done."""
    try:
        if not options.get("stream"):
            response.content  # noqa: B018
    except requests.RequestException:
        pass
    response.close()


def _seconds(timeout: Any) -> Optional[float]:
    """Returns how long a request may wait for the server, or None if it does not say."""
    if isinstance(timeout, tuple) and len(timeout) == 2:
        timeout = timeout[1]
    return timeout if isinstance(timeout, (int, float)) else None
