"""Many threads that share one client."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any, Callable, List

import tokenwell
from conftest import PATIENCE, Emulator, until


def in_threads(count: int, call: Callable[[], Any]) -> List[threading.Thread]:
    """Starts threads that all make the call at the same time."""
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        call()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: List[threading.Thread]) -> None:
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert not [thread for thread in threads if thread.is_alive()], "threads that did not finish"


def test_a_hundred_threads_on_a_new_client_send_one_token_request(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(0.2)
    values: List[str] = []

    join(in_threads(100, lambda: values.append(client.token().value)))

    assert len(values) == 100 and len(set(values)) == 1
    assert emulator.token_requests == 1


def test_close_wakes_every_waiting_thread(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(2 * PATIENCE)
    outcomes: List[str] = []

    def get() -> None:
        try:
            client.token(timeout=2 * PATIENCE)
        except tokenwell.ClosedError as error:
            outcomes.append(error.name)

    threads = in_threads(16, get)
    until(lambda: emulator.token_requests == 1, "a token request")
    client.close()
    join(threads)

    assert outcomes == ["CLOSED"] * 16


def test_a_client_is_not_freed_during_a_call(emulator: Emulator) -> None:
    emulator.slow(0.5)
    held = [tokenwell.Client(**emulator.settings())]
    values: List[str] = []

    threads = in_threads(8, lambda client=held[0]: values.append(client.token().value))  # type: ignore[misc]
    held.clear()
    join(threads)

    assert len(values) == 8 and len(set(values)) == 1


def test_a_thread_that_times_out_does_not_cancel_the_token_request(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(3)
    outcomes: List[str] = []

    def patient() -> None:
        outcomes.append(client.token(timeout=PATIENCE).value)

    def hasty() -> None:
        try:
            client.token(timeout=0.05)
        except tokenwell.DeadlineError:
            outcomes.append("DEADLINE")

    threads = in_threads(1, patient)
    until(lambda: emulator.token_requests == 1, "a token request")
    threads += in_threads(4, hasty)
    join(threads)

    assert outcomes.count("DEADLINE") == 4 and len(outcomes) == 5
    assert emulator.token_requests == 1


def test_an_invalidated_token_is_never_returned_again_while_others_get_tokens(
    emulator: Emulator, make: Callable[..., tokenwell.Client]
) -> None:
    emulator.control("settings", {"rate_limit": None})
    errors: List[BaseException] = []

    def get_until_stopped(client: tokenwell.Client, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                client.authorization()
            except BaseException as error:
                errors.append(error)
                return

    # One rejection for each client: a second new token that is rejected would pause token requests.
    for _ in range(20):
        client, stop = make(), threading.Event()
        threads = in_threads(4, functools.partial(get_until_stopped, client, stop))
        token = client.token()
        client.invalidate(token)
        assert client.token().value != token.value
        assert client.authorization() != token.authorization
        stop.set()
        join(threads)

    assert not errors
