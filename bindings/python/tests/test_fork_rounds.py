"""Forks at every moment of a refresh, and servers that rely on fork: pools, preforked workers, event loops.

FORK_ROUNDS (default 60) and FORK_SEED (default 1) change the rounds. If FORK_LATE_MS is set, a
child that takes longer fails the test. This is only reliable on an idle machine, so the suite does
not set it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import multiprocessing
import os
import pathlib
import random
import signal
import statistics
import sys
import threading
import time
import warnings
from typing import Any, Callable, Dict, List, Optional

import pytest

import tokenwell
from conftest import BINARY, PATIENCE, Emulator

ROUNDS = int(os.environ.get("FORK_ROUNDS", "60"))
SEED = int(os.environ.get("FORK_SEED", "1"))
LATE_AFTER = float(os.environ.get("FORK_LATE_MS", "1000")) / 1000
HANGS_AFTER = PATIENCE / 2
"""Seconds.

The timeouts of the clients are longer, so that a deadline does not hide a child that hangs.
"""

MOMENTS = ("before", "during", "after")


class Child:
    """A forked child that sends back the result of a call.

    A child that hangs prints its stacks and fails the test.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer versions of Python warn about a fork while other threads run
            self.began = time.monotonic()
            self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            code = 1
            try:
                # pytest replaces sys.stderr by an object that has no file descriptor.
                faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=2)
                answer = json.dumps(call())
                code = 0
            except BaseException as error:
                answer = f"failed: {error!r}"
            try:
                os.write(writer, answer.encode())
            finally:
                os._exit(code)
        os.close(writer)
        self.reader = reader

    def status(self) -> int:
        """Waits for the exit of the child and returns the status from waitpid."""
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.took = time.monotonic() - self.began
            if pid:
                return status
            if self.took > 2 * HANGS_AFTER:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                pytest.fail("a forked child hung and did not print its stacks")
            time.sleep(0.001)

    def answer(self) -> Any:
        """Returns the result of the call."""
        status = self.status()
        with os.fdopen(self.reader, "rb") as reader:
            output = reader.read().decode()
        assert status == 0, f"the child exited with status {status}: {output}"
        return json.loads(output)


@pytest.fixture
def unlimited(emulator: Emulator) -> Emulator:
    """An emulator without rate limit and, in effect, without token limit."""
    emulator.control("settings", {"rate_limit": None, "token_cap": 10_000_000})
    return emulator


# ---- rounds ----


def force(client: tokenwell.Client) -> str:
    return client.token(force_refresh=True).value


def invalidate_and_get(client: tokenwell.Client) -> str:
    client.invalidate(client.token())
    return client.token().value


def close(client: tokenwell.Client) -> str:
    client.close()
    try:
        return client.token().value
    except tokenwell.ClosedError:
        return "the client is closed, as expected"


def exec_the_command(client: tokenwell.Client) -> str:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(BINARY, ["tokenwell", "token"])


ACTIONS: Dict[str, Callable[[tokenwell.Client], str]] = {
    "token": lambda client: client.token().value,
    "authorization": lambda client: client.authorization(),
    "force": force,
    "invalidate and get": invalidate_and_get,
    "token_async": lambda client: asyncio.run(client.token_async()).value,
    "close": close,
    "exec": exec_the_command,
}


def use(client: tokenwell.Client, turn: int, pause: float, stop: threading.Event) -> None:
    """Runs in the threads of a busy parent.

    It pauses, because constant refreshes would starve others of the cache's lock.
    """
    # Not the current token: new tokens that are rejected in a row would pause token requests.
    uses = (lambda: client.authorization(), lambda: client.invalidate("another"), lambda: client.token(force_refresh=True))
    while not stop.is_set():
        uses[turn % 3]()
        turn += 1
        stop.wait(pause * (1 + turn * 7 % 10))


