"""Finds and loads the shared library, checks its ABI version and declares its functions.

include/tokenwell.h documents the functions. This module is private to the package.
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

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, List, Optional

ABI_VERSION = 1
"""The ABI version of the library that this package requires."""

FORCE_REFRESH = 1
"""The flag ``TOKENWELL_FORCE_REFRESH``."""


class Statistics(Structure):
    """The struct ``tokenwell_stats``."""

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
    """The loaded library, with one attribute for each function."""

    def __init__(self, path: str) -> None:
        """Loads the file.

        Raises:
            OSError: The file cannot be used; the message gives the reason.
        """
        if os.path.isabs(path) and not os.path.isfile(path):
            raise OSError("no such file")
        # CDLL releases the interpreter lock during a call, which is needed by functions that may
        # block or free. A function that only reads fields returns sooner than the lock could be
        # released and acquired again, so it is called through PyDLL, which keeps the lock.
        blocking = CDLL(path)
        reading = PyDLL(path, handle=blocking._handle)
        if not hasattr(reading, "tokenwell_abi_version"):
            raise OSError("not a tokenwell library: it does not export tokenwell_abi_version")
        abi_version = _function(reading, "tokenwell_abi_version", c_uint32)()
        if abi_version != ABI_VERSION:
            raise OSError(f"has ABI version {abi_version}, but this package requires {ABI_VERSION}")

        handle, string, out = c_void_p, c_char_p, POINTER(c_void_p)
        self._version = _function(reading, "tokenwell_version", string)
        self.status_name = _function(reading, "tokenwell_status_name", string, c_int32)

        self.config_new = _function(blocking, "tokenwell_config_new", c_int32, out, out)
        self.config_set = _function(
            blocking, "tokenwell_config_set", c_int32, handle, string, c_size_t, string, c_size_t, out
        )
        self.config_use_environment = _function(blocking, "tokenwell_config_use_environment", c_int32, handle, out)
        self.config_free = _function(blocking, "tokenwell_config_free", None, handle)

        self.client_new = _function(blocking, "tokenwell_client_new", c_int32, handle, out, out)
        self.client_token = _function(
            blocking, "tokenwell_client_token", c_int32, handle, c_uint64, c_uint64, c_uint32, out, out
        )
        self.client_invalidate = _function(
            blocking, "tokenwell_client_invalidate", c_int32, handle, string, c_size_t, out
        )
        self.client_revoke = _function(blocking, "tokenwell_client_revoke", c_int32, handle, c_uint64, out)
        self.client_stats = _function(
            blocking, "tokenwell_client_stats", c_int32, handle, POINTER(Statistics), c_size_t, out
        )
        self.client_generation = _function(reading, "tokenwell_client_generation", c_void_p, handle)
        self.client_advance_clock = _function(
            blocking, "tokenwell_client_advance_clock", c_int32, handle, c_uint64, out
        )
        self.client_close = _function(blocking, "tokenwell_client_close", c_int32, handle, out)
        self.client_free = _function(blocking, "tokenwell_client_free", None, handle)
        self.client_fresh_for_ms = _function(reading, "tokenwell_client_fresh_for_ms", c_uint64, handle, handle)

        length = POINTER(c_size_t)
        self.token_value = _function(reading, "tokenwell_token_value", c_void_p, handle, length)
        self.token_authorization = _function(reading, "tokenwell_token_authorization", c_void_p, handle, length)
        self.token_scope = _function(reading, "tokenwell_token_scope", c_void_p, handle, length)
        self.token_expires_at_ms = _function(reading, "tokenwell_token_expires_at_ms", c_int64, handle)
        self.token_generation = _function(reading, "tokenwell_token_generation", c_uint64, handle)
        self.token_free = _function(reading, "tokenwell_token_free", None, handle)

        self.error_message = _function(reading, "tokenwell_error_message", c_void_p, handle, length)
        self.error_hint = _function(reading, "tokenwell_error_hint", c_void_p, handle, length)
        self.error_http_status = _function(reading, "tokenwell_error_http_status", c_int32, handle)
        self.error_retry_after_ms = _function(reading, "tokenwell_error_retry_after_ms", c_int64, handle)
        self.error_free = _function(reading, "tokenwell_error_free", None, handle)

    def version(self) -> str:
        """Returns the version of the library, for example ``"0.1.0"``."""
        version: bytes = self._version()
        return version.decode()

    def copy_string(self, function: Any, owner: Any) -> Optional[str]:
        """Copies the string of `owner` that `function` returns; None for NULL."""
        length = c_size_t()
        start = function(owner, byref(length))
        return None if start is None else string_at(start, length.value).decode("utf-8", "replace")

    def statistics(self, handle: Any, error: c_void_p) -> tuple[int, Statistics]:
        """Calls ``tokenwell_client_stats``; returns its status and the counts."""
        counts = Statistics()
        status: int = self.client_stats(handle, byref(counts), sizeof(counts), byref(error))
        return status, counts


def load() -> Library:
    """Returns the library; the first call finds and loads it.

    Raises:
        LibraryError: No usable library was found.
    """
    global _loaded
    if _loaded is None:
        # Two threads may both run this. The dynamic loader returns the same library to both, so
        # either result is correct, and there is no lock that a fork could leave locked.
        _loaded = _find()
    return _loaded


_loaded: Optional[Library] = None


def _find() -> Library:
    configured = os.environ.get("TOKENWELL_LIBRARY")
    failures: List[str] = []
    for path in [os.path.abspath(configured)] if configured else _default_paths():
        try:
            return Library(path)
        except OSError as problem:
            failures.append(f"\n  {path}: {problem}")
    raise LibraryError(
        f"cannot load the tokenwell library{' named by TOKENWELL_LIBRARY' if configured else ''}; tried:"
        + "".join(failures)
        + "\nSet TOKENWELL_LIBRARY to the path of the library, or install it in a directory that the dynamic loader"
        + f" searches. In the source tree, `make library` builds dist/lib/{_NAMES[0]}."
    )


if sys.platform == "win32":
    _NAMES = ["tokenwell.dll"]
elif sys.platform == "darwin":
    _NAMES = ["libtokenwell.0.dylib", "libtokenwell.dylib"]
else:
    _NAMES = ["libtokenwell.so.0", "libtokenwell.so"]


def _default_paths() -> List[str]:
    """Lists the files in this package's ``_lib``, then the name for the dynamic loader."""
    bundled = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_lib")
    return [os.path.join(bundled, name) for name in _NAMES] + _NAMES[:1]


def _function(library: CDLL, name: str, result: Any, *arguments: Any) -> Any:
    try:
        # Unlike attribute access, this does not cache the function on the library, so the types
        # that are set here affect only this package.
        function = library[name]
    except AttributeError:
        raise OSError(f"not a compatible tokenwell library: it does not export {name}") from None
    function.restype = result
    function.argtypes = arguments
    return function
