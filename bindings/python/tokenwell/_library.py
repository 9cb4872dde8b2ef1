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
    from typing import Any, Dict, List, Optional, Tuple

ABI_VERSION = 1
"""The ABI version of the library that this package requires."""

FORCE_REFRESH = 1
"""The flag ``TOKENWELL_FORCE_REFRESH``."""
WAIT_FOR_SAVE = 4
"""The flag ``TOKENWELL_WAIT_FOR_SAVE``."""

OK, NOT_CONFIGURED, DEADLINE, PENDING = 0, 2, 8, 14
"""The statuses ``TOKENWELL_STATUS_…`` that this package distinguishes."""

FOREVER = 2**64 - 1
"""The longest wait, in milliseconds."""


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


class Waiting:
    """The forms of a function of the library that may wait.

    The forms take the same arguments first. `begin` and `queue` then take how the end is announced
    (a callback or a queue), and receive an operation. `take`, if there is one, takes what an
    operation that has succeeded returns besides a token.
    """

    __slots__ = ("begin", "block", "queue", "take")

    def __init__(self, block: Any, begin: Any, queue: Any, take: Any = None) -> None:
        self.block = block
        self.begin = begin
        self.queue = queue
        self.take = take

    def taken(self, status: int, operation: Any, error: Any) -> int:
        """Returns the status of an operation after its result was taken."""
        if self.take is None or status != OK:
            return status
        status = self.take(operation, error)
        return status