def test_i30_a_child_forked_at_any_moment_completes_its_call(
    unlimited: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    took: List[float] = []
    for name, value in unlimited.environment.items():
        monkeypatch.setenv(name, value)

    for number in range(ROUNDS):
        moment, action, busy = chance.choice(MOMENTS), chance.choice(list(ACTIONS)), chance.choice((0, 0, 2, 3, 4))
        store, slow = chance.choice(("on", "off")), chance.choice((0.0, 0.05, 0.2))
        said = f"seed {SEED} round {number}: {moment} a refresh of {slow} s, cache {store}, {busy} threads more, the child: {action}"
        monkeypatch.setenv("TOKENWELL_CACHE", store)
        monkeypatch.setenv("TOKENWELL_CACHE_DIR", str(tmp_path / f"cache-{number}"))
        unlimited.faults(*([{"delay_ms": round(slow * 1000), "then_serve": True}] if slow else []))
        client = tokenwell.Client.from_env(timeout=10 * PATIENCE)
        stop = threading.Event()
        threads = [threading.Thread(target=use, args=(client, turn, slow + 0.001, stop)) for turn in range(busy)]

        if moment == "after":
            client.token()
        if moment == "during":
            threads.append(threading.Thread(target=client.token, kwargs={"force_refresh": True}))
        for thread in threads:
            thread.start()
        if moment == "during":
            time.sleep(chance.random() * (slow or 0.005))
        child = Child(lambda: ACTIONS[action](client))
        status = child.status()
        # The fork has not affected the parent either.
        assert client.token().value
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{said}: a thread of the parent hangs"
        client.close()

        with os.fdopen(child.reader, "rb") as reader:
            output = reader.read().decode()
        assert status == 0, f"{said}: it exited with status {status}: {output}"
        if action == "exec":
            assert output == ""
        else:
            assert len(json.loads(output)) > 20, f"{said}: {output}"
        took.append(child.took)

    late = sum(seconds > LATE_AFTER for seconds in took)
    assert len(took) == ROUNDS
    with capsys.disabled():
        print(f"\n  {ROUNDS} forks: {late} took more than {LATE_AFTER:g} s; median {statistics.median(took):.3f} s, longest {max(took):.3f} s")
    assert late == 0 or "FORK_LATE_MS" not in os.environ


# ---- pools and preforked workers ----

inherited: Optional[tokenwell.Client] = None
"""The client of the parent, inherited by its forked workers."""


def get_token(_: int) -> str:
    assert inherited is not None
    return inherited.token().value


def pool_of_eight(draws: int) -> List[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer versions of Python warn about a fork while other threads run
        with multiprocessing.get_context("fork").Pool(8) as pool:
            return pool.map_async(get_token, range(draws), chunksize=1).get(2 * PATIENCE)


def test_i30_a_pool_of_forked_workers_uses_the_parents_token(
    unlimited: Emulator, client: tokenwell.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = client.token()
    monkeypatch.setattr(sys.modules[__name__], "inherited", client)

    values = pool_of_eight(64)

    assert values == [token.value] * 64
    assert unlimited.token_requests == 1


def test_i30_a_pool_that_was_forked_before_the_first_token_shares_one(
    unlimited: Emulator, make: Callable[..., tokenwell.Client], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    client = make(cache=True, cache_dir=tmp_path / "cache", timeout=10 * PATIENCE)
    monkeypatch.setattr(sys.modules[__name__], "inherited", client)
    unlimited.slow(0.2)

    values = pool_of_eight(64)

    assert len(set(values)) == 1 and values[0] == client.token().value
    assert unlimited.token_requests == 1


def test_i30_preforked_workers_share_one_token_across_an_expiry(
    unlimited: Emulator, make: Callable[..., tokenwell.Client], tmp_path: pathlib.Path
) -> None:
    now = unlimited.now_ms() / 1000
    client = make(manual_clock=now, cache=True, cache_dir=tmp_path / "cache", timeout=10 * PATIENCE)
    first = client.token().value
    gate, opener = os.pipe()

    def work() -> List[str]:
        os.close(opener)
        before = client.token().value
        client.advance_clock(61 * 60)
        os.read(gate, 1)  # until the parent closes the other end, for all workers together
        return [before, client.token().value, client.token().value]

    workers = [Child(work) for _ in range(8)]
    os.close(gate)
    unlimited.advance(61 * 60 * 1000)
    unlimited.slow(0.2)
    os.close(opener)
    answers = [worker.answer() for worker in workers]

    second = answers[0][1]
    assert second != first and answers == [[first, second, second]] * 8
    assert unlimited.token_requests == 2
    # The parent, which did not refresh, finds the token of its workers in the cache.
    client.advance_clock(61 * 60)
    assert client.token().value == second and unlimited.token_requests == 2


# ---- event loops ----


def test_i30_a_child_waits_in_its_own_event_loop_if_its_parents_request_is_pending(
    unlimited: Emulator, make: Callable[..., tokenwell.Client]
) -> None:
    client = make(timeout=10 * PATIENCE)
    unlimited.slow(2 * PATIENCE, times=1)

    async def give_up() -> None:
        task = asyncio.ensure_future(client.token_async())
        while unlimited.token_requests == 0:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(give_up())
    answer = Child(lambda: [asyncio.run(client.token_async()).value, asyncio.run(client.token_async(force_refresh=True)).value]).answer()

    assert len(set(answer)) == 2 and unlimited.token_requests == 3


def test_i30_a_child_that_uses_its_parents_event_loop_does_not_hang(
    unlimited: Emulator, make: Callable[..., tokenwell.Client]
) -> None:
    client = make(timeout=10 * PATIENCE)
    unlimited.slow(2 * PATIENCE, times=1)
    loop = asyncio.new_event_loop()

    async def give_up() -> None:
        task = asyncio.ensure_future(client.token_async())
        while unlimited.token_requests == 0:
            await asyncio.sleep(0.01)
        task.cancel()

    try:
        loop.run_until_complete(give_up())
        value = Child(lambda: loop.run_until_complete(client.token_async()).value).answer()
    finally:
        client.close()
        loop.close()

    assert value and unlimited.token_requests == 2


def test_i30_a_program_forks_inside_its_event_loop(unlimited: Emulator, client: tokenwell.Client) -> None:
    async def parent() -> List[Any]:
        first = (await client.token_async()).value
        # No event loop is running in the child, so it starts one.
        child = Child(lambda: asyncio.run(client.token_async(force_refresh=True)).value)
        answer = await asyncio.get_running_loop().run_in_executor(None, child.answer)
        return [first, answer, (await client.token_async()).value]

    first, of_the_child, still = asyncio.run(parent())

    assert first == still != of_the_child and unlimited.token_requests == 2
