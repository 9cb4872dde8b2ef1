"""gevent and eventlet: other greenlets run while one waits for a token."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any, Dict

import pytest

from conftest import PATIENCE, REPOSITORY, Emulator

LIBRARIES = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("gevent", "eventlet")
]
ATTEMPTS = 5
"""How often a busy machine may cause a lag."""


def run(emulator: Emulator, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def figures(emulator: Emulator, *arguments: str) -> Dict[str, Any]:
    done = run(emulator, str(REPOSITORY / "tests/more/python/greenlets.py"), *arguments)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("call", ["token", "token_async", "revoke", "pool"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_b10_a_ticker_does_not_lag_while_a_greenlet_waits(emulator: Emulator, library: str, call: str) -> None:
    path = "/api/oauth/revoke" if call == "revoke" else "/api/oauth/token"
    lags = []
    for _ in range(ATTEMPTS):
        emulator.control("reset", {})
        emulator.control("faults", [{"path": path, "delay_ms": 1500, "then_serve": True}])
        seen = figures(emulator, library, call, "1")
        assert seen["served"] == 1 and seen["seconds"] > 1.4 and seen["ticks"] > 20
        lags.append(seen["longest_lag_ms"])
        if lags[-1] < 50:
            return
    pytest.fail(f"the ticker lagged {lags} ms in all attempts")


@pytest.mark.parametrize("library", LIBRARIES)
def test_many_greenlets_share_a_request(emulator: Emulator, library: str) -> None:
    emulator.slow(1)

    assert figures(emulator, library, "token", "500")["served"] == 500
    assert emulator.token_requests == 1


GIVES_UP = {
    "gevent": """
from gevent import monkey; monkey.patch_all()
import gevent, os, tokenwell
Timeout, spawn, join, kill = gevent.Timeout, gevent.spawn, lambda greenlet: greenlet.get(), lambda greenlet: greenlet.kill()
""",
    "eventlet": """
import warnings; warnings.simplefilter("ignore", DeprecationWarning)
import eventlet; eventlet.monkey_patch()
import os, tokenwell
Timeout, spawn, join, kill = eventlet.Timeout, eventlet.spawn, lambda greenlet: greenlet.wait(), lambda greenlet: greenlet.kill()
""",
}

GIVING_UP = """
client = tokenwell.Client.from_env(timeout=30)
descriptors = lambda: len([name for name in os.listdir("/proc/self/fd")])
patient = spawn(client.token)
killed = spawn(client.token)
try:
    with Timeout(0.2):
        client.token()
except Timeout:
    print("gave up")
kill(killed)
try:
    client.token(timeout=0.1)
except tokenwell.DeadlineError:
    print("deadline")
print(join(patient).value == client.token().value)
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_greenlet_that_gives_up_does_not_cancel_the_request(emulator: Emulator, library: str) -> None:
    emulator.slow(1)

    done = run(emulator, "-c", GIVES_UP[library] + GIVING_UP)

    assert done.stdout == "gave up\ndeadline\nTrue\n", done.stderr
    assert emulator.token_requests == 1


CHILD = """
client = tokenwell.Client.from_env(timeout=30)
waiting = spawn(client.token)
try:
    with Timeout(0.2):
        client.token()
except Timeout:
    pass
child = os.fork()
if child == 0:
    token = client.token(timeout=20)
    print(len(token.value) > 20, flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1], len(join(waiting).value) > 20)
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_i30_a_forked_child_waits_with_its_own_queue(emulator: Emulator, library: str) -> None:
    emulator.slow(1)

    done = run(emulator, "-c", GIVES_UP[library] + CHILD)

    assert done.stdout == "True\n0 True\n", done.stderr
    assert emulator.token_requests == 2


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_end_of_a_block_lets_other_greenlets_run(emulator: Emulator, library: str) -> None:
    emulator.slow(2 * PATIENCE)
    program = """
import time
from time import monotonic
ticks = []
def tick():
    while True:
        ticks.append(monotonic()); time.sleep(0.01)
with tokenwell.Client.from_env(timeout=600) as client:
    try:
        client.token(timeout=0.1)
    except tokenwell.DeadlineError:
        spawn(tick)
    before = monotonic()
print(0.9 < monotonic() - before < 3, len(ticks) > 10)
"""

    done = run(emulator, "-c", GIVES_UP[library] + program)

    assert done.stdout == "True True\n", done.stderr
