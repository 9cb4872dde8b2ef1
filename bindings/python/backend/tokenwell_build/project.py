"""The metadata of a distribution: what its `pyproject.toml` says, in the format that installers read."""

from __future__ import annotations

import glob
import os
import re
import sys
from typing import Any, Dict, Iterable, List

try:
    import tomllib
except ImportError:  # Python 3.9 and 3.10
    try:
        import tomli as tomllib  # type: ignore[import-not-found, no-redef]
    except ImportError:
        try:
            # pip 21.2 and newer contain it. It is hidden in an isolated build, for which pyproject.toml requires tomli.
            from pip._vendor import tomli as tomllib  # type: ignore[no-redef]
        except ImportError:
            raise SystemExit(
                "tokenwell: the build of the Python package needs a Python 3.11 or newer, or an older one with pip 21.2 or newer"
                f" or the module tomli, and {sys.executable} has none of them"
            ) from None

KNOWN = {
    "name", "version", "description", "readme", "license", "license-files", "requires-python", "dependencies", "keywords",
    "classifiers", "optional-dependencies", "entry-points",
}  # fmt: skip
"""The keys of the table `[project]` that this backend supports."""


class Project:
    def __init__(self, directory: str) -> None:
        self.directory = os.path.abspath(directory)
        with open(os.path.join(self.directory, "pyproject.toml"), "rb") as file:
            tables: Dict[str, Any] = tomllib.load(file)
        self.table: Dict[str, Any] = tables["project"]
        unknown = sorted(set(self.table) - KNOWN)
        if unknown:
            raise SystemExit(f"pyproject.toml: the build backend does not support {', '.join(unknown)} in [project]")
        self.name: str = self.table["name"]
        self.version: str = self.table["version"]
        self.file_name = re.sub(r"[-_.]+", "_", self.name).lower()
        self.dist_info_name = f"{self.file_name}-{self.version}.dist-info"
        own: Dict[str, Any] = tables["tool"]["tokenwell-build"]
        self.package: str = own.get("package", "")
        self.has_library: bool = own.get("library", False)
        self.program: str = own.get("program", "")

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def read(self, name: str) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def licences(self) -> List[str]:
        found: List[str] = []
        for pattern in self.table["license-files"]:
            names = sorted(os.path.relpath(path, self.directory) for path in glob.glob(os.path.join(glob.escape(self.directory), pattern)))
            if not names:
                raise SystemExit(f"pyproject.toml: no file matches {pattern} in license-files")
            found += names
        return found

    def metadata(self) -> bytes:
        """Returns the core metadata, version 2.4."""
        table = self.table
        lines = [
            "Metadata-Version: 2.4",
            f"Name: {self.name}",
            f"Version: {self.version}",
            f"Summary: {table['description']}",
            f"Keywords: {','.join(table['keywords'])}",
            f"License-Expression: {table['license']}",
            *(f"License-File: {name}" for name in self.licences()),
            *(f"Classifier: {name}" for name in table["classifiers"]),
            f"Requires-Python: {table['requires-python']}",
            *(f"Requires-Dist: {requirement}" for requirement in table["dependencies"]),
        ]
        for extra, requirements in table.get("optional-dependencies", {}).items():
            lines.append(f"Provides-Extra: {extra}")
            lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
        lines.append("Description-Content-Type: text/markdown; charset=UTF-8")
        return "\n".join(lines).encode() + b"\n\n" + self.read(table["readme"])

    def entry_points(self) -> bytes:
        groups: Dict[str, Dict[str, str]] = self.table.get("entry-points", {})
        parts = ["".join([f"[{group}]\n", *(f"{name} = {target}\n" for name, target in sorted(names.items()))]) for group, names in sorted(groups.items())]
        return "\n".join(parts).encode()

    def dist_info(self, platforms: Iterable[str], pure: bool) -> Dict[str, bytes]:
        """Returns the files of the directory `.dist-info` without RECORD.

        Args:
            platforms: The tags of the platforms; none if they are not known before the library was built.
            pure: The wheel has no file for one platform.
        """
        wheel = [
            "Wheel-Version: 1.0",
            f"Generator: tokenwell_build ({self.version})",
            f"Root-Is-Purelib: {'true' if pure else 'false'}",
            *(f"Tag: py3-none-{platform}" for platform in platforms),
        ]
        files = {"METADATA": self.metadata(), "WHEEL": "\n".join(wheel).encode() + b"\n"}
        if self.table.get("entry-points"):
            files["entry_points.txt"] = self.entry_points()
        for name in self.licences():
            files[f"licenses/{name}"] = self.read(name)
        return {f"{self.dist_info_name}/{name}": data for name, data in files.items()}
