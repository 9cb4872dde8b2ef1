"""The platform tags of a wheel, derived from the programs and libraries in it."""

from __future__ import annotations

import os
import re
import tempfile
from typing import List, NamedTuple, Sequence, Tuple

from .elf import Elf, NotElf

FLOOR = (2, 17)
"""The oldest glibc that Rust supports, and that of manylinux2014."""

EVERYWHERE = re.compile(r"(libc|libm)\.so\.6|(libdl|libutil)\.so\.2|(libpthread)\.so\.0|(librt|libgcc_s)\.so\.1|libresolv\.so\.2|ld-linux.*|ld64\.so\.[12]")
"""The libraries that a manylinux system has (PEP 599 and 600), of those that a program without C++ and X11 may need."""


class Platform(NamedTuple):
    tags: List[str]
    problem: str
    """Why the tag is the one of this machine, with which a wheel can be installed but not published."""


def of(files: Sequence[bytes]) -> Platform:
    """Returns the tags of the platforms on which all of these files can be used."""
    elves = [_elf(data) for data in files]
    machines = {elf.machine for elf in elves}
    if len(machines) != 1:
        raise SystemExit(f"the files of one wheel are for different machines: {', '.join(sorted(machines))}")
    (machine,) = machines
    problem = ""
    highest = FLOOR
    for elf in elves:
        if elf.c_library != "glibc":
            problem = f"it is for {elf.c_library or 'no C library that is known'}, and not for glibc"
        for name in elf.needed:
            if not EVERYWHERE.fullmatch(name) and elf.c_library != "musl":
                problem = f"it needs {name}, which not every Linux system has"
        for versions in elf.versions.values():
            for version in versions:
                if not version.startswith("GLIBC_"):
                    continue
                number, unknown = _glibc(version)
                highest = max(highest, number)
                problem = unknown or problem
    if problem:
        return Platform([f"linux_{machine}"], problem)
    tags = [f"manylinux_{highest[0]}_{highest[1]}_{machine}"]
    if highest == FLOOR:
        tags.append(f"manylinux2014_{machine}")  # the name that installers before pip 20.3 and cross downloads know
    return Platform(tags, "")


def _glibc(version: str) -> Tuple[Tuple[int, int], str]:
    if version == "GLIBC_ABI_DT_RELR":
        return (2, 36), ""
    numbers = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version)
    if numbers is None:
        return FLOOR, f"it needs {version}, which only one build of glibc has"
    return (int(numbers[1]), int(numbers[2])), ""


def _elf(data: bytes) -> Elf:
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "file")
        with open(path, "wb") as file:
            file.write(data)
        try:
            return Elf(path)
        except NotElf as problem:
            raise SystemExit(f"the library or the command {problem}: wheels can only be built for Linux") from None
