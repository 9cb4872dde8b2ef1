"""Checks the minimum versions of Rust, Python, Go and Node.js.

    python3 tests/lowest.py

Cargo.toml, pyproject.toml, go.mod and package.json define them. All other files must name the same
versions, and the locked crates and the Python files must support them. Nothing is built.
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


def check(name, problems):
    global passed
    if problems:
        failures.append(name)
        print(f"FAILED {name}", *problems, sep="\n  ")
    else:
        passed += 1
        print(f"ok {name}")


def named(path, pattern):
    """Returns the version in the file. The pattern has one group for it."""
    found = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else "nothing"


def number(version):
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def minimum_versions():
    rust = named("Cargo.toml", r'^rust-version = "([\d.]+)"')
    python = named("bindings/python/pyproject.toml", r'^requires-python = ">=([\d.]+)"')
    go = named("bindings/go/go.mod", r"^go ([\d.]+)$")
    node = named("bindings/node/package.json", r'"node": ">=([\d.]+)"')
    return rust, python, go, node


def repetitions(rust, python, go, node):
    """Yields each file that repeats a version, the pattern to find it, and the required version."""
    requirements = r"^You need Rust {}, a C compiler, Python {}, Go {} and Node\.js {}, or newer"
    for index, version in enumerate((rust, python, go, node)):
        groups = ["([\\d.]+)" if each == index else "[\\d.]+" for each in range(4)]
        yield "README.md", requirements.format(*groups), version
    yield "Makefile", r"install Rust ([\d.]+) or newer", rust
    yield "tests/single_flight_model/Cargo.toml", r'^rust-version = "([\d.]+)"', rust
    yield "Makefile", r"install Python ([\d.]+) or newer", python
    yield "bindings/python/README.md", r"Python ([\d.]+) or newer", python
    for distribution in ("cli", "pytest-plugin"):
        yield f"bindings/python/{distribution}/pyproject.toml", r'^requires-python = ">=([\d.]+)"', python
    yield "bindings/python/backend/tokenwell_build/library.py", r"install Rust ([\d.]+) or newer", rust
    yield "Makefile", r"install Go ([\d.]+) or newer", go
    yield "bindings/go/README.md", r"Go ([\d.]+) or newer", go
    modules = [*(ROOT / "bindings/go").glob("*/go.mod"), *(ROOT / "examples/go").glob("*/go.mod")]
    for module in modules:
        yield str(module.relative_to(ROOT)), r"^go (\d+\.\d+)", go
    yield "Makefile", r"install Node\.js ([\d.]+) or newer", node
    yield "packaging/node_headers.sh", r"install Node\.js ([\d.]+) or newer", node
    yield "bindings/node/README.md", r"Node ([\d.]+) or later", node
    yield "bindings/node/package-lock.json", r'"node": ">=([\d.]+)"', node


def crates_that_require_more_than(manifest, rust):
    """Returns the locked crates that require a newer Rust, of those built on this platform.

    The other crates may not have been downloaded.
    """
    host = re.search(r"^host: (.+)$", output(["rustc", "-vV"]), re.MULTILINE).group(1)
    options = ["--locked", "--all-features", "--format-version", "1", "--filter-platform", host]
    packages = json.loads(output([*CARGO, "metadata", *options, "--manifest-path", str(ROOT / manifest)]))["packages"]
    crates = [(package["name"], package["version"], package["rust_version"] or "0") for package in packages]
    return [f"{name} {version} requires Rust {required}" for name, version, required in crates if number(required) > number(rust)]


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def files_with_newer_syntax_than(python):
    """Returns the Python files of the package and the examples that use newer syntax."""
    folders = ["bindings/python/tokenwell", "bindings/python/backend", "bindings/python/pytest-plugin", "examples"]
    files = [file for folder in folders for file in (ROOT / folder).glob("**/*.py")]
    problems = [] if files else ["no file was found"]
    for file in files:
        try:
            ast.parse(file.read_bytes(), str(file), feature_version=number(python)[:2])
        except SyntaxError as problem:
            problems.append(f"{file.relative_to(ROOT)}, line {problem.lineno}: {problem.msg}")
    return problems


def main():
    rust, python, go, node = minimum_versions()
    differing = [
        f"{path} names {named(path, pattern)} instead of {version}"
        for path, pattern, version in repetitions(rust, python, go, node)
        if named(path, pattern) != version
    ]
    check("every_file_names_the_same_minimum_versions", differing)
    for manifest in ("Cargo.toml", "tests/single_flight_model/Cargo.toml"):
        check(f"no_crate_locked_for_{manifest}_requires_a_newer_rust", crates_that_require_more_than(manifest, rust))
    check("the_python_files_parse_with_the_minimum_python", files_with_newer_syntax_than(python))
    print(f"lowest: {passed} passed, {len(failures)} failed")
    return 1 if failures else 0


sys.exit(main())
