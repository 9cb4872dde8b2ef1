"""The lowest versions that are promised: the same wherever they are named, and within reach of what is locked.

    python3 tests/lowest.py

Nothing is built. The promises are made by Cargo.toml, pyproject.toml, go.mod and package.json; all else only repeats them.
"""

import ast
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CARGO = shlex.split(os.environ.get("CARGO", "cargo"))
failures = []
passed = 0


def check(name, complaints):
    global passed
    if complaints:
        failures.append(name)
        print(f"FAILED {name}", *complaints, sep="\n  ")
    else:
        passed += 1
        print(f"ok {name}")


def named(path, pattern):
    """The version that the file names; the pattern has one group for it."""
    found = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "nothing"


def number(version):
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def promises():
    rust = named("Cargo.toml", r'^rust-version = "([\d.]+)"')
    python = named("bindings/python/pyproject.toml", r'^requires-python = ">=([\d.]+)"')
    go = named("bindings/go/go.mod", r"^go ([\d.]+)$")
    node = named("bindings/node/package.json", r'"node": ">=([\d.]+)"')
    return rust, python, go, node


def repetitions(rust, python, go, node):
    """Each place that repeats a promise, with what it should say and what it says."""
    needed = r"^You need Rust {}, a C compiler, Python {}, Go {} and Node\.js {}, or newer"
    for index, version in enumerate((rust, python, go, node)):
        groups = ["([\\d.]+)" if each == index else "[\\d.]+" for each in range(4)]
        yield "README.md", needed.format(*groups), version
    yield "Makefile", r"install Rust ([\d.]+) or newer", rust
    yield "tests/single_flight_model/Cargo.toml", r'^rust-version = "([\d.]+)"', rust
    yield "Makefile", r"install Python ([\d.]+) or newer", python
    yield "bindings/python/README.md", r"Python ([\d.]+) or newer", python
    yield "Makefile", r"install Go ([\d.]+) or newer", go
    yield "bindings/go/README.md", r"Go ([\d.]+) or newer", go
    for module in ("bindings/go/bench", "examples/go/demo", "examples/go/hello"):
        yield f"{module}/go.mod", r"^go (\d+\.\d+)", go
    yield "Makefile", r"install Node\.js ([\d.]+) or newer", node
    yield "bindings/node/README.md", r"Node ([\d.]+) or later", node
    yield "bindings/node/package-lock.json", r'"node": ">=([\d.]+)"', node


def crates_beyond(manifest, rust):
    """The locked crates that ask for a newer Rust, of those that this platform builds: the others need not even be fetched."""
    host = re.search(r"^host: (.+)$", output(["rustc", "-vV"]), re.MULTILINE).group(1)
    options = ["--locked", "--all-features", "--format-version", "1", "--filter-platform", host]
    packages = json.loads(output([*CARGO, "metadata", *options, "--manifest-path", str(ROOT / manifest)]))["packages"]
    asked = [(package["name"], package["version"], package["rust_version"] or "0") for package in packages]
    return [f"{name} {version} asks for Rust {wanted}" for name, version, wanted in asked if number(wanted) > number(rust)]


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def syntax_beyond(python):
    """The Python files of the package, the demo and its caller that use newer syntax."""
    files = [*(ROOT / "bindings/python/tokenwell").glob("*.py"), *(ROOT / "examples").glob("**/*.py")]
    complaints = [] if files else ["no file was found"]
    for file in files:
        try:
            ast.parse(file.read_bytes(), str(file), feature_version=number(python)[:2])
        except SyntaxError as problem:
            complaints.append(f"{file.relative_to(ROOT)}, line {problem.lineno}: {problem.msg}")
    return complaints


def main():
    rust, python, go, node = promises()
    differing = [
        f"{path} says {named(path, pattern)} where {version} is promised"
        for path, pattern, version in repetitions(rust, python, go, node)
        if named(path, pattern) != version
    ]
    check("every_place_names_the_same_lowest_versions", differing)
    for manifest in ("Cargo.toml", "tests/single_flight_model/Cargo.toml"):
        check(f"no_crate_locked_for_{manifest}_asks_for_a_newer_rust", crates_beyond(manifest, rust))
    check("the_python_files_parse_as_the_lowest_python", syntax_beyond(python))
    print(f"lowest: {passed} passed, {len(failures)} failed")
    return 1 if failures else 0


sys.exit(main())
