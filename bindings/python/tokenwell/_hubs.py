"""Lets greenlets of gevent and eventlet wait for a call of the library, while other greenlets run.

Neither is imported unless the program has done so. What counts is the thread that makes the call:
if it has a hub, that is what schedules its greenlets, whether or not the program has patched the
standard library. The thread of a native pool has no hub, and waits like any other thread.
"""

from __future__ import annotations

import sys
import time
from ctypes import byref, c_void_p

from ._library import NOT_CONFIGURED, PENDING
from ._queue import CompletionQueue, Waits, waits_of
from ._waiting import without_operation

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Tuple, Type

    from ._library import Library, Waiting

POLL_SECONDS = 0.01
"""How often the end of a ``with`` block checks whether work is in progress."""


class Hub:
    """The hub of the calling thread."""

    def __init__(self, hub: Any, waits: Type[HubWaits], sleep: Callable[[float], object]) -> None:
        self._hub = hub
        self._waits = waits
        self._sleep = sleep

    def wait(
        self, library: Library, waiting: Waiting, arguments: Tuple[Any, ...], outputs: Tuple[Any, ...], error: c_void_p
    ) -> int:
        """Makes a call that may wait, and returns its status; the arguments are those of `_waiting.wait`."""
        waits = waits_of(self._hub, self._waits, library)
        operation, tag = c_void_p(), 0
        try:
            status, tag = waits.begin(waiting, arguments, outputs, operation, error)
            if status == PENDING:
                ended = waits.create_ended()
                waits.add(tag, ended)
                ended.wait()
                status = library.operation_result(operation, 0, outputs[0] if outputs else None, byref(error))
                status = waiting.taken(status, operation, byref(error))
            elif status == NOT_CONFIGURED:
                status = without_operation(library, waiting, arguments, outputs, error)
            return status
        finally:
            if operation:
                library.operation_cancel(operation)
                library.operation_free(operation)
            # Afterwards, because the last one also drops what is left in the queue.
            waits.remove(tag)

    def poll(self, condition: Callable[[], bool], seconds: float) -> None:
        """Waits until the condition holds, for at most this time."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self._sleep(POLL_SECONDS)


def running_hub() -> Optional[Hub]:
    """Returns the hub of the calling thread.

    None if the thread has none, or is running a callback of it, in which nothing can wait.
    """
    return _gevent_hub() or _eventlet_hub()


def _gevent_hub() -> Optional[Hub]:
    module = sys.modules.get("gevent._hub_local")
    hub = None if module is None else module.get_hub_if_exists()
    if hub is None or hub.loop is None or sys.modules["greenlet"].getcurrent() is hub:
        return None
    import gevent

    return Hub(hub, GeventWaits, gevent.sleep)


def _eventlet_hub() -> Optional[Hub]:
    module = sys.modules.get("eventlet.hubs")
    hub = None if module is None else getattr(module._threadlocal, "hub", None)
    if hub is None or sys.modules["greenlet"].getcurrent() is hub.greenlet:
        return None
    import eventlet

    return Hub(hub, EventletWaits, eventlet.sleep)


class HubWaits(Waits):
    """The waits of the greenlets of one hub."""

    __slots__ = ("_watcher",)

    def create_ended(self) -> Any:
        """Returns an event that a greenlet waits for."""
        raise NotImplementedError


class GeventWaits(HubWaits):
    __slots__ = ()

    def create_ended(self) -> Any:
        from gevent.event import AsyncResult

        return AsyncResult()

    def watch(self, queue: CompletionQueue) -> None:
        self._watcher = self.loop.loop.io(queue.descriptor, 1)
        self._watcher.start(self.read)

    def unwatch(self, queue: CompletionQueue) -> None:
        self._watcher.stop()
        self._watcher.close()
        queue.take()  # drops the entries of canceled operations

    def unwatch_inherited(self) -> None:
        self._watcher.stop()  # gevent gives the child a poller of its own


class EventletWaits(HubWaits):
    __slots__ = ()

    def create_ended(self) -> Any:
        return _EventletEnded()

    def watch(self, queue: CompletionQueue) -> None:
        def read(_: int) -> None:
            self.read()

        self._watcher = self.loop.add(self.loop.READ, queue.descriptor, read, lambda *_: None, lambda: None)

    def unwatch(self, queue: CompletionQueue) -> None:
        self.loop.remove(self._watcher)
        queue.take()  # drops the entries of canceled operations


class _EventletEnded:
    """An event of eventlet, with the names of other futures."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        from eventlet.event import Event

        self._event = Event()

    def done(self) -> bool:
        return bool(self._event.ready())

    def set_result(self, result: None, /) -> None:
        self._event.send(result)

    def wait(self) -> None:
        self._event.wait()
