"""Runs one example program with an event loop while everything that the library waits for hangs.

    run.py tick|trace PROGRAM SLOW_FILES     SLOW_FILES is slow_files.c, compiled

The server answers after 3 s, and every open, lock and read in the cache directory and of the file of the secret takes 3 s.

tick    the loop never runs longer than 20 ms between two waits for events: a ticker of 5 ms is never later than that. And it never waits for a lock
        for longer than 1 ms.
trace   from the first get to the shutdown, the thread of the loop opens no file, connects to nothing but the API, locks no file, looks up no name and
        waits for no lock longer than 1 ms.

The times are those of a machine that does other things too: the rule is that a fault is one that shows in each of ATTEMPTS runs. What blocks, blocks
each time. Calls that are not allowed at all are a fault in any run. A program that is named blocking_loop must be found guilty.

Requires TOKENWELL_BIN (tests/environment.sh).
"""

import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ATTEMPTS = 5
HANG_MS = 300 if os.environ.get("SHORT") else 3000
LONGEST_TURN_MS = 20
LONGEST_FUTEX_MS = 1
PATIENCE_S = 90
ORGS = "/api/atlas/v2/orgs"
TRACED = "open,openat,openat2,creat,connect,flock,fcntl,futex,sendto,sendmsg,sendmmsg,nanosleep,clock_nanosleep,write,kill,rt_sigtimedwait,wait4"


class Emulator:
    def __init__(self):
        command = [os.environ["TOKENWELL_BIN"], "emulator", "--until-stdin-closes", "--no-rate-limit"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = ""
        while not text.endswith("# ready\n"):
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("the emulator did not start")
            text += line
        self.account = dict(word.split("=", 1) for word in shlex.split(text, comments=True))
        # The programs have a cache directory of their own.
        del self.account["TOKENWELL_CACHE_DIR"]
        self.base = self.account["MONGODB_ATLAS_BASE_URL"]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, name, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/_emulator/{name}", data=data, headers={"Content-Type": "application/json"})
        with self.opener.open(request, timeout=60) as reply:
            answer = reply.read()
        return json.loads(answer) if answer else None

    def faults(self, *faults):
        hanging = {"path": "/api/oauth/*", "delay_ms": HANG_MS, "then_serve": True}
        self.control("faults", [*faults, hanging])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def relay(port):
    """A second port for the API: then a connection of the loop to the port of the token endpoint is a fault."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Scene:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.emulator = Emulator()
        self.api_port = relay(int(self.emulator.base.rsplit(":", 1)[1]))
        self.slow = self.directory / "slow"
        self.slow.mkdir(mode=0o700)
        secret = self.slow / "secret"
        secret.write_text(self.emulator.account["MONGODB_ATLAS_CLIENT_SECRET"])
        secret.chmod(0o600)

    def environment(self, slow_files, report):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MONGODB_ATLAS_", "MCLI_", "TOKENWELL_"))}
        kept.pop("http_proxy", None)
        return {
            **kept,
            "HOME": str(self.directory),
            "TOKENWELL_BASE_URL": self.emulator.base,
            "TOKENWELL_CLIENT_ID": self.emulator.account["MONGODB_ATLAS_CLIENT_ID"],
            "TOKENWELL_CLIENT_SECRET_FILE": str(self.slow / "secret"),
            "TOKENWELL_CACHE": "on",
            "TOKENWELL_CACHE_DIR": str(self.slow / "cache"),
            "TOKENWELL_TIMEOUT_MS": "60000",
            "MONGODB_ATLAS_BASE_URL": self.emulator.base,
            "EXAMPLE_API_URL": f"http://127.0.0.1:{self.api_port}",
            "LD_PRELOAD": slow_files,
            "SLOW_DIRECTORY": str(self.slow),
            "SLOW_MS": str(HANG_MS),
            "LOOP_REPORT": str(report),
        }


def ask(port, leave_after=None):
    """One caller of a server. Returns its reply, or None if it left before that."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{ORGS}\n".encode())
        connection.settimeout(leave_after or PATIENCE_S)
        try:
            return connection.makefile().readline().strip()
        except TimeoutError:
            return None


