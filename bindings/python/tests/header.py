"""Reads include/tokenwell.h, and compares the ctypes prototypes of the package with it."""

from __future__ import annotations

import ctypes
import re
from typing import Any, Dict, List, Tuple

from conftest import REPOSITORY

HEADER = re.sub(r"//.*", "", (REPOSITORY / "include" / "tokenwell.h").read_text())

Kind = Tuple[str, int]
"""`integer`, `unsigned`, `pointer` or `nothing`, and the width in bytes."""

KINDS: Dict[str, Kind] = {
    "void": ("nothing", 0),
    "int32_t": ("integer", 4),
    "tokenwell_status": ("integer", 4),
    "int64_t": ("integer", 8),
    "uint32_t": ("unsigned", 4),
    "uint64_t": ("unsigned", 8),
    "size_t": ("unsigned", ctypes.sizeof(ctypes.c_size_t)),
}
POINTER: Kind = ("pointer", ctypes.sizeof(ctypes.c_void_p))
CODES = {"i": "integer", "l": "integer", "q": "integer", "I": "unsigned", "L": "unsigned", "Q": "unsigned", "P": "pointer", "z": "pointer"}


def kind_in_header(declaration: str) -> Kind:
    """Returns the kind of a parameter or a result, with or without its name."""
    words = declaration.replace("*", " * ").split()
    if "*" in words or words[0].endswith("_callback"):
        return POINTER
    return KINDS[words[1] if words[0] == "const" else words[0]]


def kind_in_ctypes(declared: Any) -> Kind:
    if declared is None:
        return KINDS["void"]
    if issubclass(declared, ctypes._Pointer):
        return POINTER
    return CODES[declared._type_], ctypes.sizeof(declared)


def prototypes() -> Dict[str, Tuple[Kind, List[Kind]]]:
    """Returns the result and the parameters of each function in the header."""
    found = {}
    pattern = r"^((?:const )?\w+ \*?)(tokenwell_\w+)\(([^)]*)\);"
    for result, name, parameters in re.findall(pattern, HEADER, re.MULTILINE):
        each = [" ".join(parameter.split()) for parameter in parameters.split(",")]
        found[name] = kind_in_header(result), [] if each == ["void"] else [kind_in_header(parameter) for parameter in each]
    return found


def constants() -> Dict[str, int]:
    """Returns the integer constants of the header by name: macros and statuses."""
    pairs = re.findall(r"^#define (TOKENWELL_\w+) (\d+)$", HEADER, re.MULTILINE)
    pairs += re.findall(r"^ +(TOKENWELL_STATUS_\w+) = (\d+),", HEADER, re.MULTILINE)
    return {name: int(value) for name, value in pairs}


def statistics() -> List[Tuple[str, Kind]]:
    """Returns the members of the struct `tokenwell_stats`."""
    body = re.search(r"typedef struct \{([^}]*)\} tokenwell_stats;", HEADER)
    assert body is not None
    members = [member.split() for member in body[1].split(";") if member.strip()]
    return [(name, KINDS[kind]) for kind, name in members]


def declared_functions(library: Any) -> List[Any]:
    """Returns all functions that the package has declared, in attributes of its Library and their attributes."""
    values = list(vars(library).values())
    for value in vars(library).values():
        values += [getattr(value, name) for name in getattr(type(value), "__slots__", ())]
    return [value for value in values if isinstance(value, ctypes._CFuncPtr)]


def differences(library: Any) -> List[str]:
    """Compares every declared function with the header; returns what is wrong."""
    known, wrong = prototypes(), []
    for function in declared_functions(library):
        result, parameters = known[function.__name__]
        declared = kind_in_ctypes(function.restype), [kind_in_ctypes(each) for each in function.argtypes]
        if declared != (result, parameters):
            wrong.append(f"{function.__name__}: declared as {declared}, but the header says {(result, parameters)}")
    return wrong
