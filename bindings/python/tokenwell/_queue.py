"""The completion queue of an event loop, and the waits that end in it.

A thread of the library must not call Python: at interpreter exit that would abort the process. The
library adds the ends of operations to a queue instead, whose descriptor the loop watches while an
operation is pending. While none is, nothing is watched.

Each loop has a queue of its own, so that only the thread of the loop changes what waits for it.
_loops.py is for tasks, _hubs.py for greenlets.
"""

from __future__ import annotations

import os
from ctypes import byref, c_int32, c_uint64, c_void_p
from weakref import WeakKeyDictionary, ref

from ._library import FOREVER, OK
from .errors import from_library

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Protocol, Tuple, Type, TypeVar

    from ._library import Library, Waiting

    AnyWaits = TypeVar("AnyWaits", bound="Waits")

    class Ended(Protocol):
        """What is told that an operation has ended."""

        def done(self) -> bool: ...
        def set_result(self, result: None, /) -> object: ...


BATCH = 256
"""How many entries are taken before the loop may do other work."""


def waits_of(loop: Any, kind: Type[AnyWaits], library: Library) -> AnyWaits:
    """Returns the waits of the calling thread's loop, which are of this kind.

    Raises:
        NotConfiguredError: The process has too many open descriptors.
    """
    queue = _queues.get(loop)
    if queue is None or queue.is_closed:
        _free_queues_of_closed_loops()
        queue = _queues[loop] = CompletionQueue(library, kind)
    return queue.waits(loop)  # type: ignore[return-value]


class Waits:
    """The pending waits of one loop.

    The object exists while there are some. The loop refers to it, and so does each wait: if the
    program drops a loop, nothing else keeps them alive.
    """

    __slots__ = ("__weakref__", "_pending", "_process", "_queue", "loop")

    def __init__(self, queue: CompletionQueue, loop: Any) -> None:
        self.loop = loop
        self._queue = queue
        self._pending: Dict[int, Ended] = {}
        self._process = _process

    def begin(
        self, waiting: Waiting, arguments: Tuple[Any, ...], outputs: Tuple[Any, ...], operation: c_void_p, error: c_void_p
    ) -> Tuple[int, int]:
        """Begins an operation that ends in the queue; returns its status and its tag."""
        tag = self._queue.next_tag()
        status = waiting.queue(*arguments, self._queue.handle, tag, *outputs, byref(operation), byref(error))
        return status, tag

    def add(self, tag: int, ended: Ended) -> None:
        """Adds a wait for the operation with this tag.

        Its entry has not been taken yet, because only the thread of the loop does that.
        """
        self._pending[tag] = ended
        if len(self._pending) == 1:
            self.watch(self._queue)

    def remove(self, tag: int) -> None:
        """Removes a wait, if it was added. Any thread may do so, because it may collect garbage."""
        if self._pending.pop(tag, None) is None or self._pending or self.is_inherited:
            return
        try:
            self.call_soon(self._stop)
        except RuntimeError:
            pass  # the loop is closed, and watches nothing

    @property
    def is_inherited(self) -> bool:
        """Whether this is a forked child, in which these operations never end."""
        return self._process is not _process

    def read(self) -> None:
        """Wakes the waits whose operations have ended. Called by the loop."""
        if self.is_inherited:
            self.unwatch_inherited()
        else:
            self.wake(self._queue.take())

    def wake(self, tags: List[int]) -> None:
        for tag in tags:
            ended = self._pending.get(tag)
            if ended is not None and not ended.done():
                ended.set_result(None)

    def _stop(self) -> None:
        if not self._pending:  # otherwise another wait began meanwhile
            self.unwatch(self._queue)

    # What depends on the loop.

    @staticmethod
    def is_closed(loop: Any) -> bool:
        """Returns whether a loop never runs again."""
        return False

    def call_soon(self, call: Callable[[], None]) -> None:
        """Makes a call on the thread of the loop, immediately if this is that thread.

        Raises:
            RuntimeError: The loop is closed.
        """
        call()

    def watch(self, queue: CompletionQueue) -> None:
        """Has the loop call `read` while the queue has entries."""
        raise NotImplementedError

    def unwatch(self, queue: CompletionQueue) -> None:
        """Ends what `watch` began."""
        raise NotImplementedError

    def unwatch_inherited(self) -> None:
        """Does so in a forked child, unless the child cannot do that without affecting its parent."""


class CompletionQueue:
    """A queue of the library, which one loop reads.

    It does not refer to the loop, and is freed with it. `has_thread` says that a thread waits for
    it instead.
    """

    __slots__ = ("_free", "_last_tag", "_library", "_waits", "descriptor", "handle", "has_thread", "is_closed", "kind")

    handle: Optional[c_void_p]

    def __init__(self, library: Library, kind: Type[Waits]) -> None:
        self.kind = kind
        self.handle = None
        self.has_thread = False
        self.is_closed = False
        self._library = library
        # A reference of this object's own, because module globals may be cleared before it at
        # interpreter exit.
        self._free = library.queue_free
        self._last_tag = 0
        self._waits: Callable[[], Optional[Waits]] = lambda: None
        handle, descriptor = c_void_p(), c_int32()
        self._call(library.queue_new, byref(handle))
        self.handle = handle
        self._call(library.queue_descriptor, handle, byref(descriptor))
        self.descriptor: int = descriptor.value

    def __del__(self) -> None:
        self.free()

    def waits(self, loop: Any) -> Waits:
        """Returns the waits of the loop."""
        waits = self._waits()
        if waits is None:
            waits = self.kind(self, loop)
            self._waits = ref(waits)
        return waits

    def next_tag(self) -> int:
        self._last_tag += 1
        return self._last_tag

    def take(self) -> List[int]:
        """Takes up to `BATCH` entries, and returns their tags."""
        library = self._library
        tags: List[int] = []
        tag, operation = c_uint64(), c_void_p()
        while len(tags) < BATCH and library.queue_take(self.handle, byref(tag), byref(operation), None) == OK:
            library.operation_free(operation)
            tags.append(tag.value)
        return tags

    def wait(self) -> bool:
        """Waits until there is an entry; returns False if the queue was closed."""
        return bool(self._library.queue_wait(self.handle, FOREVER, None) == OK)

    def close(self) -> None:
        """Ends `wait`. The queue cannot be used again."""
        self.is_closed = True
        self._library.queue_close(self.handle, None)

    def free(self) -> None:
        """Frees the queue, which nobody watches or waits for any more."""
        self.is_closed = True
        if self.handle is not None:
            handle, self.handle = self.handle, None
            self._free(handle)

    def _call(self, function: Any, *arguments: Any) -> None:
        error = c_void_p()
        status = function(*arguments, byref(error))
        if status:
            raise from_library(self._library, status, error)


_queues: WeakKeyDictionary[Any, CompletionQueue] = WeakKeyDictionary()
"""The queue of each loop that has ever waited."""
_process = object()
"""Another one in a forked child."""


def _free_queues_of_closed_loops() -> None:
    """Frees what tasks would keep alive that were pending when their loop was closed."""
    for reference in _queues.keyrefs():
        loop = reference()
        queue = None if loop is None else _queues.get(loop)
        if queue is not None and queue.kind.is_closed(loop):
            _queues.pop(loop, None)
            if queue.has_thread:
                queue.close()  # and freed by its thread
            else:
                queue.free()


def _forget_queues_of_parent() -> None:
    global _process, _queues
    _process, _queues = object(), WeakKeyDictionary()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_queues_of_parent)