def ask_together(port, count, leave_after=None):
    replies = [None] * count
    callers = [threading.Thread(target=lambda i=i: replies.__setitem__(i, ask(port, leave_after))) for i in range(count)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return replies


def drive_server(scene, process):
    """Everything that a server does with tokens. Returns what came, for the report."""
    line = process.stdout.readline()
    port = int(line.rsplit(":", 1)[1])
    seen = []
    scene.emulator.faults()
    ask_together(port, 3, leave_after=0.3)
    deadline = time.monotonic() + PATIENCE_S
    while "200" not in seen and time.monotonic() < deadline:
        seen += ask_together(port, 5)
    seen += ask_together(port, 20)
    # The token is rejected: invalidated, with a cache directory that hangs, and replaced.
    scene.emulator.faults({"path": ORGS, "times": 1, "status": 401, "body": {}})
    seen += ask_together(port, 1)
    while seen[-1] != "200" and time.monotonic() < deadline:
        seen += ask_together(port, 1)
    return seen


def drive_fetch(scene, process):
    output = process.stdout.read()
    return [line.split(": ", 1)[1] for line in output.splitlines() if line.startswith(ORGS)]


def run(part, program, slow_files):
    """One run. Returns the faults that may be noise, and those that are not."""
    with tempfile.TemporaryDirectory() as directory:
        scene = Scene(directory)
        report, trace = scene.directory / "report", scene.directory / "trace"
        environment = scene.environment(slow_files, report)
        fetches = os.path.basename(program) == "curl_fetch"
        command = [program, *(["--token-deadline-ms", "60000", *[ORGS] * 20] if fetches else [])]
        if part == "trace":
            command = ["strace", "-f", "--seccomp-bpf", "-T", "-ttt", "-e", f"trace={TRACED}", "-o", str(trace), *command]
        scene.emulator.faults({"path": ORGS, "times": 1, "status": 401, "body": {}})
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            seen = drive_fetch(scene, process) if fetches else drive_server(scene, process)
            stopped = None if fetches else time.time()
            measured = [line.split() for line in report.read_text().splitlines()]
            turns = max((float(ns) / 1e6 for ns, name in measured if name != "futex"), default=0.0)
            locks = max([float(ns) / 1e6 for ns, name in measured if name == "futex"], default=0.0)
        finally:
            # strace passes the signal on to nobody: the program is its child.
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
            pid = int(children.read_text().split()[0]) if part == "trace" and children.exists() and children.read_text() else process.pid
            if process.poll() is None:
                os.kill(pid, signal.SIGTERM)
            process.stdout.read()
            code = process.wait(timeout=PATIENCE_S)
            scene.emulator.close()
        wrong = [] if code == 0 else [f"{program} exited with {code}"]
        if "200" not in seen:
            wrong.append(f"no caller got 200: {seen}")
        if turns == 0.0:
            wrong.append("no turn of the loop was measured")
        print(f"  replies: { {reply.split(':')[0]: seen.count(reply) for reply in map(str, seen)} }")
        if part == "tick":
            print(f"  {len(seen)} replies, the longest turn of the loop took {turns:.3f} ms, the longest wait for a lock {locks:.3f} ms")
            noise = [f"a turn of the loop took {turns:.1f} ms"] if turns >= LONGEST_TURN_MS else []
            return noise + ([f"a wait for a lock took {locks:.1f} ms"] if locks > LONGEST_FUTEX_MS else []), wrong
        noise, more = examine(trace.read_text(errors="replace"), scene.api_port, stopped)
        return noise, wrong + more


def examine(trace, api_port, stopped):
    """The faults of the main thread from the line "listening" (or its first connection) to the time `stopped` (or its last result). The drain that
    follows is meant to wait."""
    lines = [line.split(None, 2) for line in trace.splitlines()]
    main = lines[0][0]
    lines = [(float(when), call) for thread, when, call in lines if thread == main]
    if stopped is None:
        stopped = max((when for when, call in lines if f'write(1, "{ORGS}' in call), default=0.0)
    inside, begun, noise, wrong, counted = False, "", [], [], 0
    for when, call in lines:
        if when > stopped:
            break
        if "<unfinished ...>" in call:
            begun = call.split("<unfinished")[0]
            continue
        if call.startswith("<... "):
            call = begun + call
        if "write(1, \"listening on" in call or f"htons({api_port})" in call:
            inside = True
        if not inside:
            continue
        counted += 1
        name = call.split("(")[0]
        took = float(call.rsplit("<", 1)[1].rstrip(">")) * 1000 if call.endswith(">") else 0
        if name in ("open", "openat", "openat2", "creat") or name == "flock" or "F_SETLK" in call or "F_OFD_SETLK" in call or "sleep" in name:
            if "LOOP_REPORT" not in call and "/report\"" not in call:
                wrong.append(call)
        if name == "connect" and f"htons({api_port})" not in call:
            wrong.append(call)
        if "htons(53)" in call:
            wrong.append(call)
        if name == "futex" and "FUTEX_WAIT" in call and took > LONGEST_FUTEX_MS:
            noise.append(call)
    print(f"  {counted} traced calls of the thread of the loop")
    if counted == 0:
        wrong.append("the trace has no call of the loop")
    return noise, wrong


def main():
    part, program, slow_files = sys.argv[1], os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
    guilty = os.path.basename(program) == "blocking_loop"
    for attempt in range(1 if guilty else ATTEMPTS):
        noise, wrong = run(part, program, slow_files)
        for fault in noise + wrong:
            print(f"  attempt {attempt + 1}: {fault}")
        if wrong or not noise:
            break
    found = bool(noise or wrong)
    if guilty:
        print("the planted fault was found" if found else "the planted fault was not found")
        return 0 if found else 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
