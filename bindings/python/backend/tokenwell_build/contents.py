"""The files that each distribution contains."""

from __future__ import annotations

import os
import re
from typing import Dict, Iterator, List

from . import library
from .archive import Entry
from .project import Project


def package(project: Project) -> Dict[str, Entry]:
    """Returns the files of the Python package, without the library."""
    found = {
        path: Entry(project.read(path))
        for path in _below(project.directory, project.package)
        if path.endswith((".py", ".pyi", "/py.typed")) and not path.startswith(f"{project.package}/_lib/")
    }
    if f"{project.package}/__init__.py" not in found:
        raise SystemExit(f"{project.path(project.package)} does not contain __init__.py")
    return found


def program(project: Project) -> bytes:
    try:
        return project.read(f"bin/{project.program}")
    except FileNotFoundError:
        raise SystemExit(
            f"{project.name}: {project.path('bin', project.program)} is missing: `make packages` puts the command there and builds this wheel"
        ) from None


def source(project: Project, wheels: List[str]) -> Dict[str, Entry]:
    """Returns the files of the source distribution.

    Args:
        wheels: The platform tags for which wheels exist. They are named if the library cannot be built.
    """
    if project.program:
        raise SystemExit(f"{project.name}: it has no source distribution; `cargo install tokenwell --features cli,emulator` builds the command")
    names = ["pyproject.toml", project.table["readme"], *project.licences()]
    names += [path for path in _below(project.directory, "backend") if path.endswith(".py")]
    found = {name: Entry(project.read(name)) for name in names}
    found.update(package(project))
    if project.has_library:
        root = library.source(project)
        if root is None:
            raise SystemExit(f"{project.name}: the Rust sources are missing: build the source distribution in a checkout of the repository")
        for path in _rust_sources(root):
            with open(os.path.join(root, path), "rb") as file:
                data, mode = file.read(), os.fstat(file.fileno()).st_mode
            if path == "Cargo.toml":
                data = _without_tests(data.decode()).encode()
            found[f"{library.SOURCE}/{path}"] = Entry(data, executable=bool(mode & 0o100))
        found[library.WHEELS] = Entry("".join(f"{tag}\n" for tag in wheels).encode())
    return found


def _rust_sources(root: str) -> Iterator[str]:
    """Yields the crate, and the script that builds its library with all files that it refers to."""
    yield from ("Cargo.toml", "Cargo.lock", "README.md")
    yield from _below(root, "src")
    found: List[str] = []
    following = ["packaging/library.sh"]
    while following:
        path = following.pop()
        found.append(path)
        with open(os.path.join(root, path), encoding="utf-8") as file:
            named = set(re.findall(r"packaging/[a-z_]+(?:\.[a-z]+)?", file.read()))
        following += [name for name in sorted(named.difference(found, following)) if os.path.isfile(os.path.join(root, name))]
    yield from found


def _without_tests(manifest: str) -> str:
    """Removes the tables of tests, benchmarks and examples, whose files are not in the source distribution: Cargo requires them."""
    return re.sub(r"(?ms)^\[\[(?:test|bench|example)\]\]\n.*?(?=^\[|\Z)", "", manifest)


def _below(root: str, name: str) -> Iterator[str]:
    """Yields the files below a directory, by their paths relative to `root`, with slashes."""
    for directory, folders, files in os.walk(os.path.join(root, name)):
        folders[:] = sorted(folder for folder in folders if folder != "__pycache__" and not folder.startswith("."))
        for file in sorted(files):
            if not file.startswith(".") and not file.endswith((".pyc", "~")):
                yield os.path.relpath(os.path.join(directory, file), root).replace(os.sep, "/")
