"""How tasks wait for the library without holding up their event loop.

The library's calls block, so a thread of our own makes them: never one of the loop's default executor, which a hundred
waiting tasks would use up. Tasks that ask for the same at the same time share one such thread; the library would let
only one of them fetch in any case. Imported by the first call that has to wait.
"""

from __future__ import annotations

import asyncio
import copy
import os
from threading import Thread
from typing import Any, Callable, Dict, Optional, Tuple

from .errors import DeadlineError, TokenwellError
from .token import Token

# What the work returned or raised. Always a result of its future: nobody may be left to look at it, and asyncio reports
# exceptions that nobody looked at.
Outcome = Any
# The process (a forked child finds its parent's calls here, and none of the threads that make them), the loop, the token's
# generation when it was asked for (so that nobody is given what was invalidated before), and the call's min_ttl, deadline
# and flags.
Key = Tuple[int, asyncio.AbstractEventLoop, int, int, int, int]
# When a call that tasks share began, and what comes of it.
Call = Tuple[float, "asyncio.Future[Outcome]"]


async def apart(work: Callable[..., None], *arguments: Any) -> None:
    """Has a thread do the work, and waits for it. A cancelled task leaves the work to the thread."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Outcome] = loop.create_future()
    _begin(loop, done, work, arguments)
    outcome = await asyncio.shield(done)
    if outcome is not None:
        raise outcome


async def wait(
    calls: Dict[Key, Call], generation: int, fetch: Callable[[int, int, int], Token], min_ttl: int, deadline: int, flags: int
) -> Token:
    """Has a thread call `fetch`, or waits for one that does, and hands on its result."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    key = (os.getpid(), loop, generation, min_ttl, deadline, flags)
    late: Optional[Tuple[DeadlineError, float]] = None
    while True:
        call = calls.get(key)
        joined = call is not None
        if call is None:
            call = _share(calls, key, fetch)
        call_began, shared = call
        # The future is shielded: a cancelled task leaves the call to the others.
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
            # The time that is over is that of the task that made the call. This one came later and has some left.
            late = copy.copy(outcome), began + loop.time() - call_began
            continue
        # Every task raises its own copy, with its own traceback.
        raise copy.copy(outcome) if isinstance(outcome, TokenwellError) else outcome


def _share(calls: Dict[Key, Call], key: Key, fetch: Callable[[int, int, int], Token]) -> Call:
    """Begins a call that others may join until its outcome is there."""
    _, loop, _, min_ttl, deadline, flags = key

    def work() -> Token:
        try:
            return fetch(min_ttl, deadline, flags)
        finally:
            calls.pop(key, None)

    call = calls[key] = loop.time(), loop.create_future()
    try:
        _begin(loop, call[1], work, ())
    except BaseException:
        del calls[key]
        raise
    return call


def _begin(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[Outcome], work: Callable[..., Any], arguments: Tuple[Any, ...]
) -> None:
    """Starts a thread that does the work and tells the loop what came of it."""

    def run() -> None:
        outcome: Outcome
        try:
            outcome = work(*arguments)
        except BaseException as error:
            outcome = error
        try:
            loop.call_soon_threadsafe(finish, outcome)
        except RuntimeError:
            pass  # the loop was closed meanwhile: nobody waits any more

    def finish(outcome: Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    # A daemon: the end of the program does not wait for a call nobody waits for.
    Thread(target=run, name="tokenwell-wait", daemon=True).start()
