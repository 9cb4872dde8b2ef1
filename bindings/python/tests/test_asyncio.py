"""Tasks: the event loop is never blocked, whatever the server does."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, List, Union

import pytest

import tokenwell
from conftest import PATIENCE, Emulator


async def requested(emulator: Emulator) -> None:
    """Waits until the first token request has been sent."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while await loop.run_in_executor(None, lambda: emulator.token_requests) == 0:
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


def test_waiting_tasks_share_a_thread_and_leave_the_executor_free(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(5)

    async def main() -> None:
        before = threading.active_count()
        tasks = [asyncio.ensure_future(client.token_async()) for _ in range(100)]
        await asyncio.sleep(0)
        assert threading.active_count() <= before + 1

        assert await asyncio.get_running_loop().run_in_executor(None, lambda: "free") == "free"
        assert not any(task.done() for task in tasks)
        assert len({token.value for token in await asyncio.gather(*tasks)}) == 1

    asyncio.run(main())


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


def test_a_task_invalidates_and_revokes_on_another_thread(emulator: Emulator) -> None:
    callers: List[threading.Thread] = []

    class Watched(tokenwell.Client):
        def invalidate(self, token: Union[tokenwell.Token, str]) -> None:
            callers.append(threading.current_thread())
            super().invalidate(token)

        def revoke(self, timeout: Any = None) -> None:
            callers.append(threading.current_thread())
            super().revoke(timeout)

    async def main() -> None:
        async with Watched(**emulator.settings()) as client:
            first = await client.token_async()
            await client.invalidate_async(first)
            second = await client.token_async()
            await client.revoke_async(timeout=PATIENCE)
            assert len({first.value, second.value, (await client.token_async()).value}) == 3
        with pytest.raises(tokenwell.ClosedError):
            await client.invalidate_async(second)
        with pytest.raises(TypeError, match="token: must be a Token"):
            await client.invalidate_async(None)  # type: ignore[arg-type]

    asyncio.run(main())
    assert len(callers) == 4 and threading.current_thread() not in callers
    assert emulator.counters()["revoke_requests"] == 1


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
