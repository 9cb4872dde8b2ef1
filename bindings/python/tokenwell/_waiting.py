"""Lets a thread wait for a call of the library.

A call that has to wait is one operation of the library, whatever waits for its end: a thread here,
a greenlet in _hubs.py, a task in _loops.py. The first two are chosen when the call is made.
"""

from __future__ import annotations

from _thread import get_ident
from ctypes import byref, c_void_p
from sys import modules

from ._library import DEADLINE, NOT_CONFIGURED, PENDING

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple

    from ._library import Library, Waiting

SLICE_MS = 50
"""How long the main thread waits before Python runs signal handlers, such as that of Ctrl-C."""
LONG_SLICE_MS = 1000
"""The same for other threads, which run no signal handlers.

It bounds how late an exception arrives that another thread sets.
"""
SAVE_MS = 1000
"""How long the end of a ``with`` block waits for work in progress, such as a save."""


def wait(library: Library, waiting: Waiting, arguments: Tuple[Any, ...], outputs: Tuple[Any, ...], error: c_void_p) -> int:
    """Makes a call that may wait, and returns its status.

    Other greenlets run meanwhile, if the thread has any.

    Args:
        library: The library.
        waiting: The forms of the function.
        arguments: The arguments that all forms have.
        outputs: A pointer to the variable that receives the token, or nothing.
        error: Receives the error.
    """
    if "gevent" in modules or "eventlet" in modules:
        from ._hubs import running_hub

        hub = running_hub()
        if hub is not None:
            return hub.wait(library, waiting, arguments, outputs, error)
    operation = c_void_p()
    try:
        status: int = waiting.begin(*arguments, None, None, None, *outputs, byref(operation), byref(error))
        if status == PENDING:
            status = _wait_in_slices(library, operation, outputs, error)
            status = waiting.taken(status, operation, byref(error))
        elif status == NOT_CONFIGURED:
            status = without_operation(library, waiting, arguments, outputs, error)
        return status
    finally:
        if operation:
            library.operation_cancel(operation)
            library.operation_free(operation)


def without_operation(
    library: Library, waiting: Waiting, arguments: Tuple[Any, ...], outputs: Tuple[Any, ...], error: c_void_p
) -> int:
    """Continues after an operation could not be begun because of NOT_CONFIGURED; returns the status of the call.

    If no thread can be created for the operation, the blocking form needs none.
    """
    if library.error_is_remembered(error):
        return NOT_CONFIGURED
    library.error_free(error)
    error.value = None
    status: int = waiting.block(*arguments, *outputs, byref(error))
    return status


def wait_for_saves(library: Library, client: Any) -> None:
    """Waits until a closed client has no work in progress, for at most `SAVE_MS`."""
    if "gevent" in modules or "eventlet" in modules:
        from ._hubs import running_hub

        hub = running_hub()
        if hub is not None:
            hub.poll(lambda: library.client_drain(client, 0, None) != DEADLINE, SAVE_MS / 1000)
            return
    slice_ms = _slice_ms()
    left = SAVE_MS
    while left > 0 and library.client_drain(client, min(left, slice_ms), None) == DEADLINE:
        left -= slice_ms


def _wait_in_slices(library: Library, operation: c_void_p, outputs: Tuple[Any, ...], error: c_void_p) -> int:
    token = outputs[0] if outputs else None
    slice_ms = _slice_ms()
    status = PENDING
    while status == PENDING:
        status = library.operation_wait(operation, slice_ms, token, byref(error))
    return status


def _slice_ms() -> int:
    # Not imported here, because that takes longer than importing this package. Without it the
    # program has only its main thread.
    threading = modules.get("threading")
    is_main = threading is None or get_ident() == threading.main_thread().ident
    return SLICE_MS if is_main else LONG_SLICE_MS