class Library:
    """The loaded library, with one attribute for each function."""

    def __init__(self, path: str) -> None:
        """Loads the file.

        Raises:
            OSError: The file cannot be used; the message gives the reason.
        """
        if os.path.isabs(path):
            _check_file(path)
        self.path = path
        # CDLL releases the interpreter lock during a call, which is needed by functions that may
        # block or free much. A function that never blocks returns sooner than the lock could be
        # released and acquired again, so it is called through PyDLL, which keeps the lock. The
        # library's own threads never acquire it.
        try:
            blocking = CDLL(path)
        except OSError as problem:
            # Python 3.9 and 3.10 lose a message that is not UTF-8.
            message = str(problem) or "the dynamic loader rejects it, and its message is not UTF-8: a name in the file, or the path"
            raise _explained(path, message) from None
        except UnicodeDecodeError as problem:
            raise _explained(path, problem.object.decode("utf-8", "replace")) from None
        reading = PyDLL(path, handle=blocking._handle)
        if not hasattr(reading, "tokenwell_abi_version"):
            raise OSError("not a tokenwell library: it does not export tokenwell_abi_version")
        abi_version = _function(reading, "tokenwell_abi_version", c_uint32)()
        if abi_version != ABI_VERSION:
            raise OSError(
                f"{_version_of(reading)} has ABI version {abi_version}, but this package, tokenwell {_own_version()},"
                f" requires ABI version {ABI_VERSION}"
            )

        handle, string, out, length = c_void_p, c_char_p, POINTER(c_void_p), POINTER(c_size_t)
        self._version = _function(reading, "tokenwell_version", string)
        self.status_name = _function(reading, "tokenwell_status_name", string, c_int32)

        self.config_new = _function(blocking, "tokenwell_config_new", c_int32, out, out)
        self.config_set = _function(
            blocking, "tokenwell_config_set", c_int32, handle, string, c_size_t, string, c_size_t, out
        )
        self.config_use_environment = _function(blocking, "tokenwell_config_use_environment", c_int32, handle, out)
        self.config_use_variables = _function(reading, "tokenwell_config_use_variables", c_int32, handle, out)
        self.config_set_variable = _function(
            reading, "tokenwell_config_set_variable", c_int32, handle, string, c_size_t, string, c_size_t, out
        )
        self.config_free = _function(blocking, "tokenwell_config_free", None, handle)

        self.client_new = _function(blocking, "tokenwell_client_new", c_int32, handle, out, out)
        self.client_stats = _function(
            blocking, "tokenwell_client_stats", c_int32, handle, POINTER(Statistics), c_size_t, out
        )
        self.client_base_url = _function(reading, "tokenwell_client_base_url", c_void_p, handle, length)
        self.client_setting = _function(
            reading, "tokenwell_client_setting", string, handle, c_size_t, POINTER(c_char_p)
        )
        self.client_generation = _function(reading, "tokenwell_client_generation", c_void_p, handle)
        self.client_advance_clock = _function(
            blocking, "tokenwell_client_advance_clock", c_int32, handle, c_uint64, out
        )
        self.client_close = _function(blocking, "tokenwell_client_close", c_int32, handle, out)
        self.client_drain = _function(blocking, "tokenwell_client_drain", c_int32, handle, c_uint64, out)
        self.client_free = _function(blocking, "tokenwell_client_free", None, handle)
        self.client_fresh_for_ms = _function(reading, "tokenwell_client_fresh_for_ms", c_uint64, handle, handle)

        # How the end of an operation is announced: a callback, its user_data and its destroy
        # callback, which are always NULL; or a queue and a tag.
        callback, queue = (c_void_p, c_void_p, c_void_p), (handle, c_uint64)
        # Without the type of what is pointed to, ctypes converts an argument in half the time.
        get, any_out = (handle, c_uint64, c_uint64, c_uint32), c_void_p
        self.client_token = Waiting(
            _function(blocking, "tokenwell_client_token", c_int32, *get, any_out, any_out),
            _function(reading, "tokenwell_client_token_async", c_int32, *get, *callback, any_out, any_out, any_out),
            _function(reading, "tokenwell_client_token_queued", c_int32, *get, *queue, any_out, any_out, any_out),
        )
        invalidate = (handle, string, c_size_t)
        self._client_invalidate = _function(blocking, "tokenwell_client_invalidate", c_int32, *invalidate, out)
        self.client_invalidate = Waiting(
            # Unlike the others, this form has no deadline.
            lambda client, value, length, deadline, error: self._client_invalidate(client, value, length, error),
            _function(reading, "tokenwell_client_invalidate_async", c_int32, *invalidate, c_uint64, *callback, out, out),
            _function(reading, "tokenwell_client_invalidate_queued", c_int32, *invalidate, c_uint64, *queue, out, out),
        )
        revoke = (handle, c_uint64)
        self.client_revoke = Waiting(
            _function(blocking, "tokenwell_client_revoke", c_int32, *revoke, out),
            _function(reading, "tokenwell_client_revoke_async", c_int32, *revoke, *callback, out, out),
            _function(reading, "tokenwell_client_revoke_queued", c_int32, *revoke, *queue, out, out),
        )

        request = (handle, handle, c_uint64)
        self.client_request = Waiting(
            _function(blocking, "tokenwell_client_request", c_int32, *request, out, out),
            _function(reading, "tokenwell_client_request_async", c_int32, *request, *callback, out, out),
            _function(reading, "tokenwell_client_request_queued", c_int32, *request, *queue, out, out),
        )

        self.operation_wait = _function(blocking, "tokenwell_operation_wait", c_int32, handle, c_uint64, out, out)
        # For waits of 0 ms, which do not block.
        self.operation_result = _function(reading, "tokenwell_operation_wait", c_int32, handle, c_uint64, out, out)
        self.operation_cancel = _function(reading, "tokenwell_operation_cancel", c_int32, handle)
        self.operation_free = _function(reading, "tokenwell_operation_free", None, handle)

        self.operation_response = _function(reading, "tokenwell_operation_response", c_int32, handle, out, out)

        self.api_request_new = _function(
            reading, "tokenwell_api_request_new", c_int32, string, c_size_t, string, c_size_t, out, out
        )
        self.api_request_set_version = _function(
            reading, "tokenwell_api_request_set_version", c_int32, handle, string, c_size_t, out
        )
        self.api_request_add_query = _function(
            reading, "tokenwell_api_request_add_query", c_int32, handle, string, c_size_t, string, c_size_t, out
        )
        self.api_request_set_body = _function(
            blocking, "tokenwell_api_request_set_body", c_int32, handle, string, c_size_t, out
        )
        self.api_request_set_max_body = _function(
            reading, "tokenwell_api_request_set_max_body", c_int32, handle, c_uint64, out
        )
        self.api_request_free = _function(blocking, "tokenwell_api_request_free", None, handle)
        self.api_response_status = _function(reading, "tokenwell_api_response_status", c_int32, handle)
        self.api_response_header_count = _function(reading, "tokenwell_api_response_header_count", c_size_t, handle)
        self.api_response_header_name = _function(
            reading, "tokenwell_api_response_header_name", c_void_p, handle, c_size_t, length
        )
        self.api_response_header_value = _function(
            reading, "tokenwell_api_response_header_value", c_void_p, handle, c_size_t, length
        )
        self.api_response_body = _function(reading, "tokenwell_api_response_body", c_void_p, handle, length)
        self.api_response_free = _function(blocking, "tokenwell_api_response_free", None, handle)

        self.queue_new = _function(reading, "tokenwell_queue_new", c_int32, out, out)
        self.queue_descriptor = _function(reading, "tokenwell_queue_descriptor", c_int32, handle, POINTER(c_int32), out)
        self.queue_take = _function(reading, "tokenwell_queue_take", c_int32, handle, POINTER(c_uint64), out, out)
        self.queue_wait = _function(blocking, "tokenwell_queue_wait", c_int32, handle, c_uint64, out)
        self.queue_close = _function(reading, "tokenwell_queue_close", c_int32, handle, out)
        self.queue_free = _function(reading, "tokenwell_queue_free", None, handle)

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
        self.error_oauth_code = _function(reading, "tokenwell_error_oauth_code", c_void_p, handle, length)
        self.error_is_remembered = _function(reading, "tokenwell_error_is_remembered", c_int32, handle)
        self.error_age_ms = _function(reading, "tokenwell_error_age_ms", c_int64, handle)
        self.error_attempts = _function(reading, "tokenwell_error_attempts", c_uint32, handle)
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

    def sources(self, handle: Any) -> Dict[str, str]:
        """Returns the settings of a client that are in effect, and the source of each."""
        found: Dict[str, str] = {}
        source, index = c_char_p(), 0
        while (name := self.client_setting(handle, index, byref(source))) is not None:
            found[name.decode()] = (source.value or b"").decode("utf-8", "replace")
            index += 1
        return found

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
    way_out = _way_out(bool(configured))
    for path in [os.path.abspath(configured)] if configured else _default_paths():
        try:
            return Library(path)
        except OSError as problem:
            failures.append(f"\n  {path}: {problem}")
            if isinstance(problem, _Unusable):
                way_out = problem.way_out
    raise LibraryError(
        f"cannot load the tokenwell library{' named by TOKENWELL_LIBRARY' if configured else ''}; tried:"
        + "".join(failures)
        + f"\n{way_out}"
    )


