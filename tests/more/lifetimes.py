"""Callers in several languages and a sink that share a cache of short-lived tokens, and a sink alone: no dead token is returned, the file of the sink
never contains a dead token, and there is one token request for each lifetime.

    lifetimes.py SHIM_COMMAND...

Each shim (tests/vectors/README.md) gets a token every few milliseconds. Each look presents what it got to the emulator's Admin API, which answers
401 for a dead token. Two minutes with tokens of 5 s, 20 s and 60 s at the same time; with SHORT=1 ten seconds with tokens of 5 s.
"""

import http.client
import math
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading
import time

from emulator import Emulator

SHORT = bool(os.environ.get("SHORT"))
LIFETIMES = [5] if SHORT else [5, 20, 60]
SECONDS = 10 if SHORT else 120
PAUSE = 0.01
# A look that took longer says nothing: the token may have expired on the way from the caller to the emulator.
SLOW = 0.25
# If this process itself was not scheduled for so long, the sink may not have been either.
STALL = 0.5
ATTEMPTS = 3


class Looker(threading.Thread):
    """Takes what `get` returns to the emulator, again and again."""

    def __init__(self, name, emulator, get, end):
        super().__init__(name=name, daemon=True)
        self.get, self.end = get, end
        self.api = http.client.HTTPConnection(emulator.url.rpartition("/")[2], timeout=60)
        self.looks = self.dead = self.slow = 0
        self.tokens = set()
        self.problem = None

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.look()
                time.sleep(PAUSE)
        except Exception as problem:
            self.problem = f"{type(problem).__name__}: {problem}"

    def look(self):
        begun = time.monotonic()
        token = self.get()
        got = time.monotonic()
        if token is None:
            return
        self.api.request("GET", "/api/atlas/v2/orgs", headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.atlas.2024-08-05+json"})
        reply = self.api.getresponse()
        reply.read()
        # A file can be read long before it is returned, a token of the library not long before: it has a tenth of its life left.
        if time.monotonic() - (begun if self.name == "sink" else got) > SLOW:
            self.slow += 1
            return
        self.looks += 1
        self.tokens.add(token)
        self.dead += reply.status == 401


class Shim:
    def __init__(self, command, emulator, errors):
        environment = emulator.environment()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, "text": True}
        self.process = subprocess.Popen(shlex.split(command), env=environment, **pipes)
        self.ask("client 1")

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if answer[:1] != ["ok"]:
            raise RuntimeError(f"{request}: {' '.join(answer[:4])}")
        return answer

    def token(self):
        return bytes.fromhex(self.ask("token - - 0")[1][1:]).decode()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)


class Heartbeat(threading.Thread):
    """Measures for how long this process was not scheduled."""

    def __init__(self, end):
        super().__init__(daemon=True)
        self.end, self.longest = end, 0.0

    def run(self):
        last = time.monotonic()
        while last < self.end:
            time.sleep(0.01)
            now = time.monotonic()
            self.longest = max(self.longest, now - last - 0.01)
            last = now


class Run:
    """The processes and the lookers of one lifetime and one cache. Without shims the sink is alone: nobody else replaces its token."""

    def __init__(self, folder, lifetime, shims):
        self.lifetime = lifetime
        self.name = f"{lifetime:2} s, {'shared' if shims else 'alone '}"
        folder.mkdir()
        self.emulator = Emulator(folder / "cache", "--token-lifetime", str(lifetime))
        self.emulator.control("settings", {"api_rate_limit": None})
        self.errors = open(folder / "errors", "w")
        self.file = folder / "token"
        self.callers = {f"{name} caller": Shim(command, self.emulator, self.errors) for name, command in shims.items()}
        self.sink = subprocess.Popen([os.environ["TOKENWELL_BIN"], "sink", str(self.file)], env=self.emulator.environment(), stderr=self.errors)

    def content(self):
        try:
            return self.file.read_text()
        except FileNotFoundError:
            return None  # Before the first token.

    def start(self, end):
        self.lookers = [Looker(name, self.emulator, caller.token, end) for name, caller in self.callers.items()]
        self.lookers.append(Looker("sink", self.emulator, self.content, end))
        for looker in self.lookers:
            looker.start()

    def stop(self):
        for looker in self.lookers:
            looker.join()
        self.requests = self.emulator.control("counters")["token_requests"]
        self.sink.terminate()
        self.sink.wait(60)
        for caller in self.callers.values():
            caller.stop()
        self.emulator.stop()
        self.errors.close()

    def most_requests(self):
        """A token is due after 78 % of its lifetime at the earliest. A sink leaves the time for three requests and a pause of 1 s."""
        return math.ceil(SECONDS / min(0.78 * self.lifetime, self.lifetime - 1.5)) + 1

    def report(self):
        """Prints the figures and returns each check with its result."""
        checks = []
        for looker in self.lookers:
            print(
                f"{self.name}  {looker.name:14} {looker.looks:6} looks, {looker.dead} dead, {looker.slow} too slow to count,"
                f" {len(looker.tokens)} tokens" + (f", {looker.problem}" if looker.problem else "")
            )
            checks.append((f"{self.name}: {looker.name}", not looker.dead and not looker.problem and looker.looks > SECONDS * 5))
        print(f"{self.name}  {self.requests} token requests, at most {self.most_requests()} expected")
        checks.append((f"{self.name}: token requests", SECONDS // self.lifetime <= self.requests <= self.most_requests()))
        return checks


def attempt(folder, shims):
    folder.mkdir()
    runs = [Run(folder / f"{lifetime}-{len(some)}", lifetime, some) for lifetime in LIFETIMES for some in (shims, {})]
    end = time.monotonic() + SECONDS
    heartbeat = Heartbeat(end)
    heartbeat.start()
    for run in runs:
        run.start(end)
    for run in runs:
        run.stop()
    heartbeat.join()
    checks = [check for run in runs for check in run.report()]
    print(f"the longest pause of this process was {heartbeat.longest * 1000:.0f} ms")
    return checks, heartbeat.longest


def main(commands):
    shims = dict(command.split("=", 1) for command in commands)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ATTEMPTS):
            checks, stall = attempt(pathlib.Path(folder, str(number)), shims)
            if all(fine for _, fine in checks) or stall < STALL:
                break
            print("the machine stalled for so long that this attempt proves nothing")
    failed = [name for name, fine in checks if not fine]
    for name in failed:
        print(f"FAILED {name}")
    print(f"lifetimes: {len(checks) - len(failed)} passed, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
