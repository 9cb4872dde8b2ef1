"""The client: the handle a program holds to draw tokens from."""

from __future__ import annotations

import os
from ctypes import byref, c_uint64, c_void_p
from time import monotonic, time

from ._library import FORCE_REFRESH, load
from .errors import from_library
from .token import Token

TYPE_CHECKING = False  # typing itself would cost more than all the rest of this package's import
if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType
    from typing import Any, Dict, NoReturn, Optional, Tuple, Type, TypeVar, Union

    from ._library import Library
    from ._waiting import Call, Key

    Seconds = Union[float, timedelta]
    Path = Union[str, os.PathLike[str]]
    Self = TypeVar("Self", bound="Client")


class Client:
    """Draws access tokens, fetching one only when none is fresh. Make one and share it: any thread may use it, at any time.

    Settings have the library's names and are checked by it; what is None is not set. Those of a library newer than this
    package go in by name as well, as text. `timeout` is in seconds and holds for every call that names none of its own.

    After a fork the child may go on with the client: a token is kept, whatever the parent was fetching is not.
    """

    __slots__ = ("__weakref__", "_calls", "_generation", "_handle", "_kept", "_library")

    _kept: Optional[_Kept]
    _calls: Dict[Key, Call]

    def __init__(
        self,
        /,
        *,
        client_id: Optional[str] = None,
        client_secret: Optional[str] = None,
        client_secret_file: Optional[Path] = None,
        base_url: Optional[str] = None,
        token_url: Optional[str] = None,
        revocation_url: Optional[str] = None,
        auth_method: Optional[str] = None,
        scope: Optional[str] = None,
        audience: Optional[str] = None,
        resource: Optional[str] = None,
        timeout: Optional[Seconds] = None,
        ca_file: Optional[Path] = None,
        **more: Optional[str],
    ) -> None:
        self._open(
            False,
            dict(
                more,
                client_id=client_id,
                client_secret=client_secret,
                client_secret_file=client_secret_file,
                base_url=base_url,
                token_url=token_url,
                revocation_url=revocation_url,
                auth_method=auth_method,
                scope=scope,
                audience=audience,
                resource=resource,
                ca_file=ca_file,
            ),
            timeout,
        )

    @classmethod
    def from_env(
        cls: Type[Self],
        /,
        *,
        client_id: Optional[str] = None,
        client_secret: Optional[str] = None,
        client_secret_file: Optional[Path] = None,
        base_url: Optional[str] = None,
        token_url: Optional[str] = None,
        revocation_url: Optional[str] = None,
        auth_method: Optional[str] = None,
        scope: Optional[str] = None,
        audience: Optional[str] = None,
        resource: Optional[str] = None,
        timeout: Optional[Seconds] = None,
        ca_file: Optional[Path] = None,
        **more: Optional[str],
    ) -> Self:
        """A client whose settings come from the environment (TOKENWELL_*, MONGODB_ATLAS_*, MCLI_*) where not given here."""
        client = cls.__new__(cls)
        client._open(
            True,
            dict(
                more,
                client_id=client_id,
                client_secret=client_secret,
                client_secret_file=client_secret_file,
                base_url=base_url,
                token_url=token_url,
                revocation_url=revocation_url,
                auth_method=auth_method,
                scope=scope,
                audience=audience,
                resource=resource,
                ca_file=ca_file,
            ),
            timeout,
        )
        return client

    def token(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> Token:
        """A token that lives for at least `min_ttl` more (default: the library's floor of a minute).

        Waits no longer than `timeout`, and only when a token has to be fetched. `force_refresh` asks for a new one even
        so. Both times are seconds or a timedelta, and are rounded up to a whole millisecond, of which `timeout` is one
        at least.
        """
        if min_ttl is None and not force_refresh:
            kept = self._kept_token()
            if kept is not None:
                return kept
        return self._fetch(*_asked(min_ttl, timeout, force_refresh))

    async def token_async(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> Token:
        """As `token`, for asyncio: the event loop is never held up, and a cancelled task does not end the fetch."""
        if min_ttl is None and not force_refresh:
            kept = self._kept_token()
            if kept is not None:
                return kept
        from ._waiting import wait

        return await wait(self._calls, self.generation, self._fetch, *_asked(min_ttl, timeout, force_refresh))

    def authorization(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> str:
        """The value of the ``Authorization`` header: ``"Bearer …"``. Its arguments are those of `token`."""
        kept = self._kept
        if kept is not None and min_ttl is None and not force_refresh:
            # As in _kept_token, but the call saved here is a tenth of the whole: this is the line that runs per request.
            authorization, generation, since, until, until_monotonic, _ = kept
            if self._generation.value == generation and since <= time() < until and monotonic() < until_monotonic:
                return authorization
        return self._fetch(*_asked(min_ttl, timeout, force_refresh)).authorization

    async def authorization_async(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> str:
        """As `authorization`, for asyncio; see `token_async`."""
        token = await self.token_async(min_ttl=min_ttl, timeout=timeout, force_refresh=force_refresh)
        return token.authorization

    def invalidate(self, token: Union[Token, str]) -> None:
        """Tells that the server answered 401 to this token (or token text). Does nothing when another is held by now."""
        if not isinstance(token, (Token, str)):
            raise TypeError(f"token: must be a Token or its text (str), not {type(token).__name__}")
        value = _bytes(token.value if isinstance(token, Token) else token)
        error = c_void_p()
        self._check(self._library.client_invalidate(self._handle, value, len(value), byref(error)), error)

    def revoke(self, timeout: Optional[Seconds] = None) -> None:
        """Gives the token back to the server, which frees one of an Atlas account's 100. Only where nobody shares it."""
        error = c_void_p()
        self._check(self._library.client_revoke(self._handle, _deadline(timeout), byref(error)), error)

    def stats(self) -> Stats:
        """What the library has done for this client so far. Calls answered by the string kept here are not counted."""
        error = c_void_p()
        status, figures = self._library.statistics(self._handle, error)
        self._check(status, error)
        return Stats(*(getattr(figures, name) for name in Stats.__slots__))

    @property
    def generation(self) -> int:
        """A number that changes whenever the current token does."""
        generation: int = self._generation.value
        return generation

    def advance_clock(self, milliseconds: int) -> None:
        """Moves the clock of a client that was made with the setting manual_clock_ms. For tests."""
        if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
            raise TypeError(f"milliseconds: must be a whole number (int), not {type(milliseconds).__name__}")
        if milliseconds < 0:
            raise ValueError(f"milliseconds: must not be negative, but is {milliseconds}")
        error = c_void_p()
        status = self._library.client_advance_clock(self._handle, min(milliseconds, _MOST), byref(error))
        self._check(status, error)

    def close(self) -> None:
        """Ends the client: later calls and those that wait raise ClosedError. May be repeated, from any thread."""
        self._kept = None
        error = c_void_p()
        self._check(self._library.client_close(self._handle, byref(error)), error)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        # Crash reporters also print a client whose making has failed.
        state = f"generation={self.generation}" if hasattr(self, "_generation") else "not made"
        return f"<tokenwell.{type(self).__name__} {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tokenwell.Client cannot be pickled or copied: let the other process make its own")

    def _open(self, from_environment: bool, given: Dict[str, Any], timeout: Optional[Seconds]) -> None:
        settings = {name: _setting(name, value) for name, value in given.items() if value is not None}
        if timeout is not None:
            settings["timeout_ms"] = str(_milliseconds("timeout", timeout)).encode()
        library = self._library = load()
        error = c_void_p()
        config = c_void_p()
        self._check(library.config_new(byref(config), byref(error)), error)
        try:
            for name, value in settings.items():
                key = _bytes(name)
                self._check(library.config_set(config, key, len(key), value, len(value), byref(error)), error)
            if from_environment:
                self._check(library.config_use_environment(config, byref(error)), error)
            client = c_void_p()
            self._check(library.client_new(config, byref(client), byref(error)), error)
        finally:
            library.config_free(config)
        self._handle = _Handle(client, library)
        # A load of a whole aligned word, which no writer can tear. What hangs on it came from the library by a call.
        self._generation = c_uint64.from_address(library.client_generation(self._handle))
        self._kept = None
        self._calls = {}

    def _fetch(self, min_ttl: int, deadline: int, flags: int) -> Token:
        library = self._library
        out, error = c_void_p(), c_void_p()
        status = library.client_token(self._handle, min_ttl, deadline, flags, byref(out), byref(error))
        self._check(status, error)
        try:
            generation = library.token_generation(out)
            kept = self._kept
            if kept is not None and kept[1] == generation:
                return kept[5]  # the very token, copied before
            value = library.text(library.token_value, out)
            authorization = library.text(library.token_authorization, out)
            token = Token(
                value or "", authorization or "", library.token_expires_at_ms(out), library.text(library.token_scope, out)
            )
            # The clocks are read before the question, so that the time it takes shortens what is kept.
            wall, steady = time(), monotonic()
            fresh_for = library.client_fresh_for_ms(self._handle, out) / 1000
        finally:
            library.token_free(out)
        if fresh_for > 0:
            self._kept = (token.authorization, generation, wall, wall + fresh_for, steady + fresh_for, token)
        return token

    def _kept_token(self) -> Optional[Token]:
        """The kept token, while it is the current one and both clocks agree that it is fresh."""
        kept = self._kept
        if kept is not None:
            _, generation, since, until, until_monotonic, token = kept
            if self._generation.value == generation and since <= time() < until and monotonic() < until_monotonic:
                return token
        return None

    def _check(self, status: int, error: c_void_p) -> None:
        if status:
            raise from_library(self._library, status, error)


class Stats:
    """What the library has done for a client since it was made."""

    __slots__ = (
        "hits",
        "waits",
        "refreshes",
        "mints",
        "mint_failures",
        "stale_served",
        "cooldown_answers",
        "invalidations",
    )

    hits: int
    """Gets answered from the library's memory; those answered by the kept string never reach it."""
    waits: int
    """Gets that waited for a refresh. Tasks that shared one wait count once."""
    refreshes: int
    """Refreshes begun."""
    mints: int
    """Token requests that brought a token."""
    mint_failures: int
    """Refreshes that ended in an error."""
    stale_served: int
    """Gets answered with a live token after a failed refresh."""
    cooldown_answers: int
    """Gets answered with a remembered error."""
    invalidations: int
    """Invalidations that dropped a token."""

    def __init__(self, *counts: int) -> None:
        for name, count in zip(self.__slots__, counts):
            setattr(self, name, count)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stats) and repr(self) == repr(other)

    def __repr__(self) -> str:
        return "Stats(" + ", ".join(f"{name}={getattr(self, name)}" for name in self.__slots__) + ")"


class _Handle:
    """Owns the library's client, and frees it with the last reference to it.

    Every call passes this object itself, so one that is running holds it too: no client is freed under a call.
    """

    __slots__ = ("_as_parameter_", "_free")

    def __init__(self, client: c_void_p, library: Library) -> None:
        self._as_parameter_ = client
        # Held here, because at the end of the program a module's names may be gone before this is.
        self._free = library.client_free

    def __del__(self) -> None:
        self._free(self._as_parameter_)


if TYPE_CHECKING:
    # authorization, generation, wall clock from and until, monotonic clock until, token
    _Kept = Tuple[str, int, float, float, float, Token]

_MOST = 2**64 - 1


def _asked(min_ttl: Optional[Seconds], timeout: Optional[Seconds], force_refresh: bool) -> Tuple[int, int, int]:
    """The arguments of a get as the library takes them."""
    return (
        0 if min_ttl is None else _milliseconds("min_ttl", min_ttl),
        _deadline(timeout),
        FORCE_REFRESH if force_refresh else 0,
    )


def _deadline(timeout: Optional[Seconds]) -> int:
    # To the library 0 means "as configured", but a caller who has no time left does not mean that.
    return 0 if timeout is None else max(1, _milliseconds("timeout", timeout))


def _milliseconds(name: str, duration: Any) -> int:
    """Seconds or a timedelta in whole milliseconds, rounded up; the most there can be when it is more."""
    # A timedelta is told by its method: datetime is not imported for a caller who has none.
    seconds = duration.total_seconds() if hasattr(duration, "total_seconds") else duration
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(f"{name}: must be seconds (int or float) or a timedelta, not {type(duration).__name__}")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name}: must be a finite number of seconds and not negative, but is {seconds}")
    milliseconds = seconds * 1000 if isinstance(seconds, int) else round(min(seconds * 1000, float(_MOST)), 6)
    return min(-int(-milliseconds // 1), _MOST)


def _setting(name: str, value: Any) -> bytes:
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise TypeError(f"{name}: must be text (str), not {type(value).__name__}")
    return _bytes(text)


def _bytes(text: str) -> bytes:
    """The text in UTF-8. What is not text (surrogates) goes through as bytes that the library rejects by name."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
