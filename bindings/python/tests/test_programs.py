"""The shim and the examples, run as programs."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any, Dict

import pytest

import tokenwell
from conftest import PATIENCE, REPOSITORY, Emulator


def run(script: pathlib.Path, emulator: Emulator, *arguments: str, given: str = "", **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, **emulator.environment, **variables},
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

    answers = run(REPOSITORY / "bindings/python/tests/shim.py", emulator, given="\n".join(requests) + "\n").splitlines()

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


@pytest.mark.parametrize("rejections", [0, 1], ids=["accepted", "after a 401"])
@pytest.mark.parametrize("example", ["requests", "httpx", "httpx async", "aiohttp"])
def test_the_examples_for_http_clients_print_the_organizations(emulator: Emulator, example: str, rejections: int) -> None:
    library, *arguments = example.split()
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    emulator.control("faults", [{"path": "/api/atlas/v2/orgs", "status": 401, "times": rejections}] * rejections)

    printed = run(REPOSITORY / f"examples/python/with_{library}.py", emulator, *arguments)

    assert printed.startswith(emulator.environment["MONGODB_ATLAS_ORG_ID"] + " ") and printed.count("\n") == 1
    counters = emulator.counters()
    assert counters["api_requests"] == counters["token_requests"] == 1 + rejections


def snippet(name: str) -> str:
    """Returns the code block of the README that follows the comment with this name."""
    readme = (REPOSITORY / "bindings/python/README.md").read_text()
    (found,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", readme, re.DOTALL)
    return str(found)


def test_the_readme_sends_a_request(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    names: Dict[str, Any] = {}

    exec(snippet("hello"), names)

    assert names["headers"]["Authorization"].startswith("Bearer ey") and emulator.token_requests == 1


def test_the_readme_configures_a_client_in_the_program(emulator: Emulator, tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "atlas"
    secret.write_text(emulator.client_secret)
    secret.chmod(0o600)
    program = snippet("settings").replace("mdb_sa_id_…", emulator.client_id).replace("/run/secrets/atlas", str(secret))
    names: Dict[str, Any] = {"tokenwell": tokenwell}

    exec(program.replace("timeout=10", f"timeout=10, base_url={emulator.base_url!r}"), names)

    with names["client"] as client:
        assert client.authorization().startswith("Bearer ey")


def test_the_readme_gets_another_token_after_a_401(emulator: Emulator, client: tokenwell.Client) -> None:
    first = client.token()
    names: Dict[str, Any] = {"client": client, "rejected": lambda authorization: authorization == first.authorization}

    exec(snippet("rejected"), names)

    assert names["token"].value != first.value and emulator.token_requests == 2


def test_the_readme_tries_again_later_or_stops(
    emulator: Emulator, make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.faults({"times": 1, "status": 429, "headers": {"Retry-After": "30"}})
    names: Dict[str, Any] = {"tokenwell": tokenwell, "client": make()}

    exec(snippet("errors"), names)
    names["client"] = make(client_secret="wrong")
    exec(snippet("errors"), names)

    said = capsys.readouterr().out
    (seconds,) = re.findall(r"^no token: .* try again in ([.\d]+) s$", said, re.MULTILINE)
    assert 29 <= float(seconds) <= 60, said  # what the server said, and a random part
    assert "rejected the client" in said and "token" not in names


def test_the_readme_gets_one_token_for_many_tasks(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)

    exec(snippet("tasks"), {"tokenwell": tokenwell})

    assert emulator.token_requests == 1


@pytest.mark.parametrize("library", ["requests", "httpx", "aiohttp", "pymongo"])
def test_the_readme_plugs_a_client_into_a_library(emulator: Emulator, client: tokenwell.Client, library: str) -> None:
    pytest.importorskip(library)
    readme = (REPOSITORY / "bindings/python/README.md").read_text()
    (program,) = re.findall(rf"```python\n(import {library}, tokenwell\.{library}\n.*?)```", readme, re.DOTALL)
    names: Dict[str, Any] = {"client": client, "uri": "mongodb://127.0.0.1:1/"}

    async def main() -> None:
        code = compile(program, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        coroutine = eval(code, names)
        if coroutine is not None:
            await coroutine

    asyncio.run(main())

    if library == "pymongo":
        names["mongo"].close()
    elif library == "aiohttp":
        assert names["response"].status == 406  # the token is accepted, and the Accept header is missing
    else:
        api = names["session" if library == "requests" else "api"]
        with api:
            assert api.get(f"{client.base_url}/api/atlas/v2/orgs").status_code == 406


def test_the_example_for_pymongo_prints_the_answer(emulator: Emulator) -> None:
    pytest.importorskip("pymongo")
    from mongodb import MongoDB

    mongodb = MongoDB(lambda token: bool(token))
    try:
        printed = run(
            REPOSITORY / "examples/python/with_pymongo.py",
            emulator,
            MONGODB_URI=mongodb.uri,
            MONGODB_ATLAS_BASE_URL="",
            TOKENWELL_TOKEN_URL=f"{emulator.base_url}/generic/oauth/token",
            TOKENWELL_CLIENT_ID=emulator.client_id,
            TOKENWELL_CLIENT_SECRET=emulator.client_secret,
        )
    finally:
        mongodb.stop()

    assert "'ok': 1" in printed and emulator.token_requests == 1
