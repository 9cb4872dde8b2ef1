"""Every way a call can fail: one class for each of the library's statuses."""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself would cost more than all the rest of this package's import
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple, Type

    from ._library import Library


class TokenwellError(Exception):
    """What went wrong, to what, and what to do about it. Never holds a secret or a token.

    Catch this class for all of them, or one of its subclasses. They can be pickled.
    """

    code: int = 13
    """The library's stable number of this kind of error: 5."""
    name: str = "INTERNAL"
    """The library's stable name of this kind of error: ``"RATE_LIMITED"``."""
    message: str
    """What happened, to what."""
    hint: str
    """What to do about it."""
    http_status: Optional[int]
    """The HTTP status of the server's reply; None when there was none."""
    retry_after: Optional[float]
    """For how many seconds it is useless to ask again; None when that is not known."""

    def __init__(
        self, message: str, hint: str = "", http_status: Optional[int] = None, retry_after: Optional[float] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.http_status = http_status
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> Tuple[Callable[..., TokenwellError], Tuple[Any, ...], Dict[str, Any]]:
        # OSError, a base of two of the classes below, has a way of its own that would lose the fields.
        return type(self), (self.message, self.hint, self.http_status, self.retry_after), self.__dict__


class InvalidArgumentError(TokenwellError, ValueError):
    """An argument or setting is wrong; the message names it."""

    code, name = 1, "INVALID_ARGUMENT"


class NotConfiguredError(TokenwellError):
    """There is no usable credential, or settings contradict each other; the message names where it was looked for."""

    code, name = 2, "NOT_CONFIGURED"


class CredentialRejectedError(TokenwellError):
    """The authorization server rejected the client; trying again cannot help."""

    code, name = 3, "CREDENTIAL_REJECTED"


class TokenLimitError(TokenwellError):
    """The service account already has as many live tokens as Atlas allows (100)."""

    code, name = 4, "TOKEN_LIMIT"


class RateLimitedError(TokenwellError):
    """The authorization server asked to be left alone until `retry_after` is over."""

    code, name = 5, "RATE_LIMITED"


class NetworkError(TokenwellError, ConnectionError):
    """The server could not be reached, or the connection broke."""

    code, name = 6, "NETWORK"


class TlsError(TokenwellError):
    """The TLS handshake failed: unknown authority, wrong name, expired certificate."""

    code, name = 7, "TLS"


class DeadlineError(TokenwellError, TimeoutError):
    """The call's own time was over. A refresh in progress may still finish for others."""

    code, name = 8, "DEADLINE"


class ServerError(TokenwellError):
    """The authorization server answered with a 5xx status."""

    code, name = 9, "SERVER"


class ProtocolError(TokenwellError):
    """The server's reply is not a token response."""

    code, name = 10, "PROTOCOL"


class RefusedError(TokenwellError):
    """Not done for safety's sake: a redirect, plain http off loopback, an unsafe file."""

    code, name = 11, "REFUSED"


class ClosedError(TokenwellError):
    """The client was closed."""

    code, name = 12, "CLOSED"


class InternalError(TokenwellError):
    """A bug in tokenwell; please report it."""

    code, name = 13, "INTERNAL"


class LibraryError(ImportError):
    """The shared library cannot be loaded; the message lists every place that was looked at and what was there."""


_CLASSES: Dict[int, Type[TokenwellError]] = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        NotConfiguredError,
        CredentialRejectedError,
        TokenLimitError,
        RateLimitedError,
        NetworkError,
        TlsError,
        DeadlineError,
        ServerError,
        ProtocolError,
        RefusedError,
        ClosedError,
        InternalError,
    )
}


def from_library(library: Library, status: int, error: Any) -> TokenwellError:
    """Turns a failed call's status and its ``tokenwell_error``, which this frees, into an exception to raise."""
    name = library.status_name(status).decode()
    if not error:
        message, hint, http_status, retry_after_ms = f"the call failed with status {name}", "", 0, -1
    else:
        try:
            message = library.text(library.error_message, error) or ""
            hint = library.text(library.error_hint, error) or ""
            http_status = library.error_http_status(error)
            retry_after_ms = library.error_retry_after_ms(error)
        finally:
            library.error_free(error)
    raised = _CLASSES.get(status, TokenwellError)(
        message, hint, http_status or None, None if retry_after_ms < 0 else retry_after_ms / 1000
    )
    if raised.code != status:  # a status of a newer library
        raised.code, raised.name = status, name
    return raised
