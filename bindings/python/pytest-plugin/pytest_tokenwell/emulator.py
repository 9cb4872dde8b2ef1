"""The emulator as a separate process, and the requests with which a test controls it."""

from __future__ import annotations

import json
import os
import selectors
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, Dict, Mapping, Sequence

TIMEOUT = 60.0
"""Seconds to wait for an answer of the emulator, which normally takes a millisecond."""
LONGEST = 65536
"""The number of bytes after which the assignments of the emulator, which normally have 400, are not read on."""
READY = b"# ready\n"
"""The last line that the emulator prints when it has started."""


class EmulatorError(RuntimeError):
    """The emulator cannot be started, or rejected a request."""


def find_command(configured: str = "") -> str:
    """Returns the path of the command: the configured one, that of the distribution tokenwell-cli, or the one on PATH.

    Raises:
        EmulatorError: There is none.
    """
    if configured:
        found = shutil.which(configured)
        if found is None:
            raise EmulatorError(f"the option tokenwell_command names {configured}, which is not a program")
        return found
    searched = "PATH"
    try:
        for file in distribution("tokenwell-cli").files or []:
            if file.name in ("tokenwell", "tokenwell.exe") and ".dist-info" not in str(file):
                path = str(file.locate())
                if os.path.isfile(path):
                    return os.path.realpath(path)
                searched = f"{path} and PATH"
    except PackageNotFoundError:
        pass
    found = shutil.which("tokenwell")
    if found is None:
        raise EmulatorError(
            f"the tokenwell command is missing (searched: {searched}). Install it with `python -m pip install"
            " --force-reinstall tokenwell-cli`, or name it in the option tokenwell_command of pytest"
        )
    return found


class Emulator:
    """A running emulator of MongoDB Atlas.

    Attributes:
        base_url: The base URL of the API and of the token endpoint, on 127.0.0.1.
        client_id: The client id of the service account.
        client_secret: Its client secret.
        org_id: The id of its organization.
        project_id: The id of a project of this organization.
        environment: The variables that configure a client of the emulator, with their values.
    """

    def __init__(self, command: str, options: Sequence[str] = ()) -> None:
        """Starts the emulator on a free port.

        Raises:
            EmulatorError: It did not start; the message contains what it printed.
        """
        # It exits when its standard input closes, so also if this process is killed. In a session of its own it does not
        # receive the SIGINT of Ctrl-C, so that the last tests can still use it.
        self._log = tempfile.TemporaryFile()
        self._saved_log = ""
        try:
            self._process = subprocess.Popen(
                [command, "emulator", "--until-stdin-closes", *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as problem:
            self._log.close()
            raise EmulatorError(f"cannot start {command}: {problem}") from None
        try:
            self._read_environment()
        except BaseException as problem:
            self.stop()
            if isinstance(problem, _Unexpected):
                raise EmulatorError(f"`{command} emulator` {problem}: {self.log().strip() or 'no error message'}") from None
            raise
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _read_environment(self) -> None:
        lines = self._lines_until_ready()
        try:
            self.environment: Dict[str, str] = dict(word.split("=", 1) for word in shlex.split(lines))
            self.base_url = self.environment["MONGODB_ATLAS_BASE_URL"]
            self.client_id = self.environment["MONGODB_ATLAS_CLIENT_ID"]
            self.client_secret = self.environment["MONGODB_ATLAS_CLIENT_SECRET"]
            self.org_id = self.environment["MONGODB_ATLAS_ORG_ID"]
            self.project_id = self.environment["MONGODB_ATLAS_PROJECT_ID"]
        except (KeyError, ValueError):
            raise _Unexpected(f"printed {_shortened(lines)} instead of the variables of its clients") from None

    def _lines_until_ready(self) -> str:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        printed = b""
        end = time.monotonic() + TIMEOUT
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not printed.endswith(READY):
                shown = _shortened(printed.decode("utf-8", "replace")) if printed else "nothing"
                if len(printed) > LONGEST:
                    raise _Unexpected(f"printed more than {LONGEST} bytes and is not ready, {shown}")
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise _Unexpected(f"was not ready within {TIMEOUT:g} s, and printed {shown}")
                received = os.read(descriptor, 4096)
                if not received:
                    try:
                        code = self._process.wait(max(0.0, end - time.monotonic()))
                    except subprocess.TimeoutExpired:
                        raise _Unexpected(f"closed its standard output after {shown}") from None
                    raise _Unexpected(f"exited with code {code}")
                printed += received
        return printed[: -len(READY)].decode("utf-8", "replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def settings(self) -> Dict[str, Any]:
        """The arguments of `tokenwell.Client` for a client of this emulator."""
        return {"base_url": self.base_url, "client_id": self.client_id, "client_secret": self.client_secret}

    def counters(self) -> Dict[str, int]:
        """Returns what the emulator counted since the last reset, for example ``token_requests`` and ``api_requests``."""
        return dict(self.control("counters"))

    def reset(self) -> None:
        """Restores the initial state: counters, tokens, faults, settings, clock and accounts."""
        self.control("reset", {})

    def faults(self, *faults: Mapping[str, Any]) -> None:
        """Replaces the faults, for example ``faults({"path": "/api/oauth/token", "times": 1, "status": 503})``."""
        self.control("faults", list(faults))

    def configure(self, **settings: Any) -> None:
        """Changes settings of the emulator, for example ``configure(token_lifetime_s=60)``."""
        self.control("settings", settings)

    def advance(self, seconds: float) -> None:
        """Stops the clock of the emulator, and sets it forward."""
        self.control("clock", {"advance_ms": round(seconds * 1000)})

    def last_request(self, path: str) -> Dict[str, Any]:
        """Returns the last request to a path: its ``method``, ``headers``, ``body`` and so on.

        Args:
            path: The path as it was sent, for example ``/a%20b``.
        """
        return dict(self.control(f"last_request?path={urllib.parse.quote(path, safe='')}"))

    def control(self, name: str, body: Any = None) -> Any:
        """Sends a request to the control API; docs/emulator.md of tokenwell describes it."""
        request = urllib.request.Request(
            f"{self.base_url}/_emulator/{name}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT) as reply:
                content = reply.read()
        except urllib.error.HTTPError as error:
            with error:
                problem = error.read().decode("utf-8", "replace")
            raise EmulatorError(f"the emulator rejected {name}: {problem or error}") from None
        return json.loads(content) if content else None

    def log(self) -> str:
        """Returns what the emulator wrote to standard error: one line for each request with the option ``-v``."""
        if self._log.closed:
            return self._saved_log
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    def stop(self) -> None:
        """Ends the process. Another call does nothing."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        # A forked child of this process may hold the other end of the pipe, so closing it may not be enough.
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._saved_log = self.log()
        self._log.close()


class _Unexpected(Exception):
    """What an emulator did instead of starting, as the predicate of a sentence."""


def _shortened(printed: str) -> str:
    return repr(printed if len(printed) <= 200 else f"{printed[:200]}...")
