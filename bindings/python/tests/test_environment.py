"""The environment is passed to the library as Python knows it, so that other threads may change it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import tokenwell
from conftest import REPOSITORY, Emulator
from tokenwell._options import variables


@pytest.mark.parametrize("constructor", ["Client", "from_env"])
def test_b1_clients_are_created_beside_a_thread_that_sets_variables(
    emulator: Emulator, tmp_path: pathlib.Path, constructor: str
) -> None:
    environment = {**os.environ, **emulator.environment, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    result = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests/more/python/setenv.py"), "3", constructor],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert result.returncode == 0 and " clients " in result.stdout, result.stderr


def test_b1_the_library_does_not_read_the_environment_of_the_process(emulator: Emulator) -> None:
    """putenv changes what C reads, and not os.environ."""
    for name, value in {**emulator.environment, "MONGODB_ATLAS_CLIENT_ID": "mdb_sa_id_of_putenv"}.items():
        os.putenv(name, value)
    try:
        with pytest.raises(tokenwell.NotConfiguredError, match="MONGODB_ATLAS_CLIENT_ID"):
            tokenwell.Client.from_env()
    finally:
        for name in emulator.environment:
            os.unsetenv(name)


def test_the_variables_of_the_host_are_passed_to_every_client(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("TOKENWELL_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with tokenwell.Client(**emulator.settings()) as client:
        client.token()

    assert (tmp_path / "cache" / "tokenwell").is_dir()


def test_a_variable_that_is_not_utf8_reaches_the_library(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    directory = os.fsencode(tmp_path) + b"/\xff\xfe"
    monkeypatch.setenv("TOKENWELL_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fsdecode(directory))

    with tokenwell.Client(**emulator.settings()) as client:
        client.token()

    assert os.path.isdir(directory)
    # A setting of the library itself must be UTF-8, which it can only say if it received the bytes.
    monkeypatch.setenv("TOKENWELL_CACHE_DIR", os.fsdecode(directory))
    with pytest.raises(tokenwell.InvalidArgumentError, match="TOKENWELL_CACHE_DIR is not UTF-8"):
        tokenwell.Client(**emulator.settings())


def test_a_variable_whose_name_is_not_utf8_or_missing_is_no_obstacle(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(os.fsdecode(b"N\xffME"), os.fsdecode(b"\xff"))
    monkeypatch.setitem(os.environ._data, b"", b"a value without a name")  # type: ignore[attr-defined]

    passed = dict(variables())

    assert passed[b"N\xffME"] == b"\xff" and b"" not in passed
    with tokenwell.Client(**emulator.settings()) as client:
        assert client.token().value


def test_a_variable_that_is_removed_meanwhile_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing(dict):  # type: ignore[type-arg]
        def get(self, name: str, default: object = None) -> object:
            return None if name == "REMOVED" else super().get(name, default)

    monkeypatch.setattr(os, "environ", Changing(REMOVED="x", KEPT="y"))

    assert variables() == [(b"KEPT", b"y")]
