"""Lets tasks of asyncio wait for a call of the library, in any of its event loops."""

from __future__ import annotations

import asyncio
from ctypes import byref, c_void_p
from typing import Any, Callable, Tuple
from weakref import ref

from ._library import DEADLINE, PENDING, Library, Waiting
from ._queue import CompletionQueue, Waits, waits_of
from ._waiting import SAVE_MS

POLL_SECONDS = 0.01
"""How often the end of an ``async with`` block checks whether work is in progress."""


async def wait_in_loop(
    library: Library, waiting: Waiting, arguments: Tuple[Any, ...], outputs: Tuple[Any, ...], error: c_void_p
) -> int:
    """Makes a call that may wait, and returns its status; the arguments are those of `_waiting.wait`.

    The task has an operation of its own, with its own deadline. If it is canceled, its operation
    is, and what the library does for others continues.
    """
    loop = asyncio.get_running_loop()
    waits = waits_of(loop, TaskWaits, library)
    operation, tag = c_void_p(), 0
    try:
        status, tag = waits.begin(waiting, arguments, outputs, operation, error)
        if status == PENDING:
            ended = loop.create_future()
            waits.add(tag, ended)
            await ended
            status = library.operation_result(operation, 0, outputs[0] if outputs else None, byref(error))
            status = waiting.taken(status, operation, byref(error))
        return status
    finally:
        if operation:
            library.operation_cancel(operation)
            library.operation_free(operation)
        # Afterwards, because the last one also drops what is left in the queue.
        waits.remove(tag)


async def wait_for_saves_in_loop(library: Library, client: Any) -> None:
    """Waits like `_waiting.wait_for_saves`, without blocking the event loop."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SAVE_MS / 1000
    while library.client_drain(client, 0, None) == DEADLINE and loop.time() < end:
        await asyncio.sleep(POLL_SECONDS)


class TaskWaits(Waits):
    """The waits of an event loop of asyncio."""

    __slots__ = ()

    loop: asyncio.AbstractEventLoop

    @staticmethod
    def is_closed(loop: asyncio.AbstractEventLoop) -> bool:
        return loop.is_closed()

    def call_soon(self, call: Callable[[], None]) -> None:
        if asyncio._get_running_loop() is self.loop:
            call()
        else:
            self.loop.call_soon_threadsafe(call)

    def watch(self, queue: CompletionQueue) -> None:
        if queue.descriptor >= 0:
            try:
                self.loop.add_reader(queue.descriptor, self.read)
                return
            except NotImplementedError:
                pass
        from threading import Thread

        # A daemon thread, so that the program's exit does not wait for it. It does not keep the
        # loop alive either: if these waits are dropped, the queue is closed.
        arguments = queue, ref(self, lambda _: queue.close())
        queue.has_thread = True
        Thread(target=_read, args=arguments, name="tokenwell-queue", daemon=True).start()

    def unwatch(self, queue: CompletionQueue) -> None:
        if queue.has_thread:
            queue.close()
        else:
            self.loop.remove_reader(queue.descriptor)
            queue.take()  # drops the entries of canceled operations


def _read(queue: CompletionQueue, waits_reference: ref[TaskWaits]) -> None:
    """The thread that reads a queue for a loop that cannot watch a descriptor."""
    while queue.wait():
        tags = queue.take()
        waits = waits_reference()
        if waits is None:
            return
        try:
            waits.loop.call_soon_threadsafe(waits.wake, tags)
        except RuntimeError:
            return  # the loop is closed
        del waits
