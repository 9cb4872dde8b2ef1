"""The fixtures. pytest imports this module in every run, so it imports everything else only when a fixture is used."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    import tokenwell

    from .emulator import Emulator

PREFIXES = ("TOKENWELL_", "MONGODB_ATLAS_", "MCLI_")
"""The variables from which tokenwell takes settings."""
KEPT = ("TOKENWELL_LIBRARY",)
"""A variable that names the library, and not what it does."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("tokenwell_command", "the path of the tokenwell command; default: that of the distribution tokenwell-cli, then the one on PATH")
    parser.addini("tokenwell_emulator_options", "options of `tokenwell emulator`, for example --no-rate-limit", type="args")


@pytest.fixture(scope="session")
def tokenwell_emulator_session(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """One emulator of MongoDB Atlas for all tests of this process, for fixtures of a wider scope than one test.

    With pytest-xdist, each worker has its own.
    """
    from .emulator import Emulator, EmulatorError, find_command

    emulator, problem = None, ""
    try:
        command = find_command(request.config.getini("tokenwell_command"))
        emulator = Emulator(command, request.config.getini("tokenwell_emulator_options"))
    except EmulatorError as error:
        problem = str(error)
    if emulator is None:
        pytest.fail(f"pytest-tokenwell: {problem}", pytrace=False)
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture
def tokenwell_emulator(tokenwell_emulator_session: Emulator) -> Emulator:
    """The emulator in its initial state: no token, no counted request, no fault."""
    tokenwell_emulator_session.reset()
    return tokenwell_emulator_session


@pytest.fixture
def tokenwell_environment(
    tokenwell_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Emulator:
    """Sets the variables so that clients of this process and of its children use the emulator.

    Settings of the developer, and profiles, are not used. The token cache is a new directory, which the processes of the test share.
    """
    for name in list(os.environ):
        if name.startswith(PREFIXES) and name not in KEPT:
            monkeypatch.delenv(name)
    for name, value in tokenwell_emulator.environment.items():
        monkeypatch.setenv(name, value)
    directory: pathlib.Path = tmp_path_factory.mktemp("tokenwell")
    (directory / "config.toml").touch(mode=0o600)
    monkeypatch.setenv("TOKENWELL_CONFIG_FILE", str(directory / "config.toml"))
    monkeypatch.setenv("TOKENWELL_CACHE_DIR", str(directory / "cache"))
    return tokenwell_emulator


@pytest.fixture
def tokenwell_client(tokenwell_emulator: Emulator) -> Iterator[tokenwell.Client]:
    """A client of the emulator, which does not share its tokens. It is closed after the test."""
    import tokenwell

    client = tokenwell.Client(**tokenwell_emulator.settings, cache=False)
    try:
        yield client
    finally:
        client.close()
