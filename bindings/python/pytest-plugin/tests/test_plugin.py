"""The plug-in, in pytest processes of its own: the distributions tokenwell, tokenwell-cli and pytest-tokenwell are installed."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
import warnings
from typing import List

import pytest

from pytest_tokenwell import emulator

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
PATIENCE = 60.0


@pytest.fixture(autouse=True)
def warnings_are_errors(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-W error")  # pytester deletes it


@pytest.fixture(autouse=True)
def settings_of_a_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Settings that would make every test fail, if they were used."""
    monkeypatch.setenv("MONGODB_ATLAS_BASE_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("TOKENWELL_CLIENT_ID", "of the developer")
    monkeypatch.setenv("TOKENWELL_CLIENT_SECRET", "of the developer")
    monkeypatch.setenv("TOKENWELL_TIMEOUT_MS", "1")
    monkeypatch.delenv("TOKENWELL_CACHE", raising=False)
    monkeypatch.delenv("TOKENWELL_LIBRARY", raising=False)
    config = tmp_path / "home" / ".config" / "tokenwell"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[default]\ntoken_url = "https://127.0.0.1:1/"\n')
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def is_running(pid: int) -> bool:
    try:
        # A zombie has ended: its parent has not read its exit code yet.
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until_ended(pids: List[int]) -> None:
    end = time.monotonic() + PATIENCE
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < end, f"still running: {pids}"
        time.sleep(0.01)


def pids_in(pytester: pytest.Pytester) -> List[int]:
    return [int(file.read_text()) for file in pytester.path.glob("*.pid")]


WRITES_PID = """
    import os, pathlib, pytest
    HERE = pathlib.Path(__file__).parent

    @pytest.fixture(autouse=True)
    def written(tokenwell_emulator):
        (HERE / f"{os.getpid()}.new").write_text(str(tokenwell_emulator.pid))
        os.replace(HERE / f"{os.getpid()}.new", HERE / f"{os.getpid()}.pid")
"""


def test_the_example_of_the_readme_passes(pytester: pytest.Pytester) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    pytester.makepyfile(program)

    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_emulator_is_started_once_and_reset_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest, tokenwell
        PIDS = set()

        @pytest.mark.parametrize("turn", range(15))  # more than the limit of token requests allows without a reset
        def test_it(turn, tokenwell_emulator, tokenwell_client):
            PIDS.add(tokenwell_emulator.pid)
            assert tokenwell_emulator.counters()["requests"] == 0
            assert tokenwell_client.token().value
            assert tokenwell_emulator.counters()["token_requests"] == 1
            assert "host" in tokenwell_emulator.last_request("/api/oauth/token")["headers"]
            tokenwell_emulator.configure(token_cap=0)

        def test_one(tokenwell_emulator_session):
            assert PIDS == {tokenwell_emulator_session.pid}
            assert tokenwell_emulator_session.counters()["token_requests"] == 1
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=16)


