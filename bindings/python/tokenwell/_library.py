"""The shared library: where it is looked for, the check of its ABI version, the prototypes of its functions.

include/tokenwell.h says what each function does; nothing here is called from outside this package.
"""

from __future__ import annotations

import os
import sys
from ctypes import (
    CDLL,
    POINTER,
    PyDLL,
    Structure,
    byref,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
    string_at,
)

from .errors import LibraryError

TYPE_CHECKING = False  # typing itself would cost more than all the rest of this package's import
if TYPE_CHECKING:
    from typing import Any, List, Optional

ABI_VERSION = 1
"""The version of the library's binary interface that this package was written for."""

FORCE_REFRESH = 1
"""TOKENWELL_FORCE_REFRESH."""


class Statistics(Structure):
    """``tokenwell_stats``."""

    _fields_ = [
        ("hits", c_uint64),
        ("waits", c_uint64),
        ("refreshes", c_uint64),
        ("mints", c_uint64),
        ("mint_failures", c_uint64),
        ("stale_served", c_uint64),
        ("cooldown_answers", c_uint64),
        ("invalidations", c_uint64),
    ]


class Library:
    """The loaded library, one attribute a function."""

    def __init__(self, path: str) -> None:
        """Loads the file; raises OSError saying why it cannot be used."""
        if os.path.isabs(path) and not os.path.isfile(path):
            raise OSError("no such file")
        # CDLL lets other threads run during a call, as whatever may wait or free needs. A function that only reads
        # fields is over before the hand-over would be: those go through PyDLL, which keeps the interpreter's lock.
        waits = CDLL(path)
        reads = PyDLL(path, handle=waits._handle)
        if not hasattr(reads, "tokenwell_abi_version"):
            raise OSError("not the tokenwell library: it has no tokenwell_abi_version")
        abi_version = _function(reads, "tokenwell_abi_version", c_uint32)()
        if abi_version != ABI_VERSION:
            raise OSError(f"ABI version {abi_version}, but this package needs {ABI_VERSION}")

        handle, text, out = c_void_p, c_char_p, POINTER(c_void_p)
        self._version = _function(reads, "tokenwell_version", text)
        self.status_name = _function(reads, "tokenwell_status_name", text, c_int32)

        self.config_new = _function(waits, "tokenwell_config_new", c_int32, out, out)
        self.config_set = _function(
            waits, "tokenwell_config_set", c_int32, handle, text, c_size_t, text, c_size_t, out
        )
        self.config_use_environment = _function(waits, "tokenwell_config_use_environment", c_int32, handle, out)
        self.config_free = _function(waits, "tokenwell_config_free", None, handle)

        self.client_new = _function(waits, "tokenwell_client_new", c_int32, handle, out, out)
        self.client_token = _function(
            waits, "tokenwell_client_token", c_int32, handle, c_uint64, c_uint64, c_uint32, out, out
        )
        self.client_invalidate = _function(
            waits, "tokenwell_client_invalidate", c_int32, handle, text, c_size_t, out
        )
        self.client_revoke = _function(waits, "tokenwell_client_revoke", c_int32, handle, c_uint64, out)
        self.client_stats = _function(
            waits, "tokenwell_client_stats", c_int32, handle, POINTER(Statistics), c_size_t, out
        )
        self.client_generation = _function(reads, "tokenwell_client_generation", c_void_p, handle)
        self.client_advance_clock = _function(
            waits, "tokenwell_client_advance_clock", c_int32, handle, c_uint64, out
        )
        self.client_close = _function(waits, "tokenwell_client_close", c_int32, handle, out)
        self.client_free = _function(waits, "tokenwell_client_free", None, handle)
        self.client_fresh_for_ms = _function(reads, "tokenwell_client_fresh_for_ms", c_uint64, handle, handle)

        length = POINTER(c_size_t)
        self.token_value = _function(reads, "tokenwell_token_value", c_void_p, handle, length)
        self.token_authorization = _function(reads, "tokenwell_token_authorization", c_void_p, handle, length)
        self.token_scope = _function(reads, "tokenwell_token_scope", c_void_p, handle, length)
        self.token_expires_at_ms = _function(reads, "tokenwell_token_expires_at_ms", c_int64, handle)
        self.token_generation = _function(reads, "tokenwell_token_generation", c_uint64, handle)
        self.token_free = _function(reads, "tokenwell_token_free", None, handle)

        self.error_message = _function(reads, "tokenwell_error_message", c_void_p, handle, length)
        self.error_hint = _function(reads, "tokenwell_error_hint", c_void_p, handle, length)
        self.error_http_status = _function(reads, "tokenwell_error_http_status", c_int32, handle)
        self.error_retry_after_ms = _function(reads, "tokenwell_error_retry_after_ms", c_int64, handle)
        self.error_free = _function(reads, "tokenwell_error_free", None, handle)

    def version(self) -> str:
        """The library's own version: ``"0.1.0"``."""
        version: bytes = self._version()
        return version.decode()

    def text(self, function: Any, owner: Any) -> Optional[str]:
        """A copy of the text that a function borrows from its token or error; None for NULL."""
        length = c_size_t()
        start = function(owner, byref(length))
        return None if start is None else string_at(start, length.value).decode("utf-8", "replace")

    def statistics(self, handle: Any, error: c_void_p) -> tuple[int, Statistics]:
        """The status of ``tokenwell_client_stats`` and what it filled in."""
        figures = Statistics()
        status: int = self.client_stats(handle, byref(figures), sizeof(figures), byref(error))
        return status, figures


def load() -> Library:
    """The library; found and loaded by the first call."""
    global _loaded
    if _loaded is None:
        # Two threads may both come here. The system's loader gives both the same library, so either result will do,
        # and there is no lock that a fork could leave locked.
        _loaded = _find()
    return _loaded


_loaded: Optional[Library] = None


def _find() -> Library:
    named = os.environ.get("TOKENWELL_LIBRARY")
    found: List[str] = []
    for place in [os.path.abspath(named)] if named else _usual_places():
        try:
            return Library(place)
        except OSError as problem:
            found.append(f"\n  {place}: {problem}")
    raise LibraryError(
        f"cannot load the tokenwell library{' named by TOKENWELL_LIBRARY' if named else ''}. Looked at:"
        + "".join(found)
        + "\nSet TOKENWELL_LIBRARY to the path of the library, or install it where the system's loader looks;"
        + " `make library` in the source tree builds it as dist/lib/" + _NAMES[0]
    )


if sys.platform == "win32":
    _NAMES = ["tokenwell.dll"]
elif sys.platform == "darwin":
    _NAMES = ["libtokenwell.0.dylib", "libtokenwell.dylib"]
else:
    _NAMES = ["libtokenwell.so.0", "libtokenwell.so"]


def _usual_places() -> List[str]:
    """Beside this package, then wherever the system's loader looks for the name."""
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lib")
    return [os.path.join(beside, name) for name in _NAMES] + _NAMES[:1]


def _function(library: CDLL, name: str, result: Any, *arguments: Any) -> Any:
    try:
        function = library[name]  # not cached on the library, unlike attribute access, so types set here stay ours
    except AttributeError:
        raise OSError(f"not the tokenwell library this package needs: it has no {name}") from None
    function.restype = result
    function.argtypes = arguments
    return function
