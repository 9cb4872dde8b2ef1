"""The client, which returns tokens."""

from __future__ import annotations

from collections import namedtuple
from ctypes import byref, c_uint64, c_void_p
from time import monotonic, time

from ._library import FORCE_REFRESH, WAIT_FOR_SAVE, load
from ._options import deadline, milliseconds, settings, utf8, variables
from ._waiting import wait, wait_for_saves
from .errors import from_library
from .token import Token

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Mapping, NoReturn, Optional, Tuple, Type, TypeVar, Union

    from typing_extensions import Unpack  # only for the type checker, which includes it

    from ._api import Query
    from ._library import Library
    from ._options import Options, Seconds
    from .api_response import ApiResponse

    Self = TypeVar("Self", bound="Client")


class Client:
    """Returns access tokens, and sends a token request only if no cached token is fresh.

    Create one client and share it: all methods can be called from any thread at any time.

    After a fork, the child process can use the client: it has the parent's token, but not the
    parent's pending token request.

    Args:
        client_id: The client id.
        client_secret: The client secret.
        client_secret_file: The path of a file that contains the client secret, instead of
            `client_secret`.
        base_url: The URL of the Atlas server.
        token_url: The token endpoint of an authorization server other than Atlas.
        revocation_url: The revocation endpoint that belongs to `token_url`.
        auth_method: How the client authenticates to the token endpoint.
        scope: The scope to request.
        audience: The audience to request.
        resource: The resource to request a token for (RFC 8707).
        timeout: The time limit of calls that have no `timeout` argument, in seconds or as a
            timedelta.
        ca_file: The path of a PEM file of certificate authorities to trust, or `system` for those
            of the operating system.
        ca_pem: The certificate authorities to trust as PEM, instead of `ca_file`.
        proxy: The URL of the proxy for https servers, or `none`.
        no_proxy: The hosts that are reached without the proxy: a sequence, or a string separated by
            commas.
        profile: The name of the profile.
        cache: Whether processes share tokens through the shared cache. The default is True.
        cache_dir: The absolute path of the directory of the shared cache.
        cache_unsafe: Whether to use a cache directory that other users can access. The default is
            False.
        environment: Whether anything comes from environment variables, including the proxy and the
            cache directory. The default is True.
        manual_clock: The start of a clock that only `advance_clock` moves. For tests.
        settings: Any setting by its name in the library, as a string.

    An option that is None is not set. docs/configuration.md describes the settings; the library
    validates them.

    Raises:
        InvalidArgumentError: A setting is unknown or invalid.
        LibraryError: The shared library cannot be loaded.
        TypeError: An option has the wrong type.
        ValueError: A duration is negative or not finite.
    """

    __slots__ = ("__weakref__", "_generation", "_handle", "_library", "_local_copy")

    _local_copy: Optional[_LocalCopy]

    def __init__(self, /, **options: Unpack[Options]) -> None:
        self._open(options, from_environment=False)

    @classmethod
    def from_env(cls: Type[Self], /, **options: Unpack[Options]) -> Self:
        """Creates a client that reads the settings that are not given here from the environment.

        The variables are TOKENWELL_*, MONGODB_ATLAS_* and MCLI_*, in this order of precedence.

        Args:
            options: As for the constructor.

        Returns:
            The client.

        Raises:
            LibraryError, TokenwellError, TypeError, ValueError: As for the constructor.
        """
        client = cls.__new__(cls)
        client._open(options, from_environment=True)
        return client

    def token(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> Token:
        """Returns a token that is valid for at least `min_ttl`.

        The call blocks only if a new token has to be requested. Durations are seconds or a
        timedelta, and are rounded up to whole milliseconds.

        Args:
            min_ttl: The minimum remaining validity. The default is the lesser of one minute and a
                tenth of the token's lifetime.
            timeout: The time limit of the call, at least 1 ms. The default is the client's
                `timeout` setting.
            force_refresh: Request a new token even if the cached one is fresh.

        Returns:
            The token.

        Raises:
            TokenwellError: No token can be returned; the subclass gives the reason.
            TypeError: A duration has the wrong type.
            ValueError: A duration is negative or not finite.
        """
        if min_ttl is None and not force_refresh:
            copy = self._fresh_local_token()
            if copy is not None:
                return copy
        return self._fetch(*_get_arguments(min_ttl, timeout, force_refresh))

    async def token_async(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> Token:
        """Returns what `token` returns, without blocking the event loop.

        A task that waits uses no thread, and has a deadline of its own. Cancelling it does not
        cancel the token request, which other tasks may be waiting for.
        """
        if min_ttl is None and not force_refresh:
            copy = self._fresh_local_token()
            if copy is not None:
                return copy
        from ._loops import wait_in_loop

        token, error = c_void_p(), c_void_p()
        arguments = self._handle, *_get_arguments(min_ttl, timeout, force_refresh)
        library = self._library
        try:
            status = await wait_in_loop(library, library.client_token, arguments, (byref(token),), error)
            return self._receive(status, token, error)
        finally:
            library.token_free(token)

    def authorization(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> str:
        """Returns the value of the ``Authorization`` header, ``"Bearer …"``.

        The arguments and errors are those of `token`.
        """
        copy = self._local_copy
        if copy is not None and min_ttl is None and not force_refresh:
            # A copy of _fresh_local_token, because the call would cost a tenth of this method,
            # which runs on every request.
            authorization, generation, since, until, until_monotonic, _ = copy
            if self._generation.value == generation and since <= time() < until and monotonic() < until_monotonic:
                return authorization
        return self._fetch(*_get_arguments(min_ttl, timeout, force_refresh)).authorization

    async def authorization_async(
        self, *, min_ttl: Optional[Seconds] = None, timeout: Optional[Seconds] = None, force_refresh: bool = False
    ) -> str:
        """Returns what `authorization` returns, without blocking the event loop; see `token_async`."""
        token = await self.token_async(min_ttl=min_ttl, timeout=timeout, force_refresh=force_refresh)
        return token.authorization

    def invalidate(self, token: Union[Token, str]) -> None:
        """Drops a token that a server rejected with 401, if it is still the current token.

        This client stops returning the token immediately. If another process is writing to the
        shared cache, the call waits for it for about a second.

        Args:
            token: The rejected token, or its value.

        Raises:
            ClosedError: The client is closed.
            TypeError: `token` is neither a Token nor a string.
        """
        error, value = c_void_p(), _token_value(token)
        arguments = self._handle, value, len(value), 0
        self._check(wait(self._library, self._library.client_invalidate, arguments, (), error), error)

    async def invalidate_async(self, token: Union[Token, str]) -> None:
        """Drops a token like `invalidate`, without blocking the event loop."""
        from ._loops import wait_in_loop

        error, value = c_void_p(), _token_value(token)
        arguments = self._handle, value, len(value), 0
        self._check(await wait_in_loop(self._library, self._library.client_invalidate, arguments, (), error), error)

    def revoke(self, timeout: Optional[Seconds] = None) -> None:
        """Revokes the current token at the server, and drops it here once the server has confirmed.

        In Atlas, this frees one of the account's 100 tokens. Call it only if no other process uses
        the same token.

        Args:
            timeout: The time limit of the call, in seconds or as a timedelta. The default is the
                client's setting.

        Raises:
            TokenwellError: The token could not be revoked.
            TypeError: `timeout` has the wrong type.
            ValueError: `timeout` is negative or not finite.
        """
        error, arguments = c_void_p(), (self._handle, deadline(timeout))
        self._check(wait(self._library, self._library.client_revoke, arguments, (), error), error)

    async def revoke_async(self, timeout: Optional[Seconds] = None) -> None:
        """Revokes the token like `revoke`, without blocking the event loop.

        Cancelling the task does not cancel the request.
        """
        from ._loops import wait_in_loop

        error, arguments = c_void_p(), (self._handle, deadline(timeout))
        self._check(await wait_in_loop(self._library, self._library.client_revoke, arguments, (), error), error)

    def request(
        self,
        method: str,
        path: str,
        *,
        version: Optional[str] = None,
        query: Optional[Query] = None,
        body: Any = None,
        max_body: Optional[int] = None,
        timeout: Optional[Seconds] = None,
    ) -> ApiResponse:
        """Sends a request to the Admin API with a token, and returns its response.

        After a 401 the token is dropped, and the request is sent once more with another one. Nothing
        else is repeated, and redirects are not followed. A status such as 404 is a result.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: The path on the server of `base_url`, for example ``"/api/atlas/v2/orgs"``.
            version: The version of the API, as the date in its media type, for example
                ``"2025-03-12"``. The default is 2024-08-05.
            query: The parameters of the query, as a mapping or as pairs.
            body: A str or bytes with JSON, or a value that is converted to JSON.
            max_body: The largest body of a response that is accepted, in bytes. The default is 64 MiB.
            timeout: The time limit of the call, with the waits for tokens. The default is the
                client's `timeout` setting.

        Returns:
            The response.

        Raises:
            RefusedError: The path names a server or has a segment ``..``; the response is a redirect.
            TokenwellError: There is no token or no complete response. After such a failure the
                request may have taken effect.
            TypeError, ValueError: An argument has the wrong type or cannot be converted.
        """
        from ._api import Call

        with Call(self._library, self._handle, method, path, version, query, body, max_body, timeout) as call:
            return call.result(wait(self._library, call.waiting, call.arguments, (), call.error))

    async def request_async(
        self,
        method: str,
        path: str,
        *,
        version: Optional[str] = None,
        query: Optional[Query] = None,
        body: Any = None,
        max_body: Optional[int] = None,
        timeout: Optional[Seconds] = None,
    ) -> ApiResponse:
        """Sends a request like `request`, without blocking the event loop.

        Cancelling the task ends the request, which may have taken effect.
        """
        from ._api import Call
        from ._loops import wait_in_loop

        with Call(self._library, self._handle, method, path, version, query, body, max_body, timeout) as call:
            return call.result(await wait_in_loop(self._library, call.waiting, call.arguments, (), call.error))

    def stats(self) -> Stats:
        """Returns the counts since the client was created.

        Calls that are answered from the client's local copy of the token are not counted.
        """
        error = c_void_p()
        status, counts = self._library.statistics(self._handle, error)
        self._check(status, error)
        return Stats(*(getattr(counts, name) for name in Stats._fields))

    @property
    def base_url(self) -> Optional[str]:
        """The base URL of the API, for example ``"https://cloud.mongodb.com"``.

        None if the authorization server was set by `token_url`.
        """
        return self._library.copy_string(self._library.client_base_url, self._handle)

    @property
    def sources(self) -> Mapping[str, str]:
        """Where the value of each setting that is in effect came from; read-only.

        For example ``{"client_id": "environment variable TOKENWELL_CLIENT_ID"}``. It contains no
        values.
        """
        from types import MappingProxyType

        return MappingProxyType(self._library.sources(self._handle))

    @property
    def generation(self) -> int:
        """A number that changes whenever the current token changes."""
        generation: int = self._generation.value
        return generation

    def advance_clock(self, by: Seconds) -> None:
        """Advances the clock of a client that was created with `manual_clock`. For tests.

        Args:
            by: The duration, in seconds or as a timedelta.

        Raises:
            InvalidArgumentError: The client has no manual clock.
            TypeError: `by` has the wrong type.
            ValueError: `by` is negative or not finite.
        """
        error = c_void_p()
        self._check(self._library.client_advance_clock(self._handle, milliseconds("by", by), byref(error)), error)

    def close(self) -> None:
        """Closes the client: waiting and later calls raise ClosedError.

        Can be called more than once, from any thread.
        """
        self._local_copy = None
        error = c_void_p()
        self._check(self._library.client_close(self._handle, byref(error)), error)

    def __enter__(self: Self) -> Self:
        """The end of the block closes the client.

        It then waits for at most one second for a token request or a save in progress, so that the
        next process finds the token, unless Ctrl-C or a cancellation ends the block.
        """
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
        if _may_wait(kind):
            wait_for_saves(self._library, self._handle)

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
        if _may_wait(kind):
            from ._loops import wait_for_saves_in_loop

            await wait_for_saves_in_loop(self._library, self._handle)

    def __repr__(self) -> str:
        # Crash reporters also print a client whose constructor failed.
        state = f"generation={self.generation}" if hasattr(self, "_generation") else "not initialized"
        return f"<tokenwell.{type(self).__name__} {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a tokenwell.Client cannot be pickled or copied; create one in the other process")

    def _open(self, options: Options, from_environment: bool) -> None:
        converted = settings(options)
        library = self._library = load()
        error = c_void_p()
        config = c_void_p()
        self._check(library.config_new(byref(config), byref(error)), error)
        try:
            for name, value in converted.items():
                key = utf8(name)
                self._check(library.config_set(config, key, len(key), value, len(value), byref(error)), error)
            # The library must not read the environment of the process, which another thread may
            # change at the same time.
            self._check(library.config_use_variables(config, byref(error)), error)
            for key, value in variables():
                self._check(library.config_set_variable(config, key, len(key), value, len(value), byref(error)), error)
            if from_environment:
                self._check(library.config_use_environment(config, byref(error)), error)
            client = c_void_p()
            self._check(library.client_new(config, byref(client), byref(error)), error)
        finally:
            library.config_free(config)
        self._handle = _Handle(client, library)
        # One load of an aligned word, which cannot be torn. No barrier is needed: what depends on
        # the value was returned by a call of the library.
        self._generation = c_uint64.from_address(library.client_generation(self._handle))
        self._local_copy = None

    def _fetch(self, min_ttl: int, deadline: int, flags: int) -> Token:
        token, error = c_void_p(), c_void_p()
        library, arguments = self._library, (self._handle, min_ttl, deadline, flags)
        try:
            return self._receive(wait(library, library.client_token, arguments, (byref(token),), error), token, error)
        finally:
            # A signal handler may raise when the call has already returned the token.
            library.token_free(token)

    def _receive(self, status: int, out: c_void_p, error: c_void_p) -> Token:
        """Converts the outcome of a get, and keeps a local copy of the token. The caller frees `out`."""
        library = self._library
        if status:
            raise from_library(library, status, error)
        generation = library.token_generation(out)
        copy = self._local_copy
        if copy is not None and copy[1] == generation:
            return copy[5]  # the same token, copied by an earlier call
        value = library.copy_string(library.token_value, out)
        authorization = library.copy_string(library.token_authorization, out)
        scope = library.copy_string(library.token_scope, out)
        token = Token(value or "", authorization or "", library.token_expires_at_ms(out), scope, generation)
        # The clocks are read before the call, so that its duration shortens the time for which the
        # copy is used.
        wall, steady = time(), monotonic()
        fresh_for = library.client_fresh_for_ms(self._handle, out) / 1000
        if fresh_for > 0:
            self._local_copy = (token.authorization, generation, wall, wall + fresh_for, steady + fresh_for, token)
        return token

    def _fresh_local_token(self) -> Optional[Token]:
        """Returns the local copy of the token if it is the current one and fresh by both clocks."""
        copy = self._local_copy
        if copy is not None:
            _, generation, since, until, until_monotonic, token = copy
            if self._generation.value == generation and since <= time() < until and monotonic() < until_monotonic:
                return token
        return None

    def _check(self, status: int, error: c_void_p) -> None:
        if status:
            raise from_library(self._library, status, error)


class Stats(
    namedtuple("Stats", "hits waits refreshes mints mint_failures stale_served cooldown_answers invalidations")
):
    """The counts of a client since it was created."""

    __slots__ = ()

    hits: int
    """Gets answered from the library's memory.

    Gets answered from the local copy are not counted.
    """
    waits: int
    """Gets that waited for a refresh."""
    refreshes: int
    """Refreshes started."""
    mints: int
    """Token requests that returned a token."""
    mint_failures: int
    """Refreshes that failed."""
    stale_served: int
    """Gets answered with a valid token after a failed refresh."""
    cooldown_answers: int
    """Gets answered with a remembered error."""
    invalidations: int
    """Invalidations that dropped a token."""


class _Handle:
    """Owns the library's client, and frees it when the last reference is dropped.

    Every call passes this object itself and so holds a reference: a client is never freed during a
    call.
    """

    __slots__ = ("_as_parameter_", "_free")

    def __init__(self, client: c_void_p, library: Library) -> None:
        self._as_parameter_ = client
        # A reference of this object's own, because module globals may be cleared before it at
        # interpreter exit.
        self._free = library.client_free

    def __del__(self) -> None:
        self._free(self._as_parameter_)


if TYPE_CHECKING:
    # The authorization, the generation, the wall clock's start and end, the monotonic clock's end,
    # the token.
    _LocalCopy = Tuple[str, int, float, float, float, Token]


def _get_arguments(min_ttl: Optional[Seconds], timeout: Optional[Seconds], force_refresh: bool) -> Tuple[int, int, int]:
    """Converts the arguments of a get for the library."""
    return (
        0 if min_ttl is None else milliseconds("min_ttl", min_ttl),
        0 if timeout is None else deadline(timeout),
        WAIT_FOR_SAVE | FORCE_REFRESH if force_refresh else WAIT_FOR_SAVE,
    )


def _token_value(token: Any) -> bytes:
    if not isinstance(token, (Token, str)):
        raise TypeError(f"token must be a Token or its value (str), not {type(token).__name__}")
    return utf8(token.value if isinstance(token, Token) else token)


def _may_wait(kind: Optional[Type[BaseException]]) -> bool:
    """Returns whether the end of a ``with`` block may wait: not after Ctrl-C or a cancellation."""
    return kind is None or issubclass(kind, Exception)
