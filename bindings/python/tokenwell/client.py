"""The client: the handle a program holds to draw tokens from."""

from __future__ import annotations

from collections import namedtuple
from ctypes import byref, c_uint64, c_void_p
from time import monotonic, time

from ._library import FORCE_REFRESH, load
from ._options import deadline, milliseconds, settings, utf8
from .errors import from_library
from .token import Token

TYPE_CHECKING = False  # typing itself would cost more than all the rest of this package's import
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Dict, NoReturn, Optional, Tuple, Type, TypeVar, Union

    from typing_extensions import Unpack  # for the type checker alone, which brings it along

    from ._library import Library
    from ._options import Options, Seconds
    from ._waiting import Call, Key

    Self = TypeVar("Self", bound="Client")


class Client:
    """Draws access tokens, fetching one only when none is fresh. Make one and share it: any thread may use it, at any time.

    Options have the library's names, and the library checks them; what is None is not given. `client_id`, `client_secret` or
    `client_secret_file`, `base_url`; for another server than Atlas `token_url`, `revocation_url`, `auth_method`, `scope`,
    `audience`, `resource`; `timeout` (seconds or a timedelta), `ca_file`, `profile`; `cache`, `cache_dir`, `cache_unsafe`;
    `manual_clock` for tests. `settings` takes any setting by its name in the library, as text.

    After a fork the child may go on with the client: a token is kept, whatever the parent was fetching is not.
    """

    __slots__ = ("__weakref__", "_calls", "_generation", "_handle", "_kept", "_library")

    _kept: Optional[_Kept]
    _calls: Dict[Key, Call]

    def __init__(self, /, **options: Unpack[Options]) -> None:
        self._open(options, from_environment=False)

    @classmethod
    def from_env(cls: Type[Self], /, **options: Unpack[Options]) -> Self:
        """A client whose settings come from the environment (TOKENWELL_*, MONGODB_ATLAS_*, MCLI_*) where not given here."""
        client = cls.__new__(cls)
        client._open(options, from_environment=True)
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
        """Tells that the server answered 401 to this token (or token text). Does nothing when another is held by now.

        Dropped here at once; while another process writes to the shared cache it waits for it, for a second or so.
        """
        if not isinstance(token, (Token, str)):
            raise TypeError(f"token: must be a Token or its text (str), not {type(token).__name__}")
        value = utf8(token.value if isinstance(token, Token) else token)
        error = c_void_p()
        self._check(self._library.client_invalidate(self._handle, value, len(value), byref(error)), error)

    async def invalidate_async(self, token: Union[Token, str]) -> None:
        """As `invalidate`, for asyncio: the event loop is never held up."""
        from ._waiting import apart

        await apart(self.invalidate, token)

    def revoke(self, timeout: Optional[Seconds] = None) -> None:
        """Gives the token back to the server, which frees one of an Atlas account's 100. Only where nobody shares it."""
        error = c_void_p()
        self._check(self._library.client_revoke(self._handle, deadline(timeout), byref(error)), error)

    async def revoke_async(self, timeout: Optional[Seconds] = None) -> None:
        """As `revoke`, for asyncio: the event loop is never held up, and a cancelled task does not end the call."""
        from ._waiting import apart

        await apart(self.revoke, timeout)

    def stats(self) -> Stats:
        """What the library has done for this client so far. Calls answered by the string kept here are not counted."""
        error = c_void_p()
        status, figures = self._library.statistics(self._handle, error)
        self._check(status, error)
        return Stats(*(getattr(figures, name) for name in Stats._fields))

    @property
    def generation(self) -> int:
        """A number that changes whenever the current token does."""
        generation: int = self._generation.value
        return generation

    def advance_clock(self, by: Seconds) -> None:
        """Moves the clock of a client that was made with `manual_clock`, by seconds or a timedelta. For tests."""
        error = c_void_p()
        self._check(self._library.client_advance_clock(self._handle, milliseconds("by", by), byref(error)), error)

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

    def _open(self, options: Options, from_environment: bool) -> None:
        given = settings(options)
        library = self._library = load()
        error = c_void_p()
        config = c_void_p()
        self._check(library.config_new(byref(config), byref(error)), error)
        try:
            for name, value in given.items():
                key = utf8(name)
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
            scope = library.text(library.token_scope, out)
            token = Token(value or "", authorization or "", library.token_expires_at_ms(out), scope, generation)
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


class Stats(
    namedtuple("Stats", "hits waits refreshes mints mint_failures stale_served cooldown_answers invalidations")
):
    """What the library has done for a client since it was made."""

    __slots__ = ()

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


def _asked(min_ttl: Optional[Seconds], timeout: Optional[Seconds], force_refresh: bool) -> Tuple[int, int, int]:
    """The arguments of a get as the library takes them."""
    return (
        0 if min_ttl is None else milliseconds("min_ttl", min_ttl),
        deadline(timeout),
        FORCE_REFRESH if force_refresh else 0,
    )
