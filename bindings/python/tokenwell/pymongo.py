"""The token for MONGODB-OIDC, the authentication of MongoDB with tokens of an identity provider.

    properties = {"OIDC_CALLBACK": tokenwell.pymongo.OIDCCallback(client)}
    MongoClient(uri, authMechanism="MONGODB-OIDC", authMechanismProperties=properties)
"""

from __future__ import annotations

from time import monotonic, time

from ._optional import require

require("pymongo")

from pymongo import auth_oidc  # noqa: E402

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Optional

    from .client import Client
    from .token import Token

__all__ = ["OIDCCallback"]


class OIDCCallback(auth_oidc.OIDCCallback):
    """Returns tokens to the driver, for `MongoClient` and `AsyncMongoClient`.

    The driver keeps a token until a server rejects it. It then calls again, and this call
    invalidates the token that was returned before. Create one callback for each MongoClient,
    because the first call for a second one would be taken for a rejection.

    A service account of Atlas cannot log in to a cluster: the client must be that of the identity
    provider for the cluster's workloads (`token_url`). The driver's operation raises the
    TokenwellError if no token can be returned.

    Args:
        client: The client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._returned: Optional[Token] = None

    def fetch(self, context: auth_oidc.OIDCCallbackContext) -> auth_oidc.OIDCCallbackResult:
        """Called by the driver, which waits no longer than `context.timeout_seconds`."""
        end = monotonic() + context.timeout_seconds
        if self._returned is not None:
            self._client.invalidate(self._returned)
        token = self._client.token(timeout=max(0.0, end - monotonic()))
        self._returned = token
        valid_for = token.expires_at_ms / 1000 - time()
        return auth_oidc.OIDCCallbackResult(access_token=token.value, expires_in_seconds=max(0.0, valid_for))
