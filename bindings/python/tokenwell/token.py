"""The token: what a client hands out."""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself would cost more than all the rest of this package's import
if TYPE_CHECKING:
    from datetime import datetime
    from typing import NoReturn, Optional


class Token:
    """An access token. It never changes, may be used from any thread and outlives its client.

    Printing it shows no secret; the text is read on purpose, by `value` or `authorization`.
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
        """The token's text. A secret: whoever holds it acts as the service account until it expires."""
        return self._value

    @property
    def authorization(self) -> str:
        """The value of the ``Authorization`` header: ``"Bearer …"``. As secret as `value`."""
        return self._authorization

    @property
    def expires_at(self) -> datetime:
        """When the token ends, in UTC."""
        from datetime import datetime, timedelta, timezone

        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=self._expires_at_ms)

    @property
    def expires_at_ms(self) -> int:
        """When the token ends, in milliseconds since the Unix epoch."""
        return self._expires_at_ms

    @property
    def scope(self) -> Optional[str]:
        """The scope the server named in its reply; None when it named none."""
        return self._scope

    @property
    def generation(self) -> int:
        """The client's `generation` that this token began: the two differ as soon as this is no longer the current one."""
        return self._generation

    def __repr__(self) -> str:
        return f"<tokenwell.Token value=[redacted] expires_at={self.expires_at.isoformat()}>"

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memo: object) -> Token:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a tokenwell.Token cannot be pickled, so that a secret does not end in a file or queue unnoticed: "
            "let the other process make its own Client, or send token.value on purpose"
        )
