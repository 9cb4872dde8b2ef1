"""Files that are damaged: the reader of ELF files raises NotElf or succeeds, and ends soon."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import struct
import subprocess
import sys
from typing import Iterator, Tuple

import pytest

from conftest import PATIENCE
from tokenwell._elf import Elf, NotElf

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the files are ELF files")

LOAD, DYNAMIC = 1, 2
VERSIONS_COUNT = 0x6FFFFFFF


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A small library that needs versions of symbols of the C library."""
    directory = tmp_path_factory.mktemp("small")
    (directory / "small.c").write_text("int puts(const char *); int small(void) { return puts(\"small\"); }")
    path = directory / "small.so"
    subprocess.run([*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-s", "-o", path, directory / "small.c"], check=True)
    return path


@contextlib.contextmanager
def soon() -> Iterator[None]:
    def expired(number: int, frame: object) -> None:
        raise AssertionError(f"not read after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def segment(path: pathlib.Path, kind: int) -> Tuple[int, int]:
    """Returns the offset and the length of the first segment of this kind."""
    return next((offset, length) for found, offset, _, length in Elf(str(path))._segments if found == kind)


def position_of_count(path: pathlib.Path) -> int:
    """Returns the offset of the number of libraries from which the file needs versions of symbols."""
    offset, length = segment(path, DYNAMIC)
    data = path.read_bytes()
    for position in range(offset, offset + length, 16):
        if struct.unpack_from("=Q", data, position) == (VERSIONS_COUNT,):
            return position + 8
    raise AssertionError("the library needs no versions")


def test_the_properties_of_a_small_library(library: pathlib.Path) -> None:
    elf = Elf(str(library))

    assert (elf.machine, elf.bits, elf.c_library, elf.needed) == (os.uname().machine, 64, "glibc", ["libc.so.6"])
    assert (2, 0) < elf.glibc < (3, 0)


def test_k4_a_damaged_number_of_versions_does_not_hang(library: pathlib.Path, tmp_path: pathlib.Path) -> None:
    damaged = bytearray(library.read_bytes())
    struct.pack_into("=Q", damaged, position_of_count(library), 1 << 63)
    (tmp_path / "damaged.so").write_bytes(damaged)

    with soon():
        assert Elf(str(tmp_path / "damaged.so")).glibc == Elf(str(library)).glibc


def test_k4_a_damaged_name_is_read(library: pathlib.Path, tmp_path: pathlib.Path) -> None:
    data = library.read_bytes()
    assert data.count(b"libc.so.6\0") == 1
    (tmp_path / "damaged.so").write_bytes(data.replace(b"libc.so.6\0", b"libc\xffso.6\0"))

    assert Elf(str(tmp_path / "damaged.so")).needed == ["libc\N{REPLACEMENT CHARACTER}so.6"]


def test_k4_a_file_with_a_damaged_byte_is_read_or_rejected(library: pathlib.Path, tmp_path: pathlib.Path) -> None:
    # The headers and the tables of strings and versions are in the first segment.
    positions = [range(start, start + length) for start, length in (segment(library, LOAD), segment(library, DYNAMIC))]
    data = library.read_bytes()
    path = tmp_path / "damaged.so"
    path.write_bytes(data)
    accepted = rejected = 0

    with soon(), open(path, "r+b", buffering=0) as file:
        for position in (position for part in positions for position in part):
            for byte in (b"\x00", b"\x7f", b"\xff"):
                os.pwrite(file.fileno(), byte, position)
                try:
                    Elf(str(path))
                    accepted += 1
                except NotElf:
                    rejected += 1
                except BaseException as problem:
                    raise AssertionError(f"byte {position} is {byte!r}") from problem
            os.pwrite(file.fileno(), data[position : position + 1], position)

    assert accepted > 100 and rejected > 100
