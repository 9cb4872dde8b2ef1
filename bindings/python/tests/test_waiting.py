"""Blocking calls: signals, the end of a `with` block, and a process that can create no thread."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Iterator, List

import pytest

import tokenwell
from conftest import PATIENCE, Emulator, until


class Raised(Exception):
    """What the signal handler of a test raises."""


@pytest.fixture
def raising_handler() -> Iterator[None]:
    def handle(*_: Any) -> None:
        raise Raised

    before = signal.signal(signal.SIGUSR1, handle)
    yield
    signal.signal(signal.SIGUSR1, before)


def send_signal_after_request(emulator: Emulator, requests: Callable[[], int]) -> List[float]:
    """Sends a signal to this process once the request has been sent; the list receives the time."""
    sent: List[float] = []

    def send() -> None:
        until(lambda: requests() > 0, "a request")
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=send, daemon=True).start()
    return sent


@pytest.mark.usefixtures("raising_handler")
@pytest.mark.parametrize("call", ["token", "authorization"])
def test_a_signal_handler_that_raises_ends_a_get(emulator: Emulator, client: tokenwell.Client, call: str) -> None:
    emulator.slow(3)
    sent = send_signal_after_request(emulator, lambda: emulator.token_requests)

    with pytest.raises(Raised):
        getattr(client, call)()

    # The slice is 50 ms; the rest is for a busy machine. The suite `python` of make test-more is exact.
    assert time.monotonic() - sent[0] < 1.5
    # The token request continues: a later call gets its token.
    assert client.token().value and emulator.token_requests == 1


@pytest.mark.usefixtures("raising_handler")
def test_a_signal_handler_that_raises_when_the_token_has_come_leaks_no_token(
    emulator: Emulator, client: tokenwell.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.slow(0.1)
    library = client._library
    freed: List[Any] = []
    wait, free = library.operation_wait, library.token_free

    def wait_and_get_signal(*arguments: Any) -> int:
        status: int = wait(*arguments)
        if status == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
        return status

    monkeypatch.setattr(library, "operation_wait", wait_and_get_signal)
    monkeypatch.setattr(library, "token_free", lambda token: freed.append(token.value) or free(token))

    with pytest.raises(Raised):
        client.token()

    assert len(freed) == 1 and freed[0]


@pytest.mark.usefixtures("raising_handler")
def test_a_signal_handler_that_raises_ends_a_revocation(emulator: Emulator, client: tokenwell.Client) -> None:
    client.token()
    emulator.control("faults", [{"path": "/api/oauth/revoke", "delay_ms": 3000, "then_serve": True}])
    sent = send_signal_after_request(emulator, lambda: emulator.counters()["revoke_requests"])

    with pytest.raises(Raised):
        client.revoke()

    assert time.monotonic() - sent[0] < 1.5


def test_a_signal_handler_that_returns_runs_during_a_get(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(3)
    handled: List[float] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.append(time.monotonic()))
    try:
        sent = send_signal_after_request(emulator, lambda: emulator.token_requests)
        token = client.token()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert token.value and handled[0] - sent[0] < 1.5
    assert emulator.token_requests == 1, "slices are not several gets"


def test_ctrl_c_ends_a_program_that_waits(emulator: Emulator) -> None:
    emulator.slow(2 * PATIENCE)
    program = subprocess.Popen(
        [sys.executable, "-c", "import tokenwell\nwith tokenwell.Client.from_env(timeout=600) as client: client.token()"],
        env={**os.environ, **emulator.environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: emulator.token_requests == 1, "a token request")

    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=PATIENCE)

    assert said.rstrip().endswith("KeyboardInterrupt") and program.returncode == -signal.SIGINT
    assert time.monotonic() - began < 10, "the timeout is 600 s"


@pytest.mark.parametrize("call", ["token", "invalidate", "revoke"])
def test_a_call_is_one_operation_that_is_freed(
    emulator: Emulator, client: tokenwell.Client, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    token = client.token()
    emulator.slow(0.5)
    library = client._library
    begun: List[int] = []
    freed: List[int] = []
    waiting = getattr(library, f"client_{call}")
    begin, free = waiting.begin, library.operation_free
    monkeypatch.setattr(waiting, "begin", lambda *arguments: begun.append(begin(*arguments)) or begun[-1])
    monkeypatch.setattr(library, "operation_free", lambda operation: freed.append(operation.value) or free(operation))

    {"token": lambda: client.token(force_refresh=True), "invalidate": lambda: client.invalidate(token), "revoke": client.revoke}[call]()

    assert len(begun) == 1
    assert len(freed) == begun.count(14), "each pending operation is freed once"


def test_an_invalidation_that_takes_longer_than_the_timeout_is_no_error(
    make: Callable[..., tokenwell.Client], tmp_path: pathlib.Path
) -> None:
    # On a busy machine 0.1 s is too short for the file of the token.
    cached = {"cache": True, "cache_dir": str(tmp_path / "cache"), "timeout": 0.5}
    client = make(**cached)
    token = client.token()
    (lock,) = (tmp_path / "cache").glob("*.lock")
    with open(lock, "rb") as file:
        # Another process that uses the shared cache. The removal waits for it for about a second.
        fcntl.flock(file, fcntl.LOCK_EX)
        client.invalidate(token)
        asyncio.run(client.invalidate_async(token))

    assert client.stats().invalidations == 1 and client.token().value != token.value


# As root the limit of processes does not apply, so the test is another user.
WITHOUT_THREADS = """
import asyncio, os, resource, sys, threading
import tokenwell, tokenwell._loops
client = tokenwell.Client.from_env()
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    threading.Thread(target=print).start()
    sys.exit(77)
