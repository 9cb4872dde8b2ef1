"""OAuth 2.0 bearer tokens for MongoDB Atlas Service Accounts and other authorization servers.

    import tokenwell

    with tokenwell.Client.from_env() as client:
        headers = {"Authorization": client.authorization()}

This package contains types, object lifetimes, a local copy of the token and the threads that tasks
wait on. Everything else is done by the tokenwell library, which is loaded when the first client is
created.

tokenwell.requests, tokenwell.httpx, tokenwell.aiohttp and tokenwell.pymongo plug a client into the
library of the same name. Import the one you need.

Start reading at client.py. The options are in _options.py, the results in token.py and errors.py,
the waiting of tasks in _waiting.py and the shared library in _library.py.
"""

from .api_response import ApiResponse
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
    "ApiResponse",
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
    """Returns the version of the shared library, for example ``"0.1.0"``.

    Loads the library if necessary.

    Raises:
        LibraryError: The shared library cannot be loaded.
    """
    from ._library import load

    return load().version()
