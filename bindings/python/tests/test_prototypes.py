"""The functions and constants that the package declares are those of the header."""

from __future__ import annotations

import ctypes
import pathlib
import re
from typing import Any, Callable

import pytest

import tokenwell
from header import constants, declared_functions, differences, kind_in_ctypes, prototypes, statistics
from tokenwell import _library


@pytest.fixture
def library() -> Any:
    """A Library of the test's own, which the test may change."""
    return _library.Library(str(_library.load().path))


def test_every_prototype_is_that_of_the_header(library: Any) -> None:
    assert differences(library) == []


def test_every_declared_function_is_compared(library: Any) -> None:
    source = pathlib.Path(_library.__file__).read_text()
    declared = set(re.findall(r'_function\((?:blocking|reading), "(\w+)"', re.sub(r"\(\n +", "(", source)))

    assert {function.__name__ for function in declared_functions(library)} == declared - {"tokenwell_abi_version"}
    assert len(declared) > 60


def test_the_header_is_read_completely() -> None:
    known = prototypes()

    assert known["tokenwell_abi_version"] == (("unsigned", 4), [])
    assert known["tokenwell_client_token_queued"][1] == [
        ("pointer", 8), ("unsigned", 8), ("unsigned", 8), ("unsigned", 4), ("pointer", 8), ("unsigned", 8), *[("pointer", 8)] * 3
    ]  # fmt: skip
    assert known["tokenwell_token_expires_at_ms"] == (("integer", 8), [("pointer", 8)])
    assert known["tokenwell_client_free"] == (("nothing", 0), [("pointer", 8)])
    assert known["tokenwell_client_generation"][0] == known["tokenwell_version"][0] == ("pointer", 8)


def declare_result(library: Any) -> None:
    library.token_expires_at_ms.restype = ctypes.c_int32


def declare_width(library: Any) -> None:
    library.client_token.queue.argtypes = [ctypes.c_uint32 if kind is ctypes.c_uint64 else kind for kind in library.client_token.queue.argtypes]


def declare_one_argument_less(library: Any) -> None:
    library.client_revoke.begin.argtypes = library.client_revoke.begin.argtypes[:-1]


def declare_a_number_for_a_pointer(library: Any) -> None:
    library.queue_free.argtypes = (ctypes.c_uint64,)


def declare_a_sign(library: Any) -> None:
    library.client_advance_clock.argtypes = [ctypes.c_int64 if kind is ctypes.c_uint64 else kind for kind in library.client_advance_clock.argtypes]


@pytest.mark.parametrize(
    "plant", [declare_result, declare_width, declare_one_argument_less, declare_a_number_for_a_pointer, declare_a_sign]
)
def test_a_wrong_prototype_is_found(library: Any, plant: Callable[[Any], None]) -> None:
    plant(library)

    assert len(differences(library)) == 1


def test_every_constant_is_that_of_the_header() -> None:
    known = constants()

    assert _library.ABI_VERSION == known["TOKENWELL_ABI_VERSION"]
    assert _library.FORCE_REFRESH == known["TOKENWELL_FORCE_REFRESH"]
    assert _library.WAIT_FOR_SAVE == known["TOKENWELL_WAIT_FOR_SAVE"]
    for name in ("OK", "NOT_CONFIGURED", "DEADLINE", "PENDING"):
        assert getattr(_library, name) == known[f"TOKENWELL_STATUS_{name}"]
    for kind in tokenwell.TokenwellError.__subclasses__():
        assert kind.code == known[f"TOKENWELL_STATUS_{kind.name}"]


def test_the_counters_are_those_of_the_header() -> None:
    declared = [(name, kind_in_ctypes(kind)) for name, kind in _library.Statistics._fields_]

    assert declared == statistics()
    assert list(tokenwell.Stats._fields) == [name for name, _ in declared]
