"""Reads what an ELF file is for: its machine, its C library, and the libraries and versions that it needs.

The dynamic loader reports some unusable files as missing, and a truncated one can crash the process. The build backend
derives the tag of a wheel from the same properties. This module imports nothing else of the package.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Dict, List, Optional, Tuple

MACHINES = {
    3: "i686",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
"""The names that ``uname -m`` has for the numbers of machines."""

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRING_TABLE, _VERSIONS_NEEDED, _VERSIONS_COUNT = 1, 5, 0x6FFFFFFE, 0x6FFFFFFF


class NotElf(ValueError):
    """The file is not an ELF file, or is damaged. The message is the predicate of a sentence."""


class Elf:
    """The properties of one file."""

    def __init__(self, path: str) -> None:
        """Reads the file.

        Raises:
            NotElf: The file cannot be loaded on any machine.
            OSError: The file cannot be read.
        """
        with open(path, "rb") as file:
            try:
                self._read(file, os.fstat(file.fileno()).st_size)
            except (struct.error, IndexError, OverflowError):
                raise NotElf("is damaged: its tables are inconsistent") from None

    def _read(self, file: BinaryIO, size: int) -> None:
        self._size = size
        start = file.read(64)
        if not start:
            raise NotElf("is empty")
        if start[:4] != b"\x7fELF":
            raise NotElf("is not an ELF file")
        if len(start) < 64 or start[4] not in (1, 2) or start[5] not in (1, 2):
            raise NotElf(f"is truncated or damaged: its {size} bytes do not contain a valid header")
        self.bits = 32 * start[4]
        self._order = "<" if start[5] == 1 else ">"
        wide = self.bits == 64
        (machine,) = struct.unpack_from(self._order + "H", start, 18)
        self.machine = MACHINES.get(machine, f"machine {machine}")
        if wide:
            (table,) = struct.unpack_from(self._order + "Q", start, 32)
            entry_size, count = struct.unpack_from(self._order + "HH", start, 54)
        else:
            (table,) = struct.unpack_from(self._order + "I", start, 28)
            entry_size, count = struct.unpack_from(self._order + "HH", start, 42)

        self._segments: List[Tuple[int, int, int, int]] = []
        end = table + entry_size * count
        for index in range(count):
            if end > size:
                break
            entry = self._at(file, table + index * entry_size, entry_size)
            if wide:
                kind, _, offset, address, _, length = struct.unpack_from(self._order + "IIQQQQ", entry)
            else:
                kind, offset, address, _, length = struct.unpack_from(self._order + "IIIII", entry)
            self._segments.append((kind, offset, address, length))
            end = max(end, offset + length)
        if end > size:
            raise NotElf(f"is truncated: it has {size} bytes, and according to its header it has at least {end}")

        self.interpreter: Optional[str] = None
        self.needed: List[str] = []
        self.versions: Dict[str, List[str]] = {}
        """The versions of symbols that it needs, by the library that has them."""
        for kind, offset, _, length in self._segments:
            if kind == _INTERPRETER:
                self.interpreter = self._at(file, offset, length).rstrip(b"\0").decode("utf-8", "replace")
            elif kind == _DYNAMIC:
                self._read_dynamic(file, self._at(file, offset, length))

    def _at(self, file: BinaryIO, offset: int, length: int) -> bytes:
        if offset > self._size:
            raise IndexError(offset)
        file.seek(offset)
        return file.read(length)

    def _offset(self, address: int) -> int:
        for kind, offset, start, length in self._segments:
            if kind == _LOAD and start <= address < start + length:
                return offset + address - start
        raise IndexError(address)

    def _read_dynamic(self, file: BinaryIO, table: bytes) -> None:
        entry = struct.Struct(self._order + ("QQ" if self.bits == 64 else "II"))
        single: Dict[int, int] = {}
        names: List[int] = []
        for position in range(0, len(table) - entry.size + 1, entry.size):
            tag, value = entry.unpack_from(table, position)
            if tag == 0:
                break
            if tag == _NEEDED:
                names.append(value)
            else:
                single[tag] = value
        if _STRING_TABLE not in single:
            return
        strings = self._offset(single[_STRING_TABLE])
        self.needed = [self._string(file, strings + name) for name in names]
        position = self._offset(single[_VERSIONS_NEEDED]) if _VERSIONS_NEEDED in single else 0
        # A damaged file can count any number of entries, and has no space for more than these.
        left = self._size // 16
        for _ in range(single.get(_VERSIONS_COUNT, 0)):
            count, name, first, following = struct.unpack(self._order + "2xHIII", self._at(file, position, 16))
            found = self.versions.setdefault(self._string(file, strings + name), [])
            at = position + first
            for _ in range(count):
                version, step = struct.unpack(self._order + "8xII", self._at(file, at, 16))
                found.append(self._string(file, strings + version))
                left -= 1
                if not step or left < 0:
                    break
                at += step
            left -= 1
            if left < 0:
                raise IndexError(left)
            if not following:
                break
            position += following

    def _string(self, file: BinaryIO, offset: int) -> str:
        found = self._at(file, offset, 256)
        return found[: found.index(b"\0")].decode("utf-8", "replace") if b"\0" in found else ""

    @property
    def c_library(self) -> str:
        """The C library that the file is for: ``"glibc"``, ``"musl"``, or ``""`` if it needs none or another one."""
        for name in self.needed:
            if name.startswith("libc.so.6"):
                return "glibc"
            if name == "libc.so" or name.startswith("libc.musl-"):
                return "musl"
        return ""

    @property
    def glibc(self) -> Tuple[int, int]:
        """The oldest glibc that has all versions of symbols that the file needs; ``(0, 0)`` if it needs none."""
        highest = (0, 0)
        for versions in self.versions.values():
            for version in versions:
                numbers = version[len("GLIBC_") :].split(".") if version.startswith("GLIBC_") else []
                if version == "GLIBC_ABI_DT_RELR":
                    numbers = ["2", "36"]
                if len(numbers) >= 2 and all(number.isdigit() for number in numbers):
                    highest = max(highest, (int(numbers[0]), int(numbers[1])))
        return highest