class _Unusable(OSError):
    """The file cannot be used for a reason that a new installation of the same file would not change."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.way_out = way_out


def _way_out(configured: bool) -> str:
    if configured:
        return (
            f"Set TOKENWELL_LIBRARY to the library of tokenwell {_own_version()} for this machine, or unset it to use"
            " the library of the package."
        )
    if os.path.isfile(os.path.join(os.path.dirname(_PACKAGE), "pyproject.toml")):
        return (
            f"In the source tree, `make library` builds dist/lib/{_NAMES[0]}. Set TOKENWELL_LIBRARY to its path, or"
            " install it in a directory that the dynamic loader searches."
        )
    return f"Install the package again, from where it came: {sys.executable or 'python3'} -m pip install --force-reinstall tokenwell=={_own_version()}"


if sys.platform == "win32":
    _NAMES = ["tokenwell.dll"]
elif sys.platform == "darwin":
    _NAMES = ["libtokenwell.0.dylib", "libtokenwell.dylib"]
else:
    _NAMES = ["libtokenwell.so.0", "libtokenwell.so"]


_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def _default_paths() -> List[str]:
    """Lists the file in this package's ``_lib``; if it has none, also the name for the dynamic loader.

    A library in the package that cannot be used is an error. Another one could be of another version.
    """
    bundled = [os.path.join(_PACKAGE, "_lib", name) for name in _NAMES]
    present = [path for path in bundled if os.path.lexists(path)]
    return present[:1] or [*bundled, _NAMES[0]]


def _check_file(path: str) -> None:
    """Finds what the dynamic loader does not report.

    Raises:
        OSError: The file does not exist, or loading it would crash the process.
    """
    if not os.path.isfile(path):
        raise OSError("no such file")
    if sys.platform.startswith("linux"):
        from ._elf import Elf, NotElf

        try:
            Elf(path)
        except NotElf as problem:
            raise OSError(problem) from None
        except OSError:
            pass  # The dynamic loader cannot open it either, and reports why.


def _explained(path: str, problem: str) -> OSError:
    """Returns an error with the message of the dynamic loader, and before it the cause if the message does not contain it."""
    cause = way_out = ""
    if sys.platform.startswith("linux") and os.path.isabs(path):
        from ._elf import Elf

        try:
            file, program = Elf(path), Elf("/proc/self/exe")
            c_library = _c_library()
            if file.machine != program.machine:
                cause = f"the file is for {file.machine}, but this Python is for {program.machine}"
            elif file.bits != program.bits:
                cause = f"the file is for {file.bits}-bit programs, but this Python is a {program.bits}-bit program"
            elif file.c_library and file.c_library != c_library:
                cause = f"the file is for {file.c_library}, but this Python uses {c_library}"
            elif os.statvfs(path).f_flag & os.ST_NOEXEC:
                cause = "the file is on a file system that is mounted with noexec"
                way_out = "Install it on another file system, or mount this one without noexec."
            elif "version `GLIBC_" in problem and file.glibc > (own := _glibc()):
                needed, here = "glibc %d.%d" % file.glibc, "glibc %d.%d" % own
                cause = f"the file needs {needed} or newer, but this Python uses {here}"
                way_out = (
                    f"Install a wheel of tokenwell {_own_version()} for {here} or older (a wheel for manylinux2014 needs glibc 2.17),"
                    f" or use a system with {needed} or newer."
                )
        except (OSError, ValueError):
            pass
    message = f"{cause}; the dynamic loader reports: {problem}" if cause else problem
    return _Unusable(message, way_out) if way_out else OSError(message)


def _c_library() -> str:
    """Returns the C library of this process."""
    try:
        return "glibc" if os.confstr("CS_GNU_LIBC_VERSION") else "musl"
    except (ValueError, OSError):
        return "musl"


def _glibc() -> Tuple[int, int]:
    """Returns the version of the glibc of this process."""
    major, minor = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()[1].split(".")[:2]
    return int(major), int(minor)


def _own_version() -> str:
    from . import __version__

    return __version__


def _version_of(library: CDLL) -> str:
    """Returns the name and the version of a library that may be of any version."""
    try:
        version = _function(library, "tokenwell_version", c_char_p)()
    except OSError:
        version = None
    return f"tokenwell {version.decode('utf-8', 'replace')}" if version else "a tokenwell library of an unknown version"


def _function(library: CDLL, name: str, result: Any, *arguments: Any) -> Any:
    try:
        # Unlike attribute access, this does not cache the function on the library, so the types
        # that are set here affect only this package.
        function = library[name]
    except AttributeError:
        if name == "tokenwell_version" or not hasattr(library, "tokenwell_version"):
            raise OSError(f"not a compatible tokenwell library: it does not export {name}") from None
        raise OSError(
            f"{_version_of(library)} does not export {name}, which this package, tokenwell {_own_version()}, requires"
        ) from None
    function.restype = result
    function.argtypes = arguments
    return function
