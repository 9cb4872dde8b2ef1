"""Lets tasks wait for the library without blocking their event loop.

Calls of the library block, so a separate thread makes them. The event loop's default executor is
not used, because a hundred waiting tasks would occupy all its threads. Tasks that make the same
call at the same time share one thread: the library would send only one token request for them in
any case. The first call that has to wait imports this module.
"""

from __future__ import annotations

import asyncio
import copy
import os
from threading import Thread
from typing import Any, Callable, Dict, Optional, Tuple

from .errors import DeadlineError, TokenwellError
from .token import Token

# The return value or exception of the work. Exceptions are also stored as the result of the future,
# because every task may have been canceled, and asyncio reports exceptions that are never
# retrieved.
Outcome = Any
# The process (a forked child inherits its parent's calls, but not the threads that make them), the
# event loop, the generation when the call started (so that no task receives a token that was
# invalidated before it asked), and the call's min_ttl, deadline and flags.
Key = Tuple[int, asyncio.AbstractEventLoop, int, int, int, int]
# The start time and the outcome of a call that tasks share.
Call = Tuple[float, "asyncio.Future[Outcome]"]


async def run_in_thread(work: Callable[..., None], *arguments: Any) -> None:
    """Runs `work` on a thread and waits for it. Cancelling the task does not stop the work."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Outcome] = loop.create_future()
    _start_thread(loop, done, work, arguments)
    outcome = await asyncio.shield(done)
    if outcome is not None:
        raise outcome


async def wait_for_token(
    calls: Dict[Key, Call], generation: int, fetch: Callable[[int, int, int], Token], min_ttl: int, deadline: int, flags: int
) -> Token:
    """Calls `fetch` on a thread, or joins a running call with the same arguments; returns its token."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    key = (os.getpid(), loop, generation, min_ttl, deadline, flags)
    late: Optional[Tuple[DeadlineError, float]] = None
    while True:
        call = calls.get(key)
        joined = call is not None
        if call is None:
            call = _start_shared_call(calls, key, fetch)
        call_started, shared = call
        # The future is shielded, so that cancelling this task does not cancel the call for others.
        if late is None:
            outcome = await asyncio.shield(shared)
        else:
            try:
                outcome = await asyncio.wait_for(asyncio.shield(shared), late[1] - loop.time())
            except asyncio.TimeoutError:
                raise late[0] from None
        if isinstance(outcome, Token):
            return outcome
        if joined and late is None and isinstance(outcome, DeadlineError):
            # The deadline of the task that started the call was exceeded. This task joined later
            # and has time left.
            late = copy.copy(outcome), started + loop.time() - call_started
            continue
        # Every task raises its own copy, with its own traceback.
        raise copy.copy(outcome) if isinstance(outcome, TokenwellError) else outcome


def _start_shared_call(calls: Dict[Key, Call], key: Key, fetch: Callable[[int, int, int], Token]) -> Call:
    """Starts a call that other tasks can join until it completes."""
    _, loop, _, min_ttl, deadline, flags = key

    def work() -> Token:
        try:
            return fetch(min_ttl, deadline, flags)
        finally:
            calls.pop(key, None)

    call = calls[key] = loop.time(), loop.create_future()
    try:
        _start_thread(loop, call[1], work, ())
    except BaseException:
        del calls[key]
        raise
    return call


def _start_thread(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[Outcome], work: Callable[..., Any], arguments: Tuple[Any, ...]
) -> None:
    """Starts a thread that runs `work` and passes the outcome to the event loop."""

    def run() -> None:
        outcome: Outcome
        try:
            outcome = work(*arguments)
        except BaseException as error:
            outcome = error
        try:
            loop.call_soon_threadsafe(finish, outcome)
        except RuntimeError:
            pass  # the loop has been closed, so no task is waiting

    def finish(outcome: Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    # A daemon thread, so that the program's exit does not wait for a call whose result nobody
    # needs.
    Thread(target=run, name="tokenwell-wait", daemon=True).start()