except RuntimeError:
    pass
first = client.token()
client.invalidate(first)
second = client.token()
client.revoke()
print(first.value != second.value, client.token().value not in (first.value, second.value))
client.invalidate(client.token())
try:
    asyncio.run(client.token_async())
except tokenwell.NotConfiguredError as error:
    print("thread" in error.message)
"""


def test_a_thread_gets_its_token_even_if_no_thread_can_be_created(emulator: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS],
        env={**os.environ, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    if done.returncode == 77:
        pytest.skip("this system does not enforce the limit of processes")
    assert (done.returncode, done.stdout) == (0, "True True\nTrue\n"), done.stderr


def test_the_end_of_a_block_does_not_wait_after_an_interrupt(emulator: Emulator, make: Callable[..., tokenwell.Client]) -> None:
    emulator.slow(2 * PATIENCE)
    with pytest.raises(KeyboardInterrupt):
        with make(timeout=PATIENCE) as client:
            with pytest.raises(tokenwell.DeadlineError):
                client.token(timeout=0.05)
            began = time.monotonic()
            raise KeyboardInterrupt

    assert time.monotonic() - began < 0.9, "it would wait for 1 s"


def test_the_end_of_a_block_waits_for_a_request_in_progress(emulator: Emulator, clocked: tokenwell.Client) -> None:
    with clocked:
        clocked.token()
        emulator.slow(0.5)
        clocked.advance_clock(51 * 60)
        emulator.advance(51 * 60_000)
        clocked.token()  # a valid token, and a refresh in the background
        until(lambda: emulator.token_requests == 2, "the request of the refresh")
        began = time.monotonic()

    assert 0.1 < time.monotonic() - began < 2
    assert clocked.stats().mints == 2


def test_the_end_of_a_block_waits_for_a_bounded_time(emulator: Emulator, make: Callable[..., tokenwell.Client]) -> None:
    emulator.slow(2 * PATIENCE)
    with make(timeout=PATIENCE) as client:
        with pytest.raises(tokenwell.DeadlineError):
            client.token(timeout=0.05)
        began = time.monotonic()

    assert 0.9 < time.monotonic() - began < 3


def test_close_does_not_wait(emulator: Emulator, make: Callable[..., tokenwell.Client]) -> None:
    emulator.slow(2 * PATIENCE)
    client = make(timeout=PATIENCE)
    with pytest.raises(tokenwell.DeadlineError):
        client.token(timeout=0.05)

    began = time.monotonic()
    client.close()

    assert time.monotonic() - began < 0.9, "the end of a block would wait for 1 s"
