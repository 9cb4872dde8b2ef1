"""The integrations need libraries that the package does not: nothing is imported that the program does not use."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import tokenwell
from conftest import PATIENCE, REPOSITORY
from tokenwell._optional import LOWEST
from tokenwell._origin import Origin

NAMES = sorted(LOWEST)


def run(program: str, folder: pathlib.Path) -> str:
    """Runs a program in which only the standard library, this package and what is in the folder can be imported."""
    # The folder of an installed package has the optional libraries too.
    (folder / "tokenwell").symlink_to(pathlib.Path(tokenwell.__file__).parent)
    program = f"import sys; sys.path[:0] = [{str(folder)!r}]; {program}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_imports_no_optional_library() -> None:
    program = f"import tokenwell; print([name for name in {NAMES!r} if name in sys.modules or 'tokenwell.' + name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", "import sys; " + program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_is_named_with_the_version_and_the_command(name: str, tmp_path: pathlib.Path) -> None:
    program = f"\ntry: import tokenwell.{name}\nexcept ImportError as error: print(error.name, error)"

    assert run(program, tmp_path) == (
        f"{name} {name} is not installed. "
        f"tokenwell.{name} requires {name} {LOWEST[name]} or newer: pip install 'tokenwell[{name}]'"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_library_that_is_too_old_is_named_with_both_versions(name: str, tmp_path: pathlib.Path) -> None:
    major, minor = map(int, LOWEST[name].split("."))
    old = f"{major}.{minor - 1}.9rc1"
    (tmp_path / f"{name}.py").write_text(f"__version__ = {old!r}")
    program = f"\ntry: import tokenwell.{name}\nexcept ImportError as error: print(error)"

    assert run(program, tmp_path).startswith(f"{name} {old} is too old. tokenwell.{name} requires {name} {LOWEST[name]} or newer")


@pytest.mark.parametrize("name", NAMES)
def test_a_library_that_is_incomplete_reports_what_it_lacks(name: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / f"{name}.py").write_text("import what_it_needs")
    program = f"\ntry: import tokenwell.{name}\nexcept ImportError as error: print(error)"

    assert run(program, tmp_path) == "No module named 'what_it_needs'"


def test_the_extras_require_the_versions_that_are_checked() -> None:
    project = (REPOSITORY / "bindings/python/pyproject.toml").read_text()

    assert dict(re.findall(r'^(\w+) = \["\1>=([\d.]+)"\]$', project, re.MULTILINE)) == LOWEST


@pytest.mark.parametrize(
    "origin, problem",
    [
        ("https://api.example.com/path", "origin must not have a path"),
        ("http://api.example.com", "origin "),
        ("https://user@api.example.com", "origin contains a user name"),
        ("ftp://api.example.com", "origin is not a URL"),
        ("api.example.com", "origin is not a URL"),
        ("", "origin is empty"),
        ("http://127.0.0.1", "plain http at port 80"),
    ],
)
def test_an_origin_that_may_not_get_a_token_is_an_error(client: tokenwell.Client, origin: str, problem: str) -> None:
    with pytest.raises(tokenwell.TokenwellError, match=problem) as raised:
        Origin(client, origin)
    assert "base_url" not in raised.value.message


def test_an_origin_must_be_a_string(client: tokenwell.Client) -> None:
    with pytest.raises(TypeError, match="origin must be a string"):
        Origin(client, b"https://api.example.com")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com/",
        "HTTPS://API.Example.COM:443/x",
        "https://api.example.com:0443?x#y",
        "https://api.example.com#y",
    ],
)
def test_spellings_of_the_origin_are_the_origin(client: tokenwell.Client, url: str) -> None:
    origin = Origin(client, "https://api.example.com")

    assert origin.is_target_of(url, None)
    assert origin.is_target_of(url, "api.example.com") and origin.is_target_of(url, b"API.example.com:443")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/",
        "https://api.example.com:444/",
        "https://api.example.com.:443/",
        "https://api.example.com.evil.example/",
        "https://evil.example/https://api.example.com/",
        "https://api.example.com@evil.example/",
        "https://user@api.example.com/",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com\\.evil.example/",
        "https://api.example.com\n/",
        "https://api.example.com:443\n/",
        " https://api.example.com/",
        "https://api.example.com:/",
        "https://api.example.com:4433333333/",
        "https://api%2eexample.com/",
        "https://api.ex\u0430mple.com/",
        "https://\uff41pi.example.com/",
        "https://[::1]/",
        "https:///api.example.com/",
        "//api.example.com/",
        "wss://api.example.com/",
        "",
    ],
)
def test_every_other_url_is_not_the_origin(client: tokenwell.Client, url: str) -> None:
    assert not Origin(client, "https://api.example.com").is_target_of(url, None)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "api.example.com:80", "api.example.com/", "api.example.com, evil.example", "api.example.com@x"],
)
def test_a_host_header_that_names_another_site_is_not_the_origin(client: tokenwell.Client, host: str) -> None:
    assert not Origin(client, "https://api.example.com").is_target_of("https://api.example.com/", host)


def test_an_origin_of_ipv6(client: tokenwell.Client) -> None:
    origin = Origin(client, "http://[::1]:8080")

    assert origin.is_target_of("http://[::1]:8080/x", "[::1]:8080")
    assert not origin.is_target_of("http://[::2]:8080/x", None) and not origin.is_target_of("http://::1:8080/x", None)
