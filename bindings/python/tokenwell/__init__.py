"""One shared cache of OAuth 2.0 bearer tokens, for MongoDB Atlas Service Accounts and other authorization servers.

    import tokenwell

    with tokenwell.Client.from_env() as client:
        headers = {"Authorization": client.authorization()}

This package holds types, lifetimes, one kept string and the way of tasks to a thread; all else happens in the tokenwell
library, which it loads when the first client is made. Start reading at client.py; _options.py is what goes into it,
token.py and errors.py what comes out, _waiting.py how tasks wait and _library.py the way to the shared library.
"""

from .client import Client, Stats
from .errors import (
    ClosedError,
    CredentialRejectedError,
    DeadlineError,
    InternalError,
    InvalidArgumentError,
    LibraryError,
    NetworkError,
    NotConfiguredError,
    ProtocolError,
    RateLimitedError,
    RefusedError,
    ServerError,
    TlsError,
    TokenLimitError,
    TokenwellError,
)
from .token import Token

__version__ = "0.1.0"

__all__ = [
    "Client",
    "ClosedError",
    "CredentialRejectedError",
    "DeadlineError",
    "InternalError",
    "InvalidArgumentError",
    "LibraryError",
    "NetworkError",
    "NotConfiguredError",
    "ProtocolError",
    "RateLimitedError",
    "RefusedError",
    "ServerError",
    "Stats",
    "TlsError",
    "Token",
    "TokenLimitError",
    "TokenwellError",
    "library_version",
]


def library_version() -> str:
    """The version of the shared library in use: ``"0.1.0"``. Loads it; raises LibraryError when that fails."""
    from ._library import load

    return load().version()
