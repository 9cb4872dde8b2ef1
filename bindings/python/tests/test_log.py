"""The library's log: TOKENWELL_LOG sends it to standard error."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Dict

import pytest

from conftest import LIBRARY, PATIENCE, Emulator

DRAW = "import tokenwell\nclient = tokenwell.Client.from_env()\nclient.token()\n"


@pytest.fixture
def unsafe_cache(emulator: Emulator, tmp_path: pathlib.Path) -> Dict[str, str]:
    """An environment whose cache directory is accessible to all users, so that it is not used."""
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(0o777)
    return {**os.environ, **emulator.environment, "TOKENWELL_CACHE": "on", "TOKENWELL_CACHE_DIR": str(directory)}


def run(program: str, environment: Dict[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("level", ["warning", "INFO", "debug"])
def test_a_warning_is_written_to_standard_error_if_the_level_includes_it(unsafe_cache: Dict[str, str], level: str) -> None:
    done = run(DRAW, unsafe_cache, TOKENWELL_LOG=level)

    lines = done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert [line for line in lines if line.startswith("tokenwell: warning: ") and unsafe_cache["TOKENWELL_CACHE_DIR"] in line]
    assert all(line.startswith("tokenwell: ") for line in lines)


@pytest.mark.parametrize("level", ["", "error"])
def test_a_warning_is_not_shown_at_other_levels(unsafe_cache: Dict[str, str], level: str) -> None:
    done = run(DRAW, unsafe_cache, TOKENWELL_LOG=level)

    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_level_is_named(unsafe_cache: Dict[str, str]) -> None:
    done = run(DRAW, unsafe_cache, TOKENWELL_LOG="loud")

    assert done.returncode == 1 and "TOKENWELL_LOG" in done.stderr and "warning" in done.stderr


def test_the_environment_does_not_override_a_log_set_by_the_program(unsafe_cache: Dict[str, str]) -> None:
    off = f"import ctypes\nctypes.CDLL({LIBRARY!r}).tokenwell_log_set(None, None, 0, None)\n"

    done = run(off + DRAW, unsafe_cache, TOKENWELL_LOG="debug")

    assert (done.returncode, done.stderr) == (0, "")


def test_i30_a_forked_child_logs_and_exits_as_its_parent_does(emulator: Emulator, unsafe_cache: Dict[str, str]) -> None:
    emulator.control("settings", {"rate_limit": None})
    forks = (
        "import os, sys, threading, tokenwell\n"
        "client = tokenwell.Client.from_env()\n"
        "busy = [threading.Thread(target=lambda: client.token(force_refresh=True)) for _ in range(4)]\n"
        "[each.start() for each in busy]\n"
        "children = []\n"
        "for _ in range(8):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        client.token(force_refresh=True)\n"
        "        sys.exit(0)\n"
        "    children.append(child)\n"
        "[each.join() for each in busy]\n"
        "sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))\n"
    )

    done = run(forks, unsafe_cache, TOKENWELL_LOG="debug")

    assert done.returncode == 0, done.stderr
    assert "tokenwell: debug: " in done.stderr


def test_i21_no_log_shows_a_secret_or_a_token(emulator: Emulator, unsafe_cache: Dict[str, str]) -> None:
    done = run(DRAW + "print(client.token().value)\n", unsafe_cache, TOKENWELL_LOG="debug")

    assert done.stderr and emulator.client_secret not in done.stderr and done.stdout.strip() not in done.stderr
