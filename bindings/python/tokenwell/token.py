"""The token that a client returns."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from datetime import datetime
    from typing import NoReturn, Optional


class Token:
    """An immutable access token.

    It can be used from any thread, and after its client is closed. The string forms (`str`, `repr`)
    redact the secret. Only `value` and `authorization` return it.
    """

    __slots__ = ("_authorization", "_expires_at_ms", "_generation", "_scope", "_value")

    def __init__(
        self, value: str, authorization: str, expires_at_ms: int, scope: Optional[str], generation: int
    ) -> None:
        self._value = value
        self._authorization = authorization
        self._expires_at_ms = expires_at_ms
        self._scope = scope
        self._generation = generation

    @property
    def value(self) -> str:
        """The access token.

        A secret: it grants the rights of the service account until it expires.
        """
        return self._value

    @property
    def authorization(self) -> str:
        """The value of the ``Authorization`` header: ``"Bearer …"``. As secret as `value`."""
        return self._authorization

    @property
    def expires_at(self) -> datetime:
        """The time at which the token expires, in UTC."""
        from datetime import datetime, timedelta, timezone

        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=self._expires_at_ms)

    @property
    def expires_at_ms(self) -> int:
        """The time at which the token expires, in milliseconds since the Unix epoch."""
        return self._expires_at_ms

    @property
    def scope(self) -> Optional[str]:
        """The scope in the server's reply; None if the reply had no scope."""
        return self._scope

    @property
    def generation(self) -> int:
        """The client's `generation` when this token became current.

        The two numbers differ once this is no longer the client's current token.
        """
        return self._generation

    def __repr__(self) -> str:
        return f"<tokenwell.Token value=[redacted] expires_at={self.expires_at.isoformat()}>"

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memo: object) -> Token:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a tokenwell.Token cannot be pickled, because a secret could leak into a file or a queue; "
            "create a Client in the other process, or send token.value explicitly"
        )
