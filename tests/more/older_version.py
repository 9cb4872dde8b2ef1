"""Processes of an older and of this version of the library over one cache directory.

    older_version.py OLDER_LIBRARY OLDER_PYTHON_PACKAGE

Requires DIST, TOKENWELL_BIN and TOKENWELL_LIBRARY (tests/environment.sh). Each process uses the Python package of its own version.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
EACH = 32
ROUNDS = 3 if os.environ.get("SHORT") else 20
PROGRAM = """
import sys, tokenwell
client = tokenwell.Client.from_env()
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(client.token(force_refresh=line.strip() == "force").value, flush=True)
    except tokenwell.TokenwellError as error:
        print(error.name, flush=True)
"""
passed, failed = 0, 0


class Version:
    def __init__(self, name, library, package):
        self.name = name
        self.environment = {"TOKENWELL_LIBRARY": str(library), "PYTHONPATH": str(package)}

    def start(self, variables):
        environment = {"PATH": os.environ["PATH"], **self.environment, **variables}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, **pipes)


class Scene:
    """An emulator and an empty cache directory."""

    def __init__(self, directory):
        command = [os.environ["TOKENWELL_BIN"], "emulator", "--until-stdin-closes", "--no-rate-limit"]
        self.emulator = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.account = dict(shlex.split(line)[0].split("=", 1) for line in iter(self.emulator.stdout.readline, "# ready\n"))
        self.directory = directory
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, name, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.account['MONGODB_ATLAS_BASE_URL']}/_emulator/{name}"
        with self.opener.open(urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}), timeout=60) as reply:
            answer = reply.read()
        return json.loads(answer) if answer else None

    def requests(self):
        return self.control("counters")["token_requests"]

    def variables(self, cache):
        names = ("MONGODB_ATLAS_BASE_URL", "MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET")
        return {**{name: self.account[name] for name in names}, "TOKENWELL_CACHE_DIR": str(self.directory / cache), "HOME": str(self.directory)}


def ask(processes, line="get"):
    """One get in each process, all at the same time; what each printed."""
    for process in processes:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes]


def started(scene, cache, *counts):
    processes = [version.start(scene.variables(cache)) for version, count in counts for _ in range(count)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    return processes


def stop(processes):
    for process in processes:
        process.stdin.close()
        process.wait(60)


def check(name, condition, *seen):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok {name}")
    else:
        failed += 1
        print(f"FAILED {name}: {seen}")


def cold_start(scene, older, this):
    requests, tokens = [], []
    for number in range(ROUNDS):
        before = scene.requests()
        processes = started(scene, f"cold-{number}", (older, EACH), (this, EACH))
        tokens.append(len(set(ask(processes))))
        requests.append(scene.requests() - before)
        stop(processes)
    check(f"{EACH} processes of each version make one request, in each of {ROUNDS} rounds", requests == tokens == [1] * ROUNDS, requests, tokens)


def one_after_the_other(scene, first, second):
    before = scene.requests()
    one, two = (started(scene, f"after-{first.name}", (version, 1)) for version in (first, second))
    tokens = ask(one) + ask(two)
    check(f"a token of {first.name} serves {second.name}", len(set(tokens)) == 1 and scene.requests() - before == 1, tokens)
    before = scene.requests()
    replaced = ask(two, "force") + ask(started_again := started(scene, f"after-{first.name}", (first, 1)))
    check(
        f"a token that {second.name} replaced serves {first.name}",
        len(set(replaced)) == 1 and replaced[0] != tokens[0] and scene.requests() - before == 1,
        replaced,
    )
    stop(one + two + started_again)


def refusal(scene, first, second):
    scene.control("faults", [{"path": "/api/oauth/token", "times": 1, "status": 429, "headers": {"Retry-After": "600"}, "body": {}}])
    before = scene.requests()
    one, two = (started(scene, f"refused-{first.name}", (version, 1)) for version in (first, second))
    answers = ask(one) + ask(two)
    check(f"a refusal that {first.name} met holds for {second.name}", answers == ["RATE_LIMITED"] * 2 and scene.requests() - before == 1, answers)
    stop(one + two)


def main():
    older = Version("the older version", sys.argv[1], sys.argv[2])
    this = Version("this version", os.environ["TOKENWELL_LIBRARY"], ROOT / "bindings/python")
    with tempfile.TemporaryDirectory() as directory:
        scene = Scene(pathlib.Path(directory))
        cold_start(scene, older, this)
        for first, second in ((older, this), (this, older)):
            one_after_the_other(scene, first, second)
            refusal(scene, first, second)
        scene.emulator.stdin.close()
        scene.emulator.wait(60)
    print(f"older: {passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
