"""The shim and the examples, run as programs."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from conftest import PATIENCE, REPOSITORY, Emulator


def run(script: pathlib.Path, emulator: Emulator, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, **emulator.environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_shim_answers_each_request_with_a_line(emulator: Emulator) -> None:
    requests = ["hello"]
    for name, value in emulator.settings().items():
        requests.append(f"set x{name.encode().hex()} x{value.encode().hex()}")
    requests += ["client 0", "token - - 0", "authorization", "together 8 - - 0", "loop 3", "stats", "base_url", "sources", "close", "loop 2"]
    requests += ["token - - 0", "quit"]

    answers = run(REPOSITORY / "bindings/python/tests/shim.py", emulator, "\n".join(requests) + "\n").splitlines()

    assert len(answers) == len(requests)
    assert answers[0].startswith("ok python ") and answers[1:5] == ["ok"] * 4
    word, value, expires_at_ms = answers[5].split(" ")
    token = bytes.fromhex(value[1:]).decode()
    assert word == "ok" and int(expires_at_ms) > 0
    assert answers[6] == "ok x" + f"Bearer {token}".encode().hex()
    assert answers[7:9] == [f"many 8 1 {value} 0 -", f"many 3 1 {value} 0 -"]
    assert answers[9].startswith("stats hits=") and " mints=1 " in answers[9]
    assert answers[10] == f"ok x{emulator.base_url.encode().hex()}"
    assert answers[11].startswith("sources client_id=x" + b"option client_id".hex())
    assert answers[12:14] == ["ok", "many 0 0 - 2 CLOSED"]
    assert answers[14].startswith("error 12 CLOSED - - x") and answers[14].endswith(" - 0 0 0") and answers[15] == "ok"


def test_the_hello_example_runs_and_does_not_show_the_token(emulator: Emulator) -> None:
    assert run(REPOSITORY / "examples/python/hello_token.py", emulator).startswith("token valid until 20")


def test_the_demo_prints_one_line_of_json(emulator: Emulator) -> None:
    printed = run(REPOSITORY / "examples/python/demo.py", emulator)

    figures = json.loads(printed)
    assert printed.count("\n") == 1
    assert (figures["language"], figures["api_status"], figures["gets"]) == ("Python", 200, 10000)
    assert figures["ns_per_get"] > 0 and figures["first_token_ms"] > 0
    assert emulator.token_requests == 1
