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
the waiting of tasks in _waiting.py and the shared library in _library.py. service_accounts.py is
generated, over _admin.py.
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

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from .service_accounts import ApiError as ApiError
    from .service_accounts import Secret as Secret
    from .service_accounts import ServiceAccounts as ServiceAccounts
else:

    def __getattr__(name):
        # Few programs manage accounts, and the module imports more than the rest of this package.
        if name in ("ApiError", "Secret", "ServiceAccounts"):
            from . import service_accounts

            return getattr(service_accounts, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.1.0"

__all__ = [
    "ApiError",
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
    "Secret",
    "ServerError",
    "ServiceAccounts",
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
