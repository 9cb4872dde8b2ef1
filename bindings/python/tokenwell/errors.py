"""The exceptions that this package raises: one class for each status of the library."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple, Type

    from ._library import Library


class TokenwellError(Exception):
    """Base class of the errors that the library reports. Instances can be pickled.

    No field ever contains a secret or a token.

    Args:
        message: What happened, and to what.
        hint: What to do about it, in full sentences. Empty if there is nothing to suggest.
        http_status: The HTTP status of the server's reply, or None.
        retry_after: The number of seconds before a new attempt can succeed, or None.
        oauth_code: The error code that the server sent, or None.
        is_remembered: Whether this is the remembered error of an earlier call.
        age: The number of seconds since the remembered error occurred.
        attempts: The number of requests that the failure took.
    """

    code: int = 13
    """The stable number of this kind of error, for example 5."""
    name: str = "INTERNAL"
    """The stable name of this kind of error, for example ``"RATE_LIMITED"``."""
    message: str
    """What happened, and to what."""
    hint: str
    """What to do about it. Empty if there is nothing to suggest."""
    http_status: Optional[int]
    """The HTTP status of the server's reply; None if there was no reply."""
    retry_after: Optional[float]
    """The number of seconds before a new attempt can succeed; None if unknown."""
    oauth_code: Optional[str]
    """The error code that the server sent (RFC 6749 section 5.2), for example ``"invalid_client"``.

    None if it sent no such code.
    """
    is_remembered: bool
    """Whether this is the remembered error of an earlier call: no token request was sent now."""
    age: float
    """The number of seconds since the remembered error occurred; 0 if it is not remembered."""
    attempts: int
    """The number of requests that the failure took, including retries.

    0 if the failure is not that of a request. For a remembered error, these are the requests of the
    earlier call.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        http_status: Optional[int] = None,
        retry_after: Optional[float] = None,
        oauth_code: Optional[str] = None,
        is_remembered: bool = False,
        age: float = 0.0,
        attempts: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.http_status = http_status
        self.retry_after = retry_after
        self.oauth_code = oauth_code
        self.is_remembered = is_remembered
        self.age = age
        self.attempts = attempts

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        separator = " " if self.message.endswith((".", "!", "?")) else ". "
        return f"{self.message}{separator}{self.hint}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> Tuple[Callable[..., TokenwellError], Tuple[Any, ...], Dict[str, Any]]:
        # The __reduce__ of OSError, a base of two of the classes below, would lose the fields.
        # The fields are set from the second item.
        return type(self), (self.message,), self.__dict__


class InvalidArgumentError(TokenwellError, ValueError):
    """An argument or setting is invalid; the message names it."""

    code, name = 1, "INVALID_ARGUMENT"


class NotConfiguredError(TokenwellError):
    """No usable credential was found, or settings contradict each other.

    The message lists the sources that were checked.
    """

    code, name = 2, "NOT_CONFIGURED"


class CredentialRejectedError(TokenwellError):
    """The authorization server rejected the client credentials; a retry cannot succeed."""

    code, name = 3, "CREDENTIAL_REJECTED"


class TokenLimitError(TokenwellError):
    """The service account already has the maximum number of valid tokens (100 in Atlas)."""

    code, name = 4, "TOKEN_LIMIT"


class RateLimitedError(TokenwellError):
    """The authorization server limits token requests; retry after `retry_after` seconds."""

    code, name = 5, "RATE_LIMITED"


class NetworkError(TokenwellError, ConnectionError):
    """The server could not be reached, or the connection was lost."""

    code, name = 6, "NETWORK"


class TlsError(TokenwellError):
    """The TLS handshake failed, for example because the certificate is expired or not trusted."""

    code, name = 7, "TLS"


class DeadlineError(TokenwellError, TimeoutError):
    """The deadline of the call was exceeded. A refresh in progress continues for other callers."""

    code, name = 8, "DEADLINE"


class ServerError(TokenwellError):
    """The authorization server answered with a 5xx status."""

    code, name = 9, "SERVER"


class ProtocolError(TokenwellError):
    """The server's reply is not a token response."""

    code, name = 10, "PROTOCOL"


class RefusedError(TokenwellError):
    """The operation was refused as unsafe: a redirect, plain http to another host, an unsafe file."""

    code, name = 11, "REFUSED"


class ClosedError(TokenwellError):
    """The client is closed."""

    code, name = 12, "CLOSED"


class InternalError(TokenwellError):
    """A bug in tokenwell. Please report it."""

    code, name = 13, "INTERNAL"


class LibraryError(ImportError):
    """The shared library cannot be loaded; the message lists each path tried and the reason."""


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
    """Creates the exception for a failed call, and frees the call's ``tokenwell_error``.

    Args:
        library: The library that reported the error.
        status: The status that the call returned.
        error: The ``tokenwell_error`` of the call; may be NULL.

    Returns:
        The exception, for the caller to raise.
    """
    name = library.status_name(status).decode()
    if error:
        try:
            fields = _read_fields(library, error)
        finally:
            library.error_free(error)
    else:
        fields = {"message": f"the call failed with status {name}"}
    raised = _CLASSES.get(status, TokenwellError)(**fields)
    if raised.code != status:  # a status that only a newer library has
        raised.code, raised.name = status, name
    return raised


def _read_fields(library: Library, error: Any) -> Dict[str, Any]:
    """Reads the arguments of `TokenwellError` from a ``tokenwell_error``."""
    retry_after_ms = library.error_retry_after_ms(error)
    return {
        "message": library.copy_string(library.error_message, error) or "",
        "hint": library.copy_string(library.error_hint, error) or "",
        "http_status": library.error_http_status(error) or None,
        "retry_after": None if retry_after_ms < 0 else retry_after_ms / 1000,
        "oauth_code": library.copy_string(library.error_oauth_code, error),
        "is_remembered": bool(library.error_is_remembered(error)),
        "age": library.error_age_ms(error) / 1000,
        "attempts": library.error_attempts(error),
    }
