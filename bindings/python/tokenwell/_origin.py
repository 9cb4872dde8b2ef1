"""The origin of the API, which alone receives the token."""

from __future__ import annotations

import re
from ctypes import byref, c_void_p

from ._options import utf8
from .errors import InvalidArgumentError, from_library

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Optional, Tuple, Union

    from .client import Client

    Parts = Tuple[str, str, int]

HINT = 'Pass the origin of the API, for example origin="https://api.example.com".'

_SCHEME_AND_AUTHORITY = re.compile(r"(https?)://([^/?#]*)", re.ASCII | re.IGNORECASE)
# Only the characters of a host name, an IP address and a port, because parsers of URLs disagree about others.
_AUTHORITY = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)


class Origin:
    """The scheme, host and port of the API: those of the client's base URL, or of `origin`.

    Args:
        client: The client.
        origin: The origin of an API that is not at the client's base URL, or None.

    Raises:
        InvalidArgumentError: The client has no base URL, or a token may not be sent to `origin`.
        TypeError: `origin` has the wrong type.
    """

    __slots__ = ("_parts",)

    def __init__(self, client: Client, origin: Optional[str]) -> None:
        if origin is not None:
            _check(client, origin)
        value = client.base_url if origin is None else origin
        if value is None:
            raise InvalidArgumentError("the client has no base URL, because its server was set by token_url", HINT)
        parts = _parts_of(value)
        if parts is None:
            raise InvalidArgumentError("origin cannot be compared with the URLs of requests", HINT)
        if parts[0] == "http" and parts[2] == 80:
            # requests and httpx send the header on to https at the same host, which is another origin.
            problem = "the origin of the API has plain http at port 80, from which a redirect may take the token along"
            raise InvalidArgumentError(problem, "Use another port.")
        self._parts = parts

    def is_target_of(self, url: str, host: Union[str, bytes, None]) -> bool:
        """Returns whether a request is sent to this origin. The result is False for every unusual request.

        Args:
            url: The URL of the request, as it is sent.
            host: The ``Host`` header, which may select another site on the same server, or None.
        """
        if _parts_of(url) != self._parts:
            return False
        if host is None:
            return True
        name = host.decode("latin-1") if isinstance(host, bytes) else host
        return _parts_of_authority(self._parts[0], name) == self._parts


def _parts_of(url: str) -> Optional[Parts]:
    found = _SCHEME_AND_AUTHORITY.match(url)
    return _parts_of_authority(found[1].lower(), found[2]) if found else None


def _parts_of_authority(scheme: str, authority: str) -> Optional[Parts]:
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        return None
    return scheme, found[1].lower(), int(found[2] or (443 if scheme == "https" else 80))


def _check(client: Client, origin: str) -> None:
    """Lets the library decide whether a token may be sent to the origin: the rules are those of `base_url`."""
    if not isinstance(origin, str):
        raise TypeError(f"origin must be a string (str), not {type(origin).__name__}")
    library, error, config, value = client._library, c_void_p(), c_void_p(), utf8(origin)
    try:
        status = library.config_new(byref(config), byref(error))
        status = status or library.config_set(config, b"base_url", len(b"base_url"), value, len(value), byref(error))
    finally:
        library.config_free(config)
    if status:
        problem = from_library(library, status, error)
        raise type(problem)(problem.message.replace("base_url", "origin", 1), HINT)
