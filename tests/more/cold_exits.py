"""A program in C and the command get a cold token and exit immediately. The next process must find it: it sends no request.

    cold_exits.py ONE_GET

ONE_GET is tests/more/one_get.c as a program. Each round has an empty cache directory. The first process alternates between all ways to get a
token and exit, the second one between the program and the command.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from emulator import Emulator

ROUNDS = 12 if os.environ.get("SHORT") else 100
TOKENWELL = os.environ["TOKENWELL_BIN"]


def ways(one_get, file):
    """Each way as a name and a command that prints the token (`sink` writes it to `file` instead)."""
    program = {f"C, {how}": [one_get, how] for how in ("return", "exit", "abandon")}
    commands = {
        "token": ["token"],
        "header": ["header"],
        "env": ["env", "--shell", "dotenv"],
        "exec": ["exec", "--", "printenv", "MONGODB_ATLAS_ACCESS_TOKEN"],
        "sink": ["sink", "--once", file],
        "api": ["api", "GET", "/api/atlas/v2/orgs"],
    }
    command = {f"tokenwell {name}": [TOKENWELL, *arguments] for name, arguments in commands.items()}
    # Alternately, because most failures would be of one kind only.
    order = []
    for number in range(max(len(program), len(command))):
        for kind in (list(program.items()), list(command.items())):
            order.append(kind[number % len(kind)])
    return order


def main(one_get):
    passed = 0
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "sink")
        emulator = Emulator(folder)
        order = ways(one_get, file)
        for number in range(ROUNDS):
            first, second = order[number % len(order)], order[(number + number // len(order) + 1) % len(order)]
            directory = pathlib.Path(folder, f"cache-{number}")
            environment = emulator.environment(TOKENWELL_CACHE_DIR=str(directory))
            before = emulator.control("counters")["token_requests"]
            requests = []
            for _, command in (first, second):
                done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)
                if done.returncode:
                    failures.append(f"round {number}: {command[0]} exited with {done.returncode}: {done.stderr}")
                requests.append(emulator.control("counters")["token_requests"] - before - sum(requests))
            if requests == [1, 0]:
                passed += 1
            else:
                failures.append(f"round {number}: {first[0]} sent {requests[0]} requests, then {second[0]} sent {requests[1]}")
        emulator.stop()
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{passed} of {ROUNDS} rounds: one request by the first process, none by the next")
    print(f"cold_exits: {passed} passed, {len(failures)} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