def test_children_use_the_emulator_and_share_the_cache_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import subprocess, sys, pytest
        PROGRAM = "import tokenwell; print(tokenwell.Client.from_env().token().value)"

        @pytest.mark.parametrize("turn", range(2))
        def test_it(turn, tokenwell_environment):
            tokens = {subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True).stdout for _ in range(2)}
            assert len(tokens) == 1 and tokenwell_environment.counters()["tokens_minted"] == 1
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_environment_of_the_developer_is_restored(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os

        def test_with(tokenwell_environment):
            assert "TOKENWELL_CLIENT_ID" not in os.environ
            assert os.environ["MONGODB_ATLAS_BASE_URL"] == tokenwell_environment.base_url

        def test_without():
            assert os.environ["TOKENWELL_CLIENT_ID"] == "of the developer"
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_faults_and_the_clock(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest, tokenwell

        def test_fault(tokenwell_emulator, tokenwell_client):
            tokenwell_emulator.faults({"path": "/api/oauth/token", "status": 503})
            with pytest.raises(tokenwell.ServerError):
                tokenwell_client.token()

        def test_clock(tokenwell_emulator, tokenwell_client):
            first = tokenwell_client.token()
            tokenwell_emulator.advance(7200)
            assert tokenwell_emulator.counters()["live_tokens"] == 0

        def test_rejected_request(tokenwell_emulator):
            from pytest_tokenwell import EmulatorError
            with pytest.raises(EmulatorError, match="rejected settings: .*no_such_setting"):
                tokenwell_emulator.configure(no_such_setting=1)
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_options_reach_the_emulator(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntokenwell_emulator_options = -v --token-lifetime 90\n")
    pytester.makepyfile(
        """
        import time

        def test_it(tokenwell_emulator, tokenwell_client):
            assert 80 < tokenwell_client.token().expires_at.timestamp() - time.time() <= 90
            assert "POST /api/oauth/token" in tokenwell_emulator.log()
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_wrong_option_is_one_message(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntokenwell_emulator_options = --no-such-option\n")
    pytester.makepyfile("def test_it(tokenwell_emulator): pass\ndef test_other(): pass")

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines([r".*pytest-tokenwell: `.*tokenwell emulator` exited with code 2: .*--no-such-option"])


def program(directory: pathlib.Path, script: str) -> str:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "waits", "said"),
    [
        ("exec cat", 0, "was not ready within 60 s, and printed nothing: no error message"),
        ("echo why >&2; printf 'half a line'; exec cat", 1, "was not ready within 60 s, and printed 'half a line': why"),
        ("exec >&-; read -r line", 1, "closed its standard output after nothing: no error message"),
        ("printf 'Hello\\n# ready\\n'", 1, "printed 'Hello\\n' instead of the variables of its clients: no error message"),
        ("printf 'A=1\\nB=2\\n# ready\\n'", 1, "printed 'A=1\\nB=2\\n' instead of the variables of its clients: no error message"),
        ("printf \"'\\n# ready\\n\"", 1, 'printed "\'\\n" instead of the variables of its clients: no error message'),
    ],
)
def test_a_program_that_is_not_the_emulator_is_one_message(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str, waits: int, said: str
) -> None:
    # The clock: the start, the begin of so many waits for output, and then a time after the limit.
    times = itertools.chain([0.0] * (1 + waits), itertools.repeat(1e9))
    monkeypatch.setattr(emulator, "time", types.SimpleNamespace(monotonic=lambda: next(times)))

    with pytest.raises(emulator.EmulatorError) as raised:
        emulator.Emulator(program(tmp_path, script))

    assert str(raised.value) == f"`{tmp_path}/program emulator` {said}"


def test_endless_output_without_a_line_is_one_message(tmp_path: pathlib.Path) -> None:
    with pytest.raises(emulator.EmulatorError, match=r"printed more than 65536 bytes and is not ready, 'z{200}\.\.\.': no error message$"):
        emulator.Emulator(program(tmp_path, "exec tr '\\0' z </dev/zero"))


def test_no_file_stays_open(tmp_path: pathlib.Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        running = emulator.Emulator(emulator.find_command(), ["-v"])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as raised:
            opener.open(running.base_url + "/nothing")
        raised.value.close()
        running.stop()
        log = running.log()
        running.stop()
        assert "GET /nothing" in log and running.log() == log
        del running
        with pytest.raises(emulator.EmulatorError, match="exited with code 2: .*--no-such-option"):
            emulator.Emulator(emulator.find_command(), ["--no-such-option"])
        with pytest.raises(emulator.EmulatorError, match="cannot start /no/such/program: "):
            emulator.Emulator("/no/such/program")
        gc.collect()

    assert [str(warning.message) for warning in caught] == []


def test_the_last_request_to_any_path_is_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import urllib.error, urllib.request
        import pytest
        from pytest_tokenwell import EmulatorError

        @pytest.mark.parametrize("path", ["/a%2Fb", "/a&path=/c", "/a%20b", "/a+b", "/a=%26"])
        def test_it(path, tokenwell_emulator):
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with pytest.raises(urllib.error.HTTPError) as raised:
                opener.open(tokenwell_emulator.base_url + path + "?query=1")
            raised.value.close()
            last = tokenwell_emulator.last_request(path)
            assert (last["path"], last["query"]) == (path, "query=1")

        def test_a_path_that_cannot_be_sent(tokenwell_emulator):
            with pytest.raises(EmulatorError, match="the emulator rejected last_request"):
                tokenwell_emulator.last_request("/a b")
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=6)


def test_a_missing_command_is_one_message(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not found on PATH, and the distribution is hidden.
    monkeypatch.setenv("PATH", "/nowhere")
    pytester.makeconftest(
        """
        import importlib.metadata
        original = importlib.metadata.distribution

        def without(name):
            if name == "tokenwell-cli":
                raise importlib.metadata.PackageNotFoundError(name)
            return original(name)

        importlib.metadata.distribution = without
        """
    )
    pytester.makepyfile("def test_it(tokenwell_emulator): pass\ndef test_other(): pass")

    # Without the summary of the errors, in which pytest repeats the whole message where the variable CI is set.
    result = pytester.runpytest_subprocess("-rN")

    result.assert_outcomes(passed=1, errors=1)
    said = "pytest-tokenwell: the tokenwell command is missing (searched: PATH). Install it with"
    assert result.stdout.str().count(said) == 1
    assert "another exception" not in result.stdout.str() and "plugin.py" not in result.stdout.str()

    pytester.makeini("[pytest]\ntokenwell_command = /no/such/program\n")
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*the option tokenwell_command names /no/such/program, which is not a program*"])


def test_a_run_without_the_fixtures_starts_and_imports_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it(request):
            assert request.config.pluginmanager.hasplugin("tokenwell")
            assert "pytest_tokenwell.emulator" not in sys.modules and "tokenwell" not in sys.modules
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_fixtures_are_documented(pytester: pytest.Pytester) -> None:
    listed = pytester.runpytest_subprocess("--fixtures").stdout.str()

    found = set(re.findall(r"^(tokenwell_\w+)", listed, re.MULTILINE))
    assert found == set(re.findall(r"^\| `(tokenwell_\w+)` \|", README.read_text(), re.MULTILINE)) and len(found) == 4


def test_the_emulator_ends_with_the_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(WRITES_PID + "\n    def test_it(): pass")

    pytester.runpytest_subprocess().assert_outcomes(passed=1)

    (pid,) = pids_in(pytester)
    until_ended([pid])


def test_the_emulator_ends_although_a_child_was_forked_that_goes_on(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        WRITES_PID
        + """
    def test_it():
        child = os.fork()
        if child == 0:
            os.close(0), os.close(1), os.close(2)
            os.setsid()
            import signal
            signal.pause()
        (HERE / "child").write_text(str(child))
    """
    )

    pytester.runpytest_subprocess("-s").assert_outcomes(passed=1)

    try:
        until_ended(pids_in(pytester))
    finally:
        os.kill(int((pytester.path / "child").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_emulator_ends_when_the_tests_are_interrupted(pytester: pytest.Pytester, workers: int, number: signal.Signals) -> None:
    if workers:
        pytest.importorskip("xdist")
    pytester.makepyfile(
        WRITES_PID
        + """
    import signal

    @pytest.mark.parametrize("turn", range(4))
    def test_it(turn):
        signal.pause()
    """
    )
    arguments = [sys.executable, "-m", "pytest", *(["-n", str(workers)] if workers else [])]
    process = subprocess.Popen(
        arguments,
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A shell starts its background jobs, of which these tests may be one, with SIGINT ignored.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        end = time.monotonic() + PATIENCE
        while len(pids_in(pytester)) < max(workers, 1):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        pids = pids_in(pytester)
        assert len(set(pids)) == max(workers, 1) and all(is_running(pid) for pid in pids)

        # As the terminal does for Ctrl-C: to the whole group.
        os.killpg(process.pid, number)

        process.communicate(timeout=PATIENCE)
        until_ended(pids)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_each_worker_of_xdist_has_its_own_emulator(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        WRITES_PID
        + """
    @pytest.mark.parametrize("turn", range(20))
    def test_it(turn, tokenwell_emulator, tokenwell_client):
        tokenwell_client.token()
        assert tokenwell_emulator.counters()["token_requests"] == 1
    """
    )

    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=20)

    pids = pids_in(pytester)
    assert len(pids) == len(set(pids)) == 2
    until_ended(pids)
