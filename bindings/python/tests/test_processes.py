"""Forks, spawned processes, subinterpreters and the exit of a program."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from typing import Any, Callable, Dict, List

import pytest

import tokenwell
from conftest import PATIENCE, Emulator, until


def in_child(call: Callable[[], Any]) -> Any:
    """Returns the result of the call in a forked child."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer versions of Python warn about a fork while other threads run
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writer, json.dumps(call()).encode())
            code = 0
        except BaseException as error:
            os.write(writer, json.dumps(f"failed: {error!r}").encode())
        finally:
            os._exit(code)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as answer:
            output = answer.read()
    finally:
        _, status = os.waitpid(child, 0)
    assert status == 0, f"the child exited with status {status}: {output!r}"
    return json.loads(output)


def program(emulator: Emulator, source: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that finds the emulator in its environment."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        env={**os.environ, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_i30_a_forked_child_uses_the_parents_token(emulator: Emulator, client: tokenwell.Client) -> None:
    token = client.token()

    values = in_child(lambda: [client.authorization(), client.token().authorization, client.token(min_ttl=90).authorization])

    assert values == [token.authorization] * 3
    assert emulator.token_requests == 1 and client.token().value == token.value


def test_i30_a_forked_child_sends_its_own_request_if_its_parents_is_pending(
    emulator: Emulator, client: tokenwell.Client
) -> None:
    emulator.slow(2 * PATIENCE, times=1)
    outcomes: List[str] = []

    def wait() -> None:
        try:
            outcomes.append(client.token(timeout=2 * PATIENCE).value)
        except tokenwell.ClosedError:
            outcomes.append("CLOSED")

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until(lambda: emulator.token_requests == 1, "a token request")
    value = in_child(lambda: client.token(timeout=PATIENCE).value)
    client.close()
    thread.join(PATIENCE)

    assert isinstance(value, str) and not value.startswith("failed")
    assert emulator.token_requests == 2
    assert outcomes == ["CLOSED"]


def test_i30_a_forked_child_can_wait_in_an_event_loop(emulator: Emulator, client: tokenwell.Client) -> None:
    import asyncio

    first = asyncio.run(client.token_async())

    value = in_child(lambda: asyncio.run(client.token_async(force_refresh=True)).value)

    assert isinstance(value, str) and value != first.value and not value.startswith("failed")


def get_token(settings: Dict[str, str]) -> str:
    with tokenwell.Client(**settings) as client:
        return client.token().value


def test_a_spawned_process_gets_a_token_and_its_errors_reach_the_parent(emulator: Emulator) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(get_token, (emulator.settings(),))
        emulator.faults({"status": 429, "headers": {"Retry-After": "30"}, "body": {"error": "rate_limited"}})
        with pytest.raises(tokenwell.RateLimitedError) as caught:
            pool.apply(get_token, (emulator.settings(),))

    assert caught.value.http_status == 429 and caught.value.retry_after is not None and caught.value.hint


def test_a_subinterpreter_gets_a_token(emulator: Emulator) -> None:
    done = program(
        emulator,
        "try:\n"
        "    import _interpreters as interpreters\n"
        "    inner = interpreters.create('legacy')\n"
        "except ImportError:\n"
        "    import _xxsubinterpreters as interpreters\n"
        "    inner = interpreters.create(isolated=False)\n"
        "interpreters.run_string(inner, 'import tokenwell\\n"
        "client = tokenwell.Client.from_env()\\n"
        "print(client.authorization()[:7], client.authorization() == client.token().authorization, flush=True)')\n"
        "interpreters.destroy(inner)\n"
        "import tokenwell\n"
        "print(tokenwell.Client.from_env().authorization()[:7])\n",
    )

    assert (done.returncode, done.stdout) == (0, "Bearer  True\nBearer \n"), done.stderr


def test_a_program_exits_with_an_open_client(emulator: Emulator) -> None:
    done = program(emulator, "import tokenwell; client = tokenwell.Client.from_env(); client.token(); loop = [client]; loop.append(loop)")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_exits_while_a_thread_waits(emulator: Emulator) -> None:
    emulator.slow(2 * PATIENCE)
    began = time.monotonic()

    done = program(
        emulator,
        "import threading, time, tokenwell\n"
        "client = tokenwell.Client.from_env(timeout=600)\n"
        "threading.Thread(target=client.token, daemon=True).start()\n"
        "while client.stats().refreshes == 0: time.sleep(0.01)\n",
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < PATIENCE


def test_a_program_exits_after_a_task_timed_out(emulator: Emulator) -> None:
    emulator.slow(2 * PATIENCE)

    done = program(
        emulator,
        "import asyncio, tokenwell\n"
        "client = tokenwell.Client.from_env(timeout=600)\n"
        "try: asyncio.run(asyncio.wait_for(client.token_async(), 0.2))\n"
        "except asyncio.TimeoutError: print('gave up')\n",
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "gave up\n", "")


# Pid 1 of a container, with a refresh in progress, forks into a new pid namespace: the child is pid 1 too.
PID_1_FORKS_A_PID_1 = """
import ctypes, os, sys, threading, time, urllib.request, json
import tokenwell

assert os.getpid() == 1
client = tokenwell.Client.from_env()
threading.Thread(target=client.token, daemon=True).start()
base = os.environ["MONGODB_ATLAS_BASE_URL"]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while json.load(opener.open(base + "/_emulator/counters"))["token_requests"] == 0:
    time.sleep(0.01)
CLONE_NEWPID = 0x20000000
assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWPID) == 0, ctypes.get_errno()
child = os.fork()
if child == 0:
    assert os.getpid() == 1
    try:
        print(client.token(timeout=20).value[:2], flush=True)
        os._exit(0)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
os.waitpid(child, 0)
os._exit(0)
"""


def test_r17_a_child_with_the_pid_of_its_parent_does_not_join_its_refresh(emulator: Emulator) -> None:
    namespace = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may not create pid namespaces")
    # The parent's request takes longer than the child's deadline; the child's own is served immediately.
    emulator.faults({"delay_ms": 40_000, "then_serve": True, "times": 1})

    done = subprocess.run(
        [*namespace, sys.executable, "-c", PID_1_FORKS_A_PID_1],
        env={**os.environ, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert (done.stdout.strip(), done.returncode) == ("ey", 0), done.stderr
    assert emulator.token_requests == 2
