"""The build backend of the Python distributions of this project (PEP 517 and 660). It uses only the standard library.

`pyproject.toml` of a distribution describes it, and its table `[tool.tokenwell-build]` says what it contains:

- `package`: the Python package.
- `library = true`: the package contains the shared library in `_lib`. It is the one that was put there, or is built.
- `program`: the distribution contains this file of `bin`, a command.

The same input and the same `SOURCE_DATE_EPOCH` give the same bytes. Start reading here: `project` is the metadata,
`contents` the files, `library` finds or builds the library, `tags` derives the platform from it, and `archive` writes
the archives.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional

from . import archive, contents, library, tags
from .project import Project

Settings = Optional[Mapping[str, Any]]


def get_requires_for_build_wheel(config_settings: Settings = None) -> List[str]:
    return []


def get_requires_for_build_sdist(config_settings: Settings = None) -> List[str]:
    return []


def get_requires_for_build_editable(config_settings: Settings = None) -> List[str]:
    return []


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Writes the metadata. It needs neither the library nor a compiler, so installers can resolve dependencies.

    WHEEL has no tag if that of the library is not known yet.
    """
    project = Project(".")
    pure = not project.has_library and not project.program
    return _write_dist_info(project, metadata_directory, ["any"] if pure else [], pure)


def prepare_metadata_for_build_editable(metadata_directory: str, config_settings: Settings = None) -> str:
    return _write_dist_info(Project("."), metadata_directory, ["any"], pure=True)


def _write_dist_info(project: Project, metadata_directory: str, platforms: List[str], pure: bool) -> str:
    for name, data in project.dist_info(platforms, pure).items():
        path = os.path.join(metadata_directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    return project.dist_info_name


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None) -> str:
    project = Project(".")
    files: Dict[str, archive.Entry] = {}
    native: List[bytes] = []
    if project.package:
        files.update(contents.package(project))
    if project.has_library:
        name, data = library.find_or_build(project)
        files[f"{project.package}/_lib/{name}"] = archive.Entry(data, executable=True)
        native.append(data)
    if project.program:
        data = contents.program(project)
        files[f"{project.file_name}-{project.version}.data/scripts/{project.program}"] = archive.Entry(data, executable=True)
        native.append(data)
    platform = tags.of(native) if native else tags.Platform(["any"], "")
    if platform.problem and (config_settings or {}).get("publish"):
        raise SystemExit(f"{project.name}: a wheel of this library or command cannot be published: {platform.problem}")
    return archive.write_wheel(project, wheel_directory, files, platform.tags)


def build_editable(wheel_directory: str, config_settings: Settings = None, metadata_directory: Optional[str] = None) -> str:
    """The package is used where it is. The library is the one in its `_lib`, or that of TOKENWELL_LIBRARY."""
    project = Project(".")
    if not project.package:
        raise SystemExit(f"{project.name}: it contains no Python package, so it cannot be installed in editable mode")
    path = os.path.abspath(".").encode("utf-8", "surrogateescape") + b"\n"
    return archive.write_wheel(project, wheel_directory, {f"__editable__.{project.file_name}.pth": archive.Entry(path)}, ["any"])


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """`config_settings["wheels"]` is a list of platform tags for which wheels exist, separated by spaces."""
    project = Project(".")
    wheels = str((config_settings or {}).get("wheels", "")).split()
    return archive.write_sdist(project, sdist_directory, contents.source(project, wheels))
