"""The shared library for a wheel: the one in the package, or one that is built from the Rust sources."""

from __future__ import annotations

import glob
import os
import platform
import re
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
from typing import List, Optional, Tuple

from .project import Project

NAMES = ["libtokenwell.so.0", "libtokenwell.0.dylib"]
SOURCE = "source"
"""The directory of the Rust sources in a source distribution."""
WHEELS = "wheels.txt"
"""The file of a source distribution with the platform tags for which wheels exist."""

TOOLS = {
    "cargo": "install Rust 1.89 or newer (https://rustup.rs, or your distribution)",
    "rustc": "install Rust 1.89 or newer (https://rustup.rs, or your distribution)",
    "sh": "it runs the build; install a POSIX shell",
    "cc": "install a C compiler, or name it in the variable CC",
    "ld": "install binutils",
    "objcopy": "install binutils",
    "ar": "install binutils",
}
"""What packaging/library.sh runs, and how to get it."""


def find_or_build(project: Project) -> Tuple[str, bytes]:
    """Returns the file name and the contents of the library."""
    for name in NAMES:
        path = project.path(project.package, "_lib", name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return name, file.read()
    root = source(project)
    if root is None:
        raise SystemExit(
            f"{project.name}: {project.path(project.package, '_lib')} has no library, and the Rust sources are not here:"
            " run `make library` in the repository and install from dist/python, or install from a checkout"
        )
    for tool in TOOLS:
        if shutil.which(_command(tool)) is None:
            raise SystemExit(_cannot_build(project, tool))
    return _build(project, root)


def _command(tool: str) -> str:
    """Returns the program that packaging/library.sh runs for this tool. Only CC may have several words (packaging/linker.sh)."""
    given = os.environ.get(tool.upper(), "") if tool in ("cargo", "cc") else ""
    if tool == "cc" and given.strip() and shutil.which(given) is None:
        return given.split()[0]
    return given or tool


def source(project: Project) -> Optional[str]:
    """Returns the directory of the Rust sources: in a source distribution, or the checkout that contains the package."""
    for root in (project.path(SOURCE), os.path.normpath(project.path("..", ".."))):
        if os.path.isfile(os.path.join(root, "packaging", "library.sh")) and os.path.isfile(os.path.join(root, "Cargo.toml")):
            return root
    return None


def _build(project: Project, root: str) -> Tuple[str, bytes]:
    with tempfile.TemporaryDirectory() as work:
        environment = dict(os.environ)
        if "CARGO_TARGET_DIR" not in environment:
            # A checkout has its own; what is built from a source distribution is not used again.
            checkout = root != project.path(SOURCE)
            environment["CARGO_TARGET_DIR"] = os.path.join(root, "target") if checkout else os.path.join(work, "target")
        environment["TARGET"] = environment["CARGO_TARGET_DIR"]
        name = NAMES[1] if sys.platform == "darwin" else NAMES[0]
        environment["LIBRARY"] = name
        print(f"{project.name}: building the library with cargo, which takes some minutes", file=sys.stderr, flush=True)
        done = subprocess.run(["sh", os.path.join(root, "packaging", "library.sh"), os.path.join(work, "library")], env=environment)
        if done.returncode != 0:
            raise SystemExit(f"{project.name}: the library could not be built, see the lines above. {_other_ways(project)}")
        with open(os.path.join(work, "library", name), "rb") as file:
            return name, file.read()


def _cannot_build(project: Project, tool: str) -> str:
    command = _command(tool)
    missing = tool if command == tool else f"{command} (of the variable {tool.upper()})"
    return (
        f"{project.name}: the library cannot be built from source: {missing} is missing. {_other_ways(project)}\n"
        f"To build it: {TOOLS[tool]}, then run the same command again."
    )


def _other_ways(project: Project) -> str:
    """Says how to get a wheel, or why there is none."""
    if not os.path.isfile(project.path("PKG-INFO")):
        return "In a checkout, `make library` names everything that the build needs."
    try:
        tags = project.read(WHEELS).decode().split()
    except FileNotFoundError:
        tags = []
    lines = [
        "The source distribution is used if no wheel fits.",
        f"This platform: {_this_platform()}.",
        f"Wheels of {project.name} {project.version} exist for: {', '.join(tags) or 'no platform that is known here'}.",
    ]
    pip = _pip()
    needed = _pip_for(tags)
    if pip and needed and _numbers(pip) < _numbers(needed):
        lines.append(f"pip {pip} is too old for these wheels: install pip {needed} or newer with `{sys.executable} -m pip install --upgrade pip`.")
    lines.append(f"To use wheels only: `pip install --only-binary {project.name} {project.name}`.")
    return "\n".join(lines)


def _this_platform() -> str:
    libc = " ".join(part for part in platform.libc_ver() if part)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join(part for part in (sysconfig.get_platform().replace("-", "_").replace(".", "_"), libc, python) if part)


def _pip_for(tags: List[str]) -> str:
    """Returns the oldest pip that knows one of these tags."""
    machine = platform.machine()
    mine = [tag for tag in tags if tag.endswith(f"_{machine}")]
    if not mine:
        return ""
    return "19.3" if any(tag.startswith("manylinux2014_") for tag in mine) else "20.3"


def _pip() -> str:
    """Returns the version of the pip that belongs to this Python, or an empty string. In an isolated build it cannot be imported."""
    for directory in [sysconfig.get_path("purelib"), *site.getsitepackages()]:
        for path in glob.glob(os.path.join(glob.escape(directory), "pip-*.dist-info")):
            return os.path.basename(path)[len("pip-") : -len(".dist-info")]
    return ""


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
