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
from typing import Callable, Dict, Optional, Tuple, Union

from .errors import DeadlineError, TokenwellError
from .token import Token

Outcome = Union[Token, BaseException]
# The process (a forked child finds its parent's calls here, and none of the threads that make them), the loop, the token's
# generation when it was asked for (so that nobody is given what was invalidated before), and the call's min_ttl, deadline
# and flags.
Key = Tuple[int, asyncio.AbstractEventLoop, int, int, int, int]


class Call:
    """One call of the library, made by a thread for all tasks that share it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.outcome: asyncio.Future[Outcome] = loop.create_future()
        self.began = loop.time()
        self.took = 0.0


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
            call = _start(calls, key, fetch)
        # The future is shielded: a cancelled task leaves the call to the others.
        if late is None:
            outcome = await asyncio.shield(call.outcome)
        else:
            try:
                outcome = await asyncio.wait_for(asyncio.shield(call.outcome), late[1] - loop.time())
            except asyncio.TimeoutError:
                raise late[0] from None
        if isinstance(outcome, Token):
            return outcome
        if joined and late is None and isinstance(outcome, DeadlineError):
            # The time that is over is that of the task that made the call. This one came later and has some left.
            late = copy.copy(outcome), began + call.took
            continue
        # Every task raises its own copy, with its own traceback.
        raise copy.copy(outcome) if isinstance(outcome, TokenwellError) else outcome


def _start(calls: Dict[Key, Call], key: Key, fetch: Callable[[int, int, int], Token]) -> Call:
    _, loop, _, min_ttl, deadline, flags = key
    call = Call(loop)

    def run() -> None:
        outcome: Outcome
        try:
            outcome = fetch(min_ttl, deadline, flags)
        except BaseException as error:
            outcome = error
        calls.pop(key, None)
        try:
            loop.call_soon_threadsafe(finish, outcome)
        except RuntimeError:
            pass  # the loop was closed meanwhile: nobody waits any more

    def finish(outcome: Outcome) -> None:
        call.took = loop.time() - call.began
        # A result even when it is an error: nobody may be left to look, and asyncio reports exceptions nobody looked at.
        if not call.outcome.done():
            call.outcome.set_result(outcome)

    calls[key] = call
    try:
        # A daemon: the end of the program does not wait for a fetch nobody waits for.
        Thread(target=run, name="tokenwell-wait", daemon=True).start()
    except BaseException:
        del calls[key]
        raise
    return call
