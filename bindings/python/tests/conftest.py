"""Fixtures: an emulator for each test, clients of it, and an environment without settings."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import pathlib
import shlex
import signal
import subprocess
import time
import urllib.request
from typing import Any, Callable, Dict, Iterator, List

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("TOKENWELL_BIN", str(REPOSITORY / "dist" / "bin" / "tokenwell"))
SOURCE = REPOSITORY / "bindings" / "python" / "tokenwell"
# A copy of the tests without the source (tests/more/python_packages.sh) tests the installed package with its own library.
if SOURCE.is_dir():
    LIBRARY = os.environ.setdefault("TOKENWELL_LIBRARY", str(REPOSITORY / "dist" / "lib" / "libtokenwell.so.0"))
else:
    os.environ.pop("TOKENWELL_LIBRARY", None)
    _package = importlib.util.find_spec("tokenwell")
    assert _package is not None and _package.origin is not None, "the package tokenwell is not installed"
    LIBRARY = str(pathlib.Path(_package.origin).parent / "_lib" / "libtokenwell.so.0")

# A shell starts a background process with SIGINT ignored, and the programs that the tests start would inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests must not share tokens through the cache.
os.environ["TOKENWELL_CACHE"] = "off"

PATIENCE = 60.0
"""Seconds to wait for an event that normally happens soon. Long enough for a busy machine."""

for needed in (BINARY, LIBRARY):
    if not os.path.isfile(needed):
        raise SystemExit(f"{needed} is missing: build it with `make library`")

import tokenwell  # noqa: E402
from servers import Recorder  # noqa: E402


class Emulator:
    """The Atlas emulator, in a separate process; docs/emulator.md describes its control requests."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [BINARY, "emulator", "--until-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "# ready\n")
        self.environment = dict(shlex.split(line)[0].split("=", 1) for line in lines)
        # A test that needs a cache has a directory of its own.
        del self.environment["TOKENWELL_CACHE_DIR"]
        self.base_url = self.environment["MONGODB_ATLAS_BASE_URL"]
        self.client_id = self.environment["MONGODB_ATLAS_CLIENT_ID"]
        self.client_secret = self.environment["MONGODB_ATLAS_CLIENT_SECRET"]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, name: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/_emulator/{name}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with self.opener.open(request, timeout=PATIENCE) as reply:
            body = reply.read()
        return json.loads(body) if body else None

    def counters(self) -> Dict[str, int]:
        return dict(self.control("counters"))

    @property
    def token_requests(self) -> int:
        return self.counters()["token_requests"]

    def faults(self, *faults: Dict[str, Any]) -> None:
        self.control("faults", [{"path": "/api/oauth/token", **fault} for fault in faults])

    def slow(self, seconds: float, **more: Any) -> None:
        self.faults({"delay_ms": round(seconds * 1000), "then_serve": True, **more})

    def revoke(self, token: tokenwell.Token) -> None:
        """Revokes a token without its client, which finds out by a 401."""
        credentials = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        request = urllib.request.Request(
            f"{self.base_url}/api/oauth/revoke",
            data=f"token={token.value}&token_type_hint=access_token".encode(),
            headers={"Authorization": f"Basic {credentials}"},
        )
        with self.opener.open(request, timeout=PATIENCE):
            pass

    def now_ms(self) -> int:
        return int(self.control("clock")["now_ms"])

    def advance(self, milliseconds: int) -> None:
        self.control("clock", {"advance_ms": milliseconds})

    def settings(self) -> Dict[str, str]:
        """Returns the settings of a client of this emulator."""
        return {"base_url": self.base_url, "client_id": self.client_id, "client_secret": self.client_secret}

    def stop(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()


def native_threads() -> int:
    """Returns the number of threads of this process, including those of the library."""
    return len(os.listdir("/proc/self/task"))


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits until the condition is true; fails after `PATIENCE` seconds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"did not happen: {what}"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for name in list(os.environ):
        if name.startswith(("TOKENWELL_", "MONGODB_ATLAS_", "MCLI_")) and name not in ("TOKENWELL_LIBRARY", "TOKENWELL_BIN"):
            monkeypatch.delenv(name)
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TOKENWELL_CACHE", "off")
    package = str(REPOSITORY / "bindings" / "python")
    monkeypatch.setenv("PYTHONPATH", package)  # for the programs that tests start


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture
def api() -> Iterator[Recorder]:
    """An API that is not at the emulator's origin, and whose answers the test decides."""
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.fixture
def foreign() -> Iterator[Recorder]:
    """A server that must not get a token."""
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.fixture
def make(emulator: Emulator) -> Iterator[Callable[..., tokenwell.Client]]:
    """Creates clients of the emulator, and closes them after the test."""
    clients: List[tokenwell.Client] = []

    def make(**settings: Any) -> tokenwell.Client:
        client = tokenwell.Client(**{**emulator.settings(), **settings})
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make: Callable[..., tokenwell.Client]) -> tokenwell.Client:
    return make()


@pytest.fixture
def clocked(emulator: Emulator, make: Callable[..., tokenwell.Client]) -> tokenwell.Client:
    """A client with a manual clock that starts at the emulator's time."""
    return make(manual_clock=emulator.now_ms() / 1000)
