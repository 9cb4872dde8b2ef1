"""Loading the shared library, and the error if that fails."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import tokenwell
from conftest import BINARY, LIBRARY


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # In the root directory, because with -c packages are also imported from the working directory.
    return subprocess.run(
        [sys.executable, "-c", program], cwd="/", env={**os.environ, **environment}, capture_output=True, text=True
    )


def failure(library: object) -> str:
    """Returns the message of the LibraryError that loading this library raises."""
    program = (
        "import tokenwell\n"
        "try:\n    tokenwell.Client(client_id='a', client_secret='b')\n"
        "except ImportError as error:\n    assert type(error) is tokenwell.LibraryError; print(error)\n"
    )
    done = run(program, TOKENWELL_LIBRARY=str(library))
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiled(tmp_path: pathlib.Path, source: str) -> pathlib.Path:
    file, library = tmp_path / "fake.c", tmp_path / "libfake.so"
    file.write_text(source)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, file], check=True)
    return library


def test_library_version_is_the_version_of_the_package() -> None:
    version = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]

    assert tokenwell.library_version() == version == tokenwell.__version__


def test_importing_the_package_does_not_need_the_library() -> None:
    done = run("import tokenwell; print(tokenwell.Client.__name__)", TOKENWELL_LIBRARY="/nowhere/lib.so")

    assert (done.returncode, done.stdout) == (0, "Client\n"), done.stderr


def test_importing_the_package_does_not_import_slow_modules() -> None:
    slow = {"typing", "asyncio", "threading", "datetime", "dataclasses", "logging", "re"}
    done = run(f"import sys; before = set(sys.modules); import tokenwell; print((set(sys.modules) - before) & {slow})")

    assert done.stdout == "set()\n", done.stderr


def test_a_path_where_nothing_is_fails_and_nothing_else_is_tried(tmp_path: pathlib.Path) -> None:
    said = failure(tmp_path / "missing.so")

    assert f"{tmp_path / 'missing.so'}: no such file" in said
    assert "named by TOKENWELL_LIBRARY" in said and "_lib" not in said.split("; tried:")[1].split("\nSet ")[0]


def test_a_relative_path_names_a_file_and_not_a_system_library() -> None:
    assert "\n  /libc.so.6: no such file" in failure("libc.so.6")


def test_a_file_that_is_not_a_library_fails_with_its_path(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "notes.so"
    file.write_text("not a library")

    assert f"{file}: " in failure(file)


def test_an_unrelated_library_fails_with_the_function_that_is_missing(tmp_path: pathlib.Path) -> None:
    library = compiled(tmp_path, "int unrelated(void) { return 1; }")

    assert f"{library}: not a tokenwell library: it does not export tokenwell_abi_version" in failure(library)


def test_a_library_of_another_abi_version_fails_with_both_versions(tmp_path: pathlib.Path) -> None:
    library = compiled(tmp_path, "unsigned tokenwell_abi_version(void) { return 77; }")

    assert f"{library}: has ABI version 77, but this package requires 1" in failure(library)


def test_a_missing_function_is_named(tmp_path: pathlib.Path) -> None:
    library = compiled(tmp_path, "unsigned tokenwell_abi_version(void) { return 1; }")

    assert "it does not export tokenwell_version" in failure(library)


def test_the_error_lists_every_path(tmp_path: pathlib.Path) -> None:
    package = tmp_path / "site" / "tokenwell"
    shutil.copytree(pathlib.Path(tokenwell.__file__).parent, package, ignore=shutil.ignore_patterns("_lib", "__pycache__"))

    done = run(
        "import tokenwell\ntry: tokenwell.library_version()\nexcept tokenwell.LibraryError as error: print(error)",
        TOKENWELL_LIBRARY="",
        LD_LIBRARY_PATH=str(tmp_path),
        PYTHONPATH=str(package.parent),
    )

    if "; tried:" in done.stdout:
        assert f"{package}/_lib/libtokenwell.so.0: no such file" in done.stdout
        assert "\n  libtokenwell.so.0: " in done.stdout
        assert "TOKENWELL_LIBRARY" in done.stdout and "make library" in done.stdout
    else:
        pytest.fail(f"an unexpected library was found: {done.stdout}{done.stderr}")


def test_a_library_inside_the_package_is_found(tmp_path: pathlib.Path) -> None:
    package = tmp_path / "site" / "tokenwell"
    shutil.copytree(pathlib.Path(tokenwell.__file__).parent, package, ignore=shutil.ignore_patterns("_lib", "__pycache__"))
    (package / "_lib").mkdir()
    shutil.copy(LIBRARY, package / "_lib" / "libtokenwell.so.0")

    done = run(
        "import tokenwell; print(tokenwell.__file__, tokenwell.library_version())",
        TOKENWELL_LIBRARY="",
        PYTHONPATH=str(package.parent),
    )

    assert done.stdout.split() == [str(package / "__init__.py"), tokenwell.__version__], done.stderr
