"""Runs the programs of this folder and checks their figures. Called by tests/more/python.sh. SHORT=1 runs fewer rounds.

Each line says what was promised and what was measured.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from emulator import Emulator  # noqa: E402

from cold_exit import WAYS  # noqa: E402

SHORT = bool(os.environ.get("SHORT"))
WAITERS = 10_000
MOMENTS = 6 if SHORT else 200
COLD_EXITS = 18 if SHORT else 100
SETENV_SECONDS = 5 if SHORT else 60
INTERRUPTS = 10 if SHORT else 100
AT_ONCE = 4
HANGS_AFTER = 30
"""Seconds after which a process that should have exited is considered hung."""
SEED = int(os.environ.get("SEED", "1"))
TRACEBACK = "Traceback (most recent call last):"
# How a process ends, and whether it prints a traceback.
EXPECTED = {
    "return": (0, False),
    "abandon": (0, None),  # asyncio reports tasks that were destroyed
    "sys.exit": (3, False),
    "os._exit": (4, False),
    "signal": (-signal.SIGTERM, False),
    "interrupt": (-signal.SIGINT, True),
    "exception": (1, True),
}

passed = failed = 0


def verdict(fulfilled, claim, details=""):
    global passed, failed
    passed, failed = passed + bool(fulfilled), failed + (not fulfilled)
    print(f"{'ok' if fulfilled else 'FAILED'} {claim}", flush=True)
    if not fulfilled and details:
        print(details)


def command(program, *arguments):
    return [sys.executable, "-W", "ignore::DeprecationWarning", str(HERE / program), *map(str, arguments)]


class Emulated(Emulator):
    """An emulator with an empty cache directory, and the environment of its clients."""

    def __init__(self, folder, *flags):
        super().__init__(pathlib.Path(folder, "cache"), *flags)

    def environment(self, **more):
        return super().environment(PYTHONPATH=os.environ["PYTHONPATH"], **more)

    def slow(self, seconds, path="/api/oauth/token"):
        self.control("faults", [{"path": path, "delay_ms": round(seconds * 1000), "then_serve": True}])

    @property
    def token_requests(self):
        return self.control("counters")["token_requests"]

    def run(self, program, *arguments, **more):
        return subprocess.run(
            command(program, *arguments), env=self.environment(**more), capture_output=True, text=True, timeout=300
        )


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def waiters(emulator, loop, cancel):
    emulator.slow(5)
    before = emulator.token_requests
    process = subprocess.Popen(
        command("waiters.py", loop, WAITERS, int(cancel)),
        env=emulator.environment(TOKENWELL_CACHE="off"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = json.loads(process.stdout.readline())["pid"]
    time.sleep(0.2)  # the threads of the invalidation have ended
    idle = most = threads_of(pid)
    samples = 0
    process.stdin.write("\n")
    process.stdin.flush()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        reading = executor.submit(process.stdout.readline)
        while not reading.done():
            most = max(most, threads_of(pid))
            samples += 1
            time.sleep(0.005)
        seen = json.loads(reading.result())
    process.wait(60)
    requests = emulator.token_requests - before
    figures = f"{requests} request, {most - idle} threads above idle ({samples} samples)"
    if cancel:
        right = seen["last_served"] and seen["canceled"] == WAITERS - 1
        claim = f"{loop}: {seen['canceled']:,} of {WAITERS:,} tasks canceled, the last one served: {figures}"
    else:
        right = seen["served"] == WAITERS and seen["tokens"] == 1 and seen["bytes"] < 4096
        claim = (
            f"{loop}: {seen['served']:,} of {WAITERS:,} tasks with 1,000 deadlines served: {figures}; {seen['bytes']:.0f} bytes each"
            f" (a task that waits for a future: {seen['bytes_of_a_task']:.0f})"
        )
    verdict(right and requests == 1 and most - idle <= 4, claim)


def exit_once(emulator, where, how, seconds):
    """Runs one process; returns what is wrong with its end, or nothing."""
    began = time.monotonic()
    process = subprocess.Popen(
        command("exits.py", where, how, f"{seconds:.4f}"),
        env=emulator.environment(TOKENWELL_CACHE="off"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, said = process.communicate(timeout=HANGS_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"after {seconds:.4f} s: hangs"
    status, prints = EXPECTED[how]
    if process.returncode != status or (prints is not None and (TRACEBACK in said) != prints) or "Fatal Python error" in said:
        return f"after {seconds:.4f} s: status {process.returncode} in {time.monotonic() - began:.1f} s: {said[-1500:]}"
    return None


def exits(emulator):
    emulator.slow(0.05)
    chance = random.Random(SEED)
    for where in ("main", "thread", "asyncio"):
        for how in EXPECTED:
            if how == "abandon" and where != "asyncio":
                continue
            moments = [chance.uniform(0, 0.16) for _ in range(MOMENTS)]
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
                wrong = [each for each in executor.map(lambda moment: exit_once(emulator, where, how, moment), moments) if each]
            verdict(not wrong, f"{where}, {how}: {MOMENTS - len(wrong)} of {MOMENTS} random moments without abort or hang", "\n".join(wrong[:5]))


def cold_exits(emulator, folder):
    emulator.control("faults", [])
    counts, wrong = collections.Counter(), []
    ways = list(WAYS)
    for number in range(COLD_EXITS):
        way = ways[number % len(ways)]
        directory = str(pathlib.Path(folder, f"cold-{number}"))
        requests = []
        for program_way in (way, "return"):
            before = emulator.token_requests
            emulator.run("cold_exit.py", program_way, TOKENWELL_CACHE_DIR=directory)
            requests.append(emulator.token_requests - before)
        counts[way] += 1
        if requests != [1, 0]:
            wrong.append(f"round {number}: {way}: {requests[0]} requests, then {requests[1]}")
    found = f"{COLD_EXITS - len(wrong)} of {COLD_EXITS} cold tokens found by the next process"
    verdict(not wrong, f"{found} ({len(counts)} ways to exit)", "\n".join(wrong))


def setenv(emulator):
    for constructor in ("from_env", "Client"):
        done = emulator.run("setenv.py", SETENV_SECONDS / 2, constructor)
        verdict(done.returncode == 0, done.stdout.strip() or f"{constructor}: status {done.returncode}", done.stderr[-2000:])


def repeated(measure, limit, claim):
    """A busy machine may be late, so a limit of time counts as exceeded only if it is in five attempts."""
    seen = []
    while len(seen) < 5:
        seen.append(measure())
        if seen[-1] < limit:
            break
    verdict(seen[-1] < limit, f"{claim}: {', '.join(f'{each:.0f}' for each in seen)} ms")


def interrupts(emulator):
    for call in ("token", "authorization", "revoke"):
        emulator.control("faults", [])
        emulator.slow(300, "/api/oauth/revoke" if call == "revoke" else "/api/oauth/token")
        count = INTERRUPTS

        def measure(call=call, count=count):
            # A refresh that never ends would be the first one of the next attempt.
            return float(emulator.run("interrupts.py", count, call, TOKENWELL_CACHE="off").stdout)

        repeated(measure, 100, f"{call}: an exception of a signal handler ends it, the slowest of {count}")


def greenlets(emulator):
    for library in ("gevent", "eventlet"):
        for call in ("token", "token_async"):

            def measure(library=library, call=call):
                emulator.slow(1.5)
                done = emulator.run("greenlets.py", library, call, 1, TOKENWELL_CACHE="off")
                return json.loads(done.stdout)["longest_lag_ms"]

            repeated(measure, 50, f"{library}: the longest lag of a ticker during {call} with a server that takes 1.5 s")


def main():
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulated(folder)
        emulator.control("settings", {"token_cap": 10_000_000})
        try:
            for loop in ("asyncio", "uvloop"):
                waiters(emulator, loop, cancel=False)
                waiters(emulator, loop, cancel=True)
            greenlets(emulator)
            interrupts(emulator)
            setenv(emulator)
            cold_exits(emulator, folder)
            exits(emulator)
        finally:
            emulator.stop()
    print(f"python: {passed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
