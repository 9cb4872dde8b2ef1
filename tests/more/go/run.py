"""Starts the program in this directory and observes it: its threads, its memory, its requests and how it exits.

    run.py PROGRAM SUITE...

Each suite is one of those below and prints one line for each claim. With SHORT=1 there are fewer rounds.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from emulator import Emulator

SHORT = bool(os.environ.get("SHORT"))
SAMPLE_SECONDS = 0.005
ATTEMPTS = 3
failed = 0


def claim(holds, words):
    global failed
    failed += not holds
    print(f"{'ok' if holds else 'FAILED'} {words}", flush=True)


class Observed:
    """A scene that runs, the threads of its process every 5 ms, and its memory when it prints a word."""

    def __init__(self, program, arguments, environment):
        command = [program, *(str(argument) for argument in arguments)]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.idle = self.most = self.most_of_library = self.samples = 0
        self.resident = {}
        self.words = []
        self.sampler = threading.Thread(target=self.sample, daemon=True)
        self.sampler.start()
        for line in self.process.stdout:
            word = line.strip()
            if word == "idle":
                time.sleep(0.2)
                self.idle = len(self.threads())
            self.words.append(word)
            self.resident[word] = self.resident_bytes()
        self.errors = self.process.stderr.read()
        self.process.wait()
        self.sampler.join()

    def threads(self):
        return os.listdir(f"/proc/{self.process.pid}/task")

    def name(self, thread):
        with open(f"/proc/{self.process.pid}/task/{thread}/comm") as file:
            return file.read().strip()

    def sample(self):
        while True:
            try:
                names = [self.name(thread) for thread in self.threads()]
                self.most = max(self.most, len(names))
                self.most_of_library = max(self.most_of_library, sum(name.startswith("tokenwell") for name in names))
                self.samples += 1
            except OSError:
                # A thread that has ended meanwhile, or the process.
                if self.process.poll() is not None:
                    return
            time.sleep(SAMPLE_SECONDS)

    def resident_bytes(self):
        try:
            with open(f"/proc/{self.process.pid}/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        except (OSError, IndexError):
            return 0

    def report(self):
        if self.process.returncode or not self.words:
            raise RuntimeError(f"the program exited with {self.process.returncode}: {self.errors[:2000]}")
        return json.loads(self.words[-1])

    def threads_said(self):
        return f"{self.most} threads at most, {self.most_of_library} of the library at most, {self.idle} when idle, {self.samples} samples"

    def few_threads(self, refreshes=1):
        return self.most_of_library <= refreshes + OTHER_THREADS_OF_LIBRARY and self.most <= self.idle + refreshes + OTHER_THREADS_OF_LIBRARY + MORE_THREADS_OF_GO


class Stage:
    """An emulator with an empty cache directory, whose token requests take `delay` seconds."""

    def __init__(self, delay=0.0):
        self.folder = tempfile.TemporaryDirectory()
        self.emulator = Emulator(self.folder.name, "--token-cap", "1000000")
        if delay:
            self.emulator.control("faults", [{"path": "/api/oauth/token", "delay_ms": int(delay * 1000), "then_serve": True}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.emulator.stop()
        self.folder.cleanup()

    def requests(self):
        return self.emulator.control("counters")["token_requests"]


def attempts(program, arguments, delay, refreshes=1, **variables):
    """Observes a scene: again only if there were too many threads, because on a busy machine one that ends overlaps with the next one."""
    for _ in range(ATTEMPTS):
        with Stage(delay) as stage:
            seen = Observed(program, arguments, stage.emulator.environment(**variables))
            seen.got, seen.requests = seen.report(), stage.requests()
        yield seen
        if seen.few_threads(refreshes):
            return


def waiters(program):
    count, deadlines = 10_000, 1_000
    *_, seen = every = list(attempts(program, ["waiters", count, deadlines], delay=3))
    claim(
        all((each.got["served"], each.got["distinct_tokens"], each.requests) == (count, 1, 1) for each in every),
        f"{count} goroutines with {deadlines} deadlines: {seen.got['served']} served, {seen.got['distinct_tokens']} token, {seen.requests} request",
    )
    claim(seen.few_threads(), f"{count} goroutines: {seen.threads_said()}")
    each = (seen.resident["waiting"] - seen.resident["idle"]) // count
    parts = f"in Go {seen.got['heap_bytes_each']} of the heap and {seen.got['stack_bytes_each']} of stack"
    claim(each < 10_000, f"a waiter takes {each} bytes of resident memory; {parts}")


def cancel(program):
    count = 10_000
    *_, seen = every = list(attempts(program, ["cancel", count], delay=4))
    claim(
        all((each.got["canceled"], each.got["served"], each.requests) == (count - 1, 1, 1) for each in every),
        f"{seen.got['canceled']} of {count} canceled within {seen.got['cancel_ms']} ms: {seen.got['served']} served, {seen.requests} request",
    )
    claim(seen.few_threads(), f"{count - 1} canceled: {seen.threads_said()}")


def hung(program):
    clients, waiting = 45, 256
    *_, seen = every = list(attempts(program, ["hung", clients, waiting], delay=600, refreshes=clients, TOKENWELL_CACHE="off"))
    claim(
        all(each.got["closed"] == clients * waiting for each in every),
        f"R10: {clients} clients x {waiting} goroutines and a server that hangs: {seen.got['closed']} got CLOSED",
    )
    claim(seen.few_threads(clients), f"R10: one thread for each client's refresh, none for a goroutine: {seen.threads_said()}")


def leak(program):
    """The bytes in use, and not the size of the process, which keeps memory that was freed."""
    rounds = 40 if SHORT else 200
    for rounds, lost in ((rounds, 0), (20, 1)):
        with Stage(delay=0.2) as stage:
            got = Observed(program, ["leak", rounds, lost], stage.emulator.environment(TOKENWELL_CACHE="off")).report()
        left = f"{got['c_bytes_each']:.1f} bytes of C's heap and {got['go_bytes_each']:.1f} of Go's are left for each"
        if lost:
            claim(got["c_bytes_each"] >= LEAST_LEAK, f"a planted leak of one byte for each wait is found: {left}")
        else:
            waits = got["canceled"] + got["closed"]
            most = max(got["c_bytes_each"], got["go_bytes_each"])
            claim(waits == rounds * 2000 and most < LEAST_LEAK, f"{waits} waits that were canceled or closed: {left}")


def setenv(program):
    seconds = 5 if SHORT else 60
    with Stage() as stage:
        seen = Observed(program, ["setenv", seconds], stage.emulator.environment(TOKENWELL_CACHE="off"))
    fine = seen.process.returncode == 0
    got = seen.report() if fine else {}
    claim(
        fine and got["clients_created"] > 50 and got["variables_set"] > 1000,
        f"B1: {seconds} s of os.Setenv beside clients from the environment: exit code {seen.process.returncode}, {got} {seen.errors[:500]}",
    )


def exits(program):
    """A program that exits immediately after a cold token leaves it to the next process."""
    rounds = 12 if SHORT else 100
    ways = {"os.Exit": 0, "return": 0, "panic": 2, "panic in a goroutine": 2, "SIGKILL": -signal.SIGKILL}
    kept, problems = 0, []
    with Stage() as stage:
        for number in range(rounds):
            way = list(ways)[number % len(ways)]
            environment = stage.emulator.environment(TOKENWELL_CACHE_DIR=os.path.join(stage.folder.name, str(number)))
            before = stage.requests()
            first = subprocess.run([program, "exit", way], env=environment, capture_output=True, text=True, timeout=60)
            middle = stage.requests()
            second = subprocess.run([program, "token"], env=environment, capture_output=True, text=True, timeout=60)
            requests = (middle - before, stage.requests() - middle)
            if requests == (1, 0) and first.returncode == ways[way] and second.stdout == "token\n":
                kept += 1
            else:
                problems.append(f"{way}: requests {requests}, exit codes {first.returncode} and {second.returncode} {first.stderr[:300]}")
    claim(kept == rounds, f"{kept} of {rounds} programs that exited immediately left their token to the next process {problems[:3] or ''}")


def pending(program):
    """Each way to exit in random moments of pending gets: the process ends soon, and in this way."""
    rounds = 15 if SHORT else 200
    ways = {"os.Exit": 0, "return": 0, "panic": 2, "panic in a goroutine": 2, "SIGTERM": -signal.SIGTERM, "SIGINT": -signal.SIGINT, "exec": 0}
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    with Stage(delay=0.01) as stage:
        for way, code in ways.items():
            fine, longest, problems = 0, 0.0, []
            for _ in range(rounds):
                moment = int(moments.triangular(0, 60_000, 5_000))
                start = time.monotonic()
                try:
                    done = subprocess.run(
                        [program, "pending", way, str(moment)], env=stage.emulator.environment(), capture_output=True, text=True, timeout=30
                    )
                except subprocess.TimeoutExpired:
                    problems.append(f"still runs after {moment} us")
                    continue
                longest = max(longest, time.monotonic() - start - moment / 1e6)
                said = done.stdout == ("token\n" if way == "exec" else "")
                if done.returncode == code and said:
                    fine += 1
                else:
                    problems.append(f"after {moment} us: exit code {done.returncode}, {done.stderr[:300]!r}")
            claim(fine == rounds, f"{way} in {fine} of {rounds} random moments of pending gets, {longest:.2f} s at most (seed {seed}) {problems[:3] or ''}")


def hanging_exit(program):
    """exec and os.Exit while the only get waits for a server that hangs."""
    for way in ("os.Exit", "exec"):
        with Stage() as stage:
            fault = {"path": "/api/oauth/token", "delay_ms": 20_000, "then_serve": True, "times": 1}
            stage.emulator.control("faults", [fault])
            start = time.monotonic()
            done = subprocess.run([program, "pending", way, "200000"], env=stage.emulator.environment(), capture_output=True, text=True, timeout=60)
            took = time.monotonic() - start
        fine = done.returncode == 0 and took < 10 and done.stdout == ("token\n" if way == "exec" else "")
        claim(fine, f"{way} during a request that takes 20 s: after {took:.1f} s, exit code {done.returncode} {done.stdout.strip()} {done.stderr[:300]}")


# The smallest block of malloc is 32 bytes: less than this is left if fewer than one wait in four loses one.
LEAST_LEAK = 8
# The signs of life of a refresh, the dispatcher and the callbacks.
OTHER_THREADS_OF_LIBRARY = 3
# The Go runtime itself uses one more for thousands of goroutines that wait for something else, and one more for their calls into C.
MORE_THREADS_OF_GO = 2

SUITES = {"waiters": waiters, "cancel": cancel, "hung": hung, "leak": leak, "setenv": setenv, "exits": exits, "pending": pending, "hanging": hanging_exit}


def main(program, names):
    for name in names or SUITES:
        SUITES[name](program)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
