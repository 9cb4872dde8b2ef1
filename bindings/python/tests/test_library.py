"""Loading the shared library, and the error if that fails."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Optional

import pytest

import tokenwell
from conftest import BINARY, LIBRARY, Emulator


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


def compiled(tmp_path: pathlib.Path, source: str, *options: str, name: str = "libfake.so") -> pathlib.Path:
    file, library = tmp_path / "fake.c", tmp_path / name
    file.write_text(source)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, file, *options], check=True)
    return library


def installed(tmp_path: pathlib.Path, library: Optional[bytes]) -> pathlib.Path:
    """Copies the package as pip installs it, with this file as its library. Returns the directory of the package."""
    package = tmp_path / "site" / "tokenwell"
    shutil.copytree(pathlib.Path(tokenwell.__file__).parent, package, ignore=shutil.ignore_patterns("_lib", "__pycache__"))
    if library is not None:
        (package / "_lib").mkdir()
        (package / "_lib" / "libtokenwell.so.0").write_bytes(library)
    return package


def failure_of(package: pathlib.Path, **environment: str) -> str:
    """Returns the message of the LibraryError that this copy of the package raises."""
    done = run(
        "import tokenwell\ntry: print(tokenwell.library_version())\nexcept tokenwell.LibraryError as error: print(error)",
        TOKENWELL_LIBRARY="",
        PYTHONPATH=str(package.parent),
        **environment,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


def reinstall() -> str:
    return f"\nInstall the package again, from where it came: {os.path.normpath(sys.executable)} -m pip install --force-reinstall tokenwell=={tokenwell.__version__}\n"


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
    assert "named by TOKENWELL_LIBRARY" in said and "_lib" not in said
    assert said.endswith(f"\nSet TOKENWELL_LIBRARY to the library of tokenwell {tokenwell.__version__} for this machine,"
                         " or unset it to use the library of the package.\n")


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

    assert (
        f"{library}: a tokenwell library of an unknown version has ABI version 77,"
        f" but this package, tokenwell {tokenwell.__version__}, requires ABI version 1\n"
    ) in failure(library)


def test_a_library_of_another_version_fails_with_both_versions(tmp_path: pathlib.Path) -> None:
    abi, version = "unsigned tokenwell_abi_version(void) { return %d; }", 'const char *tokenwell_version(void) { return "9.9.9"; }'

    other_abi = compiled(tmp_path, abi % 2 + version, name="libabi.so")
    assert (
        f"{other_abi}: tokenwell 9.9.9 has ABI version 2, but this package, tokenwell {tokenwell.__version__}, requires ABI version 1\n"
    ) in failure(other_abi)
    lacking = compiled(tmp_path, abi % 1 + version, name="liblacking.so")
    assert (
        f"{lacking}: tokenwell 9.9.9 does not export tokenwell_status_name, which this package,"
        f" tokenwell {tokenwell.__version__}, requires\n"
    ) in failure(lacking)


def test_a_missing_function_is_named(tmp_path: pathlib.Path) -> None:
    library = compiled(tmp_path, "unsigned tokenwell_abi_version(void) { return 1; }")

    assert "it does not export tokenwell_version" in failure(library)


def test_the_error_lists_every_path(tmp_path: pathlib.Path) -> None:
    package = installed(tmp_path, None)

    said = failure_of(package, LD_LIBRARY_PATH=str(tmp_path))

    assert f"\n  {package}/_lib/libtokenwell.so.0: no such file\n" in said
    # The message of the dynamic loader.
    assert "\n  libtokenwell.so.0: libtokenwell.so.0: cannot open shared object file" in said
    assert said.endswith(reinstall()) and "make library" not in said


def test_in_a_source_tree_the_error_names_the_command_that_builds_the_library(tmp_path: pathlib.Path) -> None:
    package = installed(tmp_path, None)
    (package.parent / "pyproject.toml").touch()

    said = failure_of(package, LD_LIBRARY_PATH=str(tmp_path))

    assert "`make library` builds dist/lib/libtokenwell.so.0. Set TOKENWELL_LIBRARY to its path" in said and "pip" not in said


def test_a_library_inside_the_package_is_found(tmp_path: pathlib.Path) -> None:
    package = installed(tmp_path, pathlib.Path(LIBRARY).read_bytes())

    done = run(
        "import tokenwell; print(tokenwell.__file__, tokenwell.library_version())",
        TOKENWELL_LIBRARY="",
        PYTHONPATH=str(package.parent),
    )

    assert done.stdout.split() == [str(package / "__init__.py"), tokenwell.__version__], done.stderr


@pytest.mark.parametrize("part", [0.0, 0.00001, 0.3, 0.5, 0.75])
def test_k4_a_truncated_library_is_an_error_and_not_a_crash(tmp_path: pathlib.Path, part: float) -> None:
    whole = pathlib.Path(LIBRARY).read_bytes()
    package = installed(tmp_path, whole[: int(len(whole) * part)])

    # A library that could be used is ignored: it could be of another version.
    said = failure_of(package, LD_LIBRARY_PATH=str(pathlib.Path(LIBRARY).parent))

    found = "is empty" if part == 0 else "is truncated"
    assert said.startswith(f"cannot load the tokenwell library; tried:\n  {package}/_lib/libtokenwell.so.0: {found}"), said
    assert said.endswith(reinstall()) and said.count("\n") == 3


def test_k4_a_library_with_damaged_tables_is_an_error_and_not_a_crash(tmp_path: pathlib.Path) -> None:
    library = bytearray(pathlib.Path(LIBRARY).read_bytes())
    for at in range(64, 400):
        library[at] = 0xFF

    said = failure_of(installed(tmp_path, bytes(library)))

    assert "is truncated: it has" in said or "is damaged" in said, said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the files are ELF files")
def test_k4_a_library_with_a_damaged_name_is_an_error_with_the_message_of_the_loader(tmp_path: pathlib.Path) -> None:
    whole = pathlib.Path(LIBRARY).read_bytes()
    assert whole.count(b"libc.so.6\0") == 1
    package = installed(tmp_path, whole.replace(b"libc.so.6\0", b"libc\xffso.6\0"))

    said = failure_of(package)

    assert said.startswith("cannot load the tokenwell library; tried:\n"), said
    if sys.version_info < (3, 11):  # which lose the message
        reported = "the dynamic loader rejects it, and its message is not UTF-8: a name in the file, or the path"
    else:
        reported = "so.6: cannot open shared object file: No such file or directory"
    assert reported in said and said.endswith(reinstall()), said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the files are ELF files")
def test_k4_a_library_for_another_machine_is_named_although_the_loader_reports_no_file(tmp_path: pathlib.Path) -> None:
    library = bytearray(pathlib.Path(LIBRARY).read_bytes())
    own, other = ("x86_64", "aarch64") if library[18] == 62 else ("aarch64", "x86_64")
    library[18:20] = {"aarch64": b"\xb7\0", "x86_64": b"\x3e\0"}[other]
    package = installed(tmp_path, bytes(library))
    path = package / "_lib" / "libtokenwell.so.0"

    said = failure_of(package)

    assert (
        f"\n  {path}: the file is for {other}, but this Python is for {own}; the dynamic loader reports: {path}: "
    ) in said, said
    assert said.endswith(reinstall()) and said.count("\n") == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the files are ELF files")
@pytest.mark.parametrize("name", ["libc.musl-x86_64.so.1", "libc.so"])
def test_k4_a_library_for_another_c_library_is_named(tmp_path: pathlib.Path, name: str) -> None:
    other = compiled(tmp_path, "int in_other_c_library(void) { return 1; }", "-nostdlib", f"-Wl,-soname,{name}", name="other.so")
    library = compiled(tmp_path, "int in_other_c_library(void); int f(void) { return in_other_c_library(); }", "-nostdlib", str(other))
    package = installed(tmp_path, library.read_bytes())
    path = package / "_lib" / "libtokenwell.so.0"

    said = failure_of(package)

    assert f"\n  {path}: the file is for musl, but this Python uses glibc; the dynamic loader reports: " in said, said
    assert name in said.split("reports: ")[1] and said.endswith(reinstall())


def test_k4_a_library_that_needs_a_newer_c_library_names_both_versions_and_what_to_install(tmp_path: pathlib.Path) -> None:
    library = pathlib.Path(LIBRARY).read_bytes()
    assert b"GLIBC_2.17\0" in library
    # The version as a string, and its hash, by which the loader finds it.
    newer = library.replace(b"GLIBC_2.17\0", b"GLIBC_9.17\0").replace(elf_hash(b"GLIBC_2.17"), elf_hash(b"GLIBC_9.17"))
    package = installed(tmp_path, newer)
    path = package / "_lib" / "libtokenwell.so.0"
    here = os.confstr("CS_GNU_LIBC_VERSION")

    said = failure_of(package)

    assert (
        f"\n  {path}: the file needs glibc 9.17 or newer, but this Python uses {here}; the dynamic loader reports: "
    ) in said, said
    assert "version `GLIBC_9.17' not found (required by " in said, said
    assert said.endswith(
        f"\nInstall a wheel of tokenwell {tokenwell.__version__} for {here} or older (a wheel for manylinux2014 needs glibc 2.17),"
        " or use a system with glibc 9.17 or newer.\n"
    ), said
    assert said.count("\n") == 3 and "--force-reinstall" not in said


def elf_hash(name: bytes) -> bytes:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFFFFFF
    return value.to_bytes(4, sys.byteorder)


def test_a_path_with_spaces_and_other_letters_works(tmp_path: pathlib.Path) -> None:
    package = installed(tmp_path / "größer als 2 – 漢字", pathlib.Path(LIBRARY).read_bytes())

    assert failure_of(package).strip() == tokenwell.__version__
    assert failure_of(package, LC_ALL="C", PYTHONUTF8="0").strip() == tokenwell.__version__


def test_two_copies_of_the_library_work_in_one_process(tmp_path: pathlib.Path, emulator: Emulator) -> None:
    # As if a C library in the process used the library of the system, and its symbols came first.
    system = tmp_path / "system" / "libtokenwell.so.0"
    system.parent.mkdir()
    shutil.copy(LIBRARY, system)
    package = installed(tmp_path, pathlib.Path(LIBRARY).read_bytes())
    program = f"""
import ctypes, os
ctypes.CDLL({str(system)!r}, ctypes.RTLD_GLOBAL)
import tokenwell, tokenwell._library
clients = []
for path in [{str(system)!r}, {str(package / "_lib" / "libtokenwell.so.0")!r}]:
    tokenwell._library._loaded = tokenwell._library.Library(path)
    client = tokenwell.Client(**{emulator.settings()!r})
    print(len(client.token().value) > 100, client.stats().mints)
    clients.append(client)
print(sum("libtokenwell.so.0" in line and " r-xp " in line for line in open("/proc/self/maps")))
clients[0].close()
print(len(clients[1].token(force_refresh=True).value) > 100)
"""

    done = run(program, TOKENWELL_LIBRARY="", PYTHONPATH=str(package.parent))

    assert done.stdout.split("\n") == ["True 1", "True 1", "2", "True", ""], done.stderr
