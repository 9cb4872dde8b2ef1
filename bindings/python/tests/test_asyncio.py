"""Tasks: the event loop is never blocked, whatever the server does."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import resource
import select
import threading
import time
from typing import Any, Callable, List, Set

import pytest

import tokenwell
from conftest import PATIENCE, Emulator, native_threads, until
from tokenwell._queue import _queues

Loops = Callable[[], asyncio.AbstractEventLoop]


def descriptors() -> Set[str]:
    return set(os.listdir("/proc/self/fd"))


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """A loop like that of Windows, which cannot watch the descriptor of a queue."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        if fd == self._csock.fileno() or fd == self._ssock.fileno():  # type: ignore[attr-defined]
            self._add_reader(fd, callback, *args)  # type: ignore[attr-defined]
        else:
            raise NotImplementedError


def loop_of_uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


WITHOUT_UVLOOP = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(LoopWithoutReaders, id="no readers"),
    pytest.param(loop_of_uvloop, id="uvloop", marks=WITHOUT_UVLOOP),
]


def run(loops: Loops, main: Any) -> Any:
    """Does what asyncio.run does, in a loop of the given kind."""
    loop = loops()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def requested(emulator: Emulator, count: int = 1) -> None:
    """Waits until the first token request has been sent, or another one."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while await loop.run_in_executor(None, lambda: emulator.token_requests) < count:
        assert loop.time() < end, "no token request"
        await asyncio.sleep(0.01)


def test_a_task_gets_the_same_token_as_a_thread(emulator: Emulator, client: tokenwell.Client) -> None:
    async def main() -> None:
        token = await client.token_async()

        assert await client.authorization_async() == token.authorization == client.authorization()
        assert (await client.token_async(min_ttl=90, timeout=30)).value == token.value
        assert (await client.token_async(force_refresh=True)).value != token.value

    asyncio.run(main())
    assert emulator.token_requests == 2


def test_a_hundred_tasks_on_a_new_client_send_one_token_request(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(0.2)

    async def main() -> List[str]:
        return await asyncio.gather(*(client.authorization_async() for _ in range(100)))

    assert len(set(asyncio.run(main()))) == 1
    assert emulator.token_requests == 1


def test_the_local_copy_is_returned_to_a_task_without_suspending_it(client: tokenwell.Client) -> None:
    token = client.token()
    coroutine = client.authorization_async()

    with pytest.raises(StopIteration) as answered:
        coroutine.send(None)

    assert answered.value.value == token.authorization


def test_the_event_loop_runs_while_a_token_is_requested(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(1)

    async def main() -> int:
        ticks = 0
        task = asyncio.ensure_future(client.token_async())
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await task
        return ticks

    assert asyncio.run(main()) >= 5


@pytest.mark.parametrize("loops", LOOPS)
def test_r11_tasks_with_different_deadlines_use_no_threads(emulator: Emulator, client: tokenwell.Client, loops: Loops) -> None:
    emulator.slow(1)

    async def main() -> None:
        before, python_threads = native_threads(), threading.active_count()
        tasks = [asyncio.ensure_future(client.token_async(timeout=20 + number / 100)) for number in range(2000)]
        most = 0
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.005)
            most = max(most, native_threads())

        assert most <= before + 4, "the refresh, its signs of life, the dispatcher, and one for a loop without readers"
        assert threading.active_count() - python_threads <= (loops is LoopWithoutReaders)
        assert len({task.result().value for task in tasks}) == 1

    run(loops, main())
    assert emulator.token_requests == 1


def test_waiting_tasks_leave_the_executor_free(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(2)

    async def main() -> None:
        tasks = [asyncio.ensure_future(client.token_async()) for _ in range(100)]
        await asyncio.sleep(0)

        assert await asyncio.get_running_loop().run_in_executor(None, lambda: "free") == "free"
        assert not any(task.done() for task in tasks)
        assert len({token.value for token in await asyncio.gather(*tasks)}) == 1

    asyncio.run(main())


@pytest.mark.parametrize("loops", LOOPS)
def test_each_task_has_its_own_deadline_and_they_share_a_request(
    emulator: Emulator, client: tokenwell.Client, loops: Loops
) -> None:
    emulator.slow(2)
    ends = {}

    async def get(timeout: float) -> bool:
        began = time.monotonic()
        try:
            await client.token_async(timeout=timeout)
        except tokenwell.DeadlineError:
            ends[timeout] = time.monotonic() - began
            return False
        return True

    async def main() -> List[bool]:
        return await asyncio.gather(*(get(timeout) for timeout in (0.1, 0.5, 1.0, PATIENCE)))

    assert run(loops, main()) == [False, False, False, True]
    assert all(took >= timeout * 0.99 for timeout, took in ends.items())
    assert ends[0.1] < ends[0.5] < ends[1.0] < 2
    assert emulator.token_requests == 1


@pytest.mark.parametrize("loops", LOOPS)
def test_cancelling_all_tasks_but_one_serves_that_one(
    emulator: Emulator, make: Callable[..., tokenwell.Client], loops: Loops
) -> None:
    async def tokens_came_late(client: tokenwell.Client) -> bool:
        tasks = [asyncio.ensure_future(client.token_async()) for _ in range(1000)]
        await requested(emulator, before + 1)
        if any(task.done() for task in tasks):
            await asyncio.gather(*tasks)
            return False
        for task in tasks[:-1]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

        assert {type(outcome) for outcome in outcomes[:-1]} == {asyncio.CancelledError}
        assert isinstance(outcomes[-1], tokenwell.Token)
        return True

    # A busy machine may need a second for the tasks: then again, with a slower server.
    for seconds in (1, 5, 25):
        before = emulator.token_requests
        emulator.slow(seconds)
        if run(loops, tokens_came_late(make())):
            break
    else:
        pytest.fail("the tokens came before the tasks could be canceled, even from a server that takes 25 s")
    assert emulator.token_requests == before + 1


def test_cancelling_a_task_does_not_cancel_the_token_request(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(3)

    async def main() -> None:
        tasks = [asyncio.ensure_future(client.token_async()) for _ in range(3)]
        await requested(emulator)
        tasks[0].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert isinstance(outcomes[1], tokenwell.Token) and isinstance(outcomes[2], tokenwell.Token)

    asyncio.run(main())
    assert emulator.token_requests == 1


def test_a_token_request_continues_after_all_its_tasks_were_canceled(
    emulator: Emulator, client: tokenwell.Client
) -> None:
    emulator.slow(3)

    async def main() -> None:
        task = asyncio.ensure_future(client.token_async())
        await requested(emulator)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.token_async()).value

    asyncio.run(main())
    assert emulator.token_requests == 1


def test_every_task_raises_its_own_error(
    emulator: Emulator, client: tokenwell.Client, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults({"delay_ms": 1000, "status": 401, "body": {"error": "invalid_client"}})

    async def main() -> None:
        tasks = [asyncio.ensure_future(client.token_async()) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[4].cancel()
        errors = await asyncio.gather(*tasks[:4], return_exceptions=True)

        assert {type(error) for error in errors} == {tokenwell.CredentialRejectedError}
        assert len({id(error) for error in errors}) == 4
        assert {error.http_status for error in errors} == {401}  # type: ignore[union-attr]

    asyncio.run(main())
    assert not caplog.records, "asyncio reports an exception that was never retrieved"


def test_a_task_that_joins_late_has_its_own_deadline(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(PATIENCE)

    async def get() -> float:
        began = time.monotonic()
        with pytest.raises(tokenwell.DeadlineError):
            await client.token_async(timeout=1)
        return time.monotonic() - began

    async def main() -> List[float]:
        first = asyncio.ensure_future(get())
        await asyncio.sleep(0.5)
        return await asyncio.gather(first, get())

    first, late = asyncio.run(main())
    assert first > 0.9 and late > 0.9
    assert late < PATIENCE / 2


def test_a_task_never_receives_a_token_that_was_invalidated_before_its_call(
    emulator: Emulator, client: tokenwell.Client
) -> None:
    async def main() -> None:
        first = await client.token_async()
        client.invalidate(first)
        assert (await client.token_async()).value != first.value

    asyncio.run(main())


@pytest.mark.parametrize("loops", LOOPS)
def test_a_task_invalidates_and_revokes(emulator: Emulator, loops: Loops) -> None:
    async def main() -> None:
        async with tokenwell.Client(**emulator.settings()) as client:
            first = await client.token_async()
            await client.invalidate_async(first)
            second = await client.token_async()
            await client.revoke_async(timeout=PATIENCE)
            assert len({first.value, second.value, (await client.token_async()).value}) == 3
        with pytest.raises(tokenwell.ClosedError):
            await client.invalidate_async(second)
        with pytest.raises(TypeError, match="token must be a Token"):
            await client.invalidate_async(None)  # type: ignore[arg-type]

    run(loops, main())
    assert emulator.counters()["revoke_requests"] == 1


def test_the_event_loop_runs_while_a_token_is_revoked(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.control("faults", [{"path": "/api/oauth/revoke", "delay_ms": 1000, "then_serve": True}])

    async def main() -> int:
        await client.token_async()
        ticks = 0
        task = asyncio.ensure_future(client.revoke_async())
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await task
        return ticks

    assert asyncio.run(main()) >= 5


def test_close_wakes_every_waiting_task(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(2 * PATIENCE)

    async def main() -> None:
        async with client:
            tasks = [asyncio.ensure_future(client.token_async(timeout=2 * PATIENCE)) for _ in range(16)]
            await requested(emulator)
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
        assert {type(outcome) for outcome in outcomes} == {tokenwell.ClosedError}
        with pytest.raises(tokenwell.ClosedError):
            await client.token_async()

    asyncio.run(main())


def test_loops_in_two_threads_share_a_client(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(0.3)
    values: List[str] = []

    def run() -> None:
        async def main() -> None:
            tokens = await asyncio.gather(*(client.token_async() for _ in range(10)))
            values.extend(token.value for token in tokens)

        asyncio.run(main())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(values) == 20 and len(set(values)) == 1
    assert emulator.token_requests == 1


@pytest.mark.parametrize("loops", LOOPS)
def test_loops_that_replace_each_other_leave_nothing_behind(
    emulator: Emulator, client: tokenwell.Client, loops: Loops
) -> None:
    emulator.control("settings", {"rate_limit": None})
    run(loops, client.token_async(force_refresh=True))
    gc.collect()
    before = descriptors()

    values = {run(loops, client.token_async(force_refresh=True)).value for _ in range(20)}

    gc.collect()
    assert len(values) == 20
    until(lambda: descriptors() <= before, "the end of the queues")
    until(lambda: threading.active_count() == 1, "the end of the threads")


@pytest.mark.parametrize("kept", [False, True], ids=["task dropped", "task kept"])
@pytest.mark.parametrize("loops", LOOPS)
def test_a_loop_that_is_closed_during_a_wait_leaks_no_descriptor(
    emulator: Emulator, make: Callable[..., tokenwell.Client], loops: Loops, kept: bool
) -> None:
    emulator.slow(2 * PATIENCE)
    client = make(timeout=1)  # the refresh, which has descriptors of its own, ends after that
    run(loops, asyncio.sleep(0))  # so that what a kind of loop opens once is open
    before = descriptors()
    tasks = []

    for _ in range(5):
        loop = loops()
        task = loop.create_task(client.token_async(timeout=PATIENCE))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        tasks.append(task)
        if not kept:
            tasks.clear()
        del loop, task
    client.close()
    gc.collect()

    # What the kept task of the last loop refers to is freed when another loop waits. A queue that a
    # thread reads is freed with the task.
    left = 0 if not kept else 5 if loops is LoopWithoutReaders else 1
    until(lambda: len(descriptors() - before) <= left, "the end of the queues")
    tasks.clear()
    gc.collect()
    until(lambda: descriptors() <= before, "the end of the last queue")
    until(lambda: threading.active_count() == 1, "the end of the threads")


def test_nothing_is_watched_while_no_task_waits(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(0.3, times=1)

    async def main() -> List[int]:
        watched = [len(loop._selector.get_map())]
        task = asyncio.ensure_future(client.token_async())
        await asyncio.sleep(0)
        watched.append(len(loop._selector.get_map()))
        await task
        watched.append(len(loop._selector.get_map()))
        await client.token_async(min_ttl=90)
        watched.append(len(loop._selector.get_map()))
        return watched

    loop: Any = asyncio.SelectorEventLoop()
    try:
        first, waiting, after, cached = loop.run_until_complete(main())
    finally:
        loop.close()

    assert (waiting, after, cached) == (first + 1, first, first)


def test_a_task_whose_deadline_passes_while_its_loop_is_stopped_gets_its_error(
    emulator: Emulator, client: tokenwell.Client
) -> None:
    emulator.slow(2 * PATIENCE)
    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(client.token_async(timeout=0.1))
        loop.run_until_complete(asyncio.sleep(0))
        time.sleep(0.3)

        with pytest.raises(tokenwell.DeadlineError):
            loop.run_until_complete(task)
    finally:
        loop.close()


def test_a_wait_that_another_thread_collects_ends_the_watching(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(2 * PATIENCE)

    async def main() -> None:
        waiting = client.token_async().__await__()
        next(waiting)  # the future it waits for
        before = len(loop._selector.get_map())

        thread = threading.Thread(target=waiting.close)
        thread.start()
        thread.join()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert len(loop._selector.get_map()) == before - 1

    loop: Any = asyncio.SelectorEventLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_canceled_task_cancels_and_frees_its_operation(
    emulator: Emulator, client: tokenwell.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.slow(2 * PATIENCE)
    library = client._library
    canceled: List[int] = []
    freed: List[int] = []
    cancel, free = library.operation_cancel, library.operation_free
    monkeypatch.setattr(library, "operation_cancel", lambda each: canceled.append(each.value) or cancel(each))
    monkeypatch.setattr(library, "operation_free", lambda each: freed.append(each.value) or free(each))

    async def main() -> None:
        tasks = [asyncio.ensure_future(client.token_async()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        assert (len(canceled), canceled) == (1, freed)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.wait(tasks)

    asyncio.run(main())
    assert len(set(canceled)) == 3 and canceled == freed


def test_a_task_may_be_canceled_after_its_operation_has_ended(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(0.1)
    problems: List[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        task = asyncio.ensure_future(client.token_async())
        await asyncio.sleep(0)
        until(lambda: client.stats().mints == 1, "the token")
        time.sleep(0.5)  # the entry is in the queue, and the loop, which this blocks, has not read it
        loop.call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not problems


def test_a_token_that_comes_while_the_last_task_is_canceled_is_not_kept_in_the_queue(
    emulator: Emulator, client: tokenwell.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.slow(0.1)
    library = client._library
    cancel = library.operation_cancel

    def cancel_after_the_end(operation: Any) -> Any:
        until(lambda: client.stats().mints == 1, "the token")
        time.sleep(0.5)  # the entry is in the queue
        return cancel(operation)

    async def main() -> None:
        task = asyncio.ensure_future(client.token_async())
        await asyncio.sleep(0)
        monkeypatch.setattr(library, "operation_cancel", cancel_after_the_end)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        queue = _queues[asyncio.get_running_loop()]
        assert select.select([queue.descriptor], [], [], 0)[0] == []

    asyncio.run(main())


def test_without_a_descriptor_a_task_gets_an_error(client: tokenwell.Client) -> None:
    token = client.token()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    filling: List[int] = []

    async def main() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, descriptors())) + 1, hard))
        try:
            with pytest.raises(OSError):
                while True:
                    filling.append(os.dup(0))
            with pytest.raises(tokenwell.NotConfiguredError, match="descriptor"):
                await client.token_async(min_ttl=90)
            assert (await client.token_async()).value == client.token(min_ttl=90).value == token.value
        finally:
            for descriptor in filling:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await client.token_async(min_ttl=90)).value == token.value

    asyncio.run(main())
