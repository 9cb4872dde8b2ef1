"""Requests to the Admin API, in threads and in tasks. The shared vectors test what the library decides."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time
from typing import Any, Callable, Tuple

import pytest

import tokenwell
from conftest import PATIENCE, Emulator, native_threads, until

ORGS = "/api/atlas/v2/orgs"


def api_faults(emulator: Emulator, *faults: Any) -> None:
    emulator.control("faults", [{"path": ORGS, **fault} for fault in faults])


def test_a_request_returns_the_response(emulator: Emulator, client: tokenwell.Client) -> None:
    response = client.request("GET", ORGS, version="2025-03-12", query={"itemsPerPage": 5, "pretty": True, "tag": ["a", "b"]})

    assert response.status == 200
    assert response.json()["totalCount"] == 1
    assert response.text.encode() == response.body
    assert response.headers["content-type"].startswith("application/vnd.atlas.")
    sent = emulator.control(f"last_request?path={ORGS}")
    assert sent["query"] == "itemsPerPage=5&pretty=true&tag=a&tag=b"
    assert sent["headers"]["accept"] == "application/vnd.atlas.2025-03-12+json"


@pytest.mark.parametrize(
    ("body", "sent"),
    [({"name": "é"}, '{"name": "\\u00e9"}'), ([1], "[1]"), ('{"a":1}', '{"a":1}'), (b"[ ]", "[ ]"), (0, "0")],
)
def test_a_body_is_json(emulator: Emulator, client: tokenwell.Client, body: Any, sent: str) -> None:
    api_faults(emulator, {"status": 201, "body": ""})

    response = client.request("POST", ORGS, body=body)

    assert (response.status, response.body) == (201, b"")
    assert emulator.control(f"last_request?path={ORGS}")["body"] == sent
    with pytest.raises(ValueError, match="not JSON|Expecting value"):
        response.json()


def test_an_error_of_the_api_is_a_response(emulator: Emulator, client: tokenwell.Client) -> None:
    api_faults(emulator, {"status": 429, "headers": {"Retry-After": "7", "X-Two": ["a", "b"]}, "body": {"errorCode": "X"}})

    response = client.request("GET", ORGS)

    assert (response.status, response.json()) == (429, {"errorCode": "X"})
    assert (response.headers["retry-after"], response.headers["x-two"]) == ("7", "a, b")
    assert [pair for pair in response.header_list if pair[0] == "x-two"] == [("x-two", "a"), ("x-two", "b")]
    with pytest.raises(TypeError):
        response.headers["a"] = "b"  # type: ignore[index]


def test_a_response_shows_no_secret_and_cannot_be_pickled(emulator: Emulator, client: tokenwell.Client) -> None:
    api_faults(emulator, {"body": {"secret": "canary"}, "headers": {"X-Secret": "canary"}})

    response = client.request("GET", ORGS)

    assert repr(response) == str(response) == "<tokenwell.ApiResponse status=200>"
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(response)
    with pytest.raises(TypeError, match="secret"):
        copy.copy(response)


def test_a_wrong_argument_is_named_and_nothing_is_sent(emulator: Emulator, client: tokenwell.Client) -> None:
    wrong: Any = object()
    calls: list[tuple[type[Exception], str, Callable[[], Any]]] = [
        (tokenwell.RefusedError, "path", lambda: client.request("GET", "https://evil.example/")),
        (tokenwell.InvalidArgumentError, "method", lambda: client.request("get", ORGS)),
        (tokenwell.InvalidArgumentError, "path", lambda: client.request("GET", "/\udcff")),
        (tokenwell.InvalidArgumentError, "body", lambda: client.request("POST", ORGS, body="{")),
        (TypeError, "method", lambda: client.request(wrong, ORGS)),
        (TypeError, "path", lambda: client.request("GET", b"/")),  # type: ignore[arg-type]
        (TypeError, "version", lambda: client.request("GET", ORGS, version=2025)),  # type: ignore[arg-type]
        (TypeError, "query a", lambda: client.request("GET", ORGS, query={"a": 1.5})),  # type: ignore[dict-item]
        (TypeError, "max_body", lambda: client.request("GET", ORGS, max_body=1.5)),  # type: ignore[arg-type]
        (ValueError, "max_body", lambda: client.request("GET", ORGS, max_body=-1)),
        (ValueError, "timeout", lambda: client.request("GET", ORGS, timeout=-1)),
        (TypeError, "JSON", lambda: client.request("POST", ORGS, body=wrong)),
        (ValueError, "JSON", lambda: client.request("POST", ORGS, body=float("nan"))),
    ]
    for kind, named, call in calls:
        with pytest.raises(kind, match=named):
            call()
    assert emulator.counters()["requests"] == 0


def test_a_request_has_its_own_timeout(emulator: Emulator, client: tokenwell.Client) -> None:
    api_faults(emulator, {"delay_ms": 120_000, "then_serve": True})
    began = time.monotonic()

    with pytest.raises(tokenwell.DeadlineError):
        client.request("GET", ORGS, timeout=0.3)

    assert 0.3 <= time.monotonic() - began < PATIENCE


def test_close_ends_a_request_of_another_thread(emulator: Emulator, client: tokenwell.Client) -> None:
    api_faults(emulator, {"delay_ms": 120_000, "then_serve": True})
    raised = []

    def request() -> None:
        with pytest.raises(tokenwell.ClosedError) as caught:
            client.request("GET", ORGS)
        raised.append(caught.value)

    thread = threading.Thread(target=request)
    thread.start()
    until(lambda: emulator.counters()["api_requests"] == 1, "a request")
    client.close()
    thread.join(PATIENCE)

    assert len(raised) == 1


def test_tasks_send_requests_while_the_loop_runs(emulator: Emulator, client: tokenwell.Client) -> None:
    api_faults(emulator, {"delay_ms": 300, "then_serve": True})

    async def main() -> int:
        requests = [asyncio.ensure_future(client.request_async("GET", ORGS)) for _ in range(5)]
        turns = 0
        while not all(request.done() for request in requests):
            turns += 1
            await asyncio.sleep(0.01)
        assert [request.result().status for request in requests] == [200] * 5
        return turns

    assert asyncio.run(main()) > 5
    assert emulator.token_requests == 1


def test_a_canceled_task_ends_its_request(emulator: Emulator, client: tokenwell.Client) -> None:
    api_faults(emulator, {"delay_ms": 120_000, "then_serve": True})

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.request_async("GET", ORGS), 0.5)
        with pytest.raises(tokenwell.DeadlineError):
            await client.request_async("GET", ORGS, timeout=0.2)
        with pytest.raises(tokenwell.RefusedError):
            await client.request_async("GET", "/../x")

    began = time.monotonic()
    with client:
        asyncio.run(main())
    # The end of the block waits for work in progress: there is none.
    assert time.monotonic() - began < PATIENCE


MOST_THREADS = 32
"""The library sends so many requests of a client at the same time."""


def test_very_many_requests_share_a_few_threads(emulator: Emulator, client: tokenwell.Client) -> None:
    client.token()
    api_faults(emulator, {"delay_ms": 100, "then_serve": True})

    async def main() -> Tuple[int, int]:
        await client.request_async("GET", ORGS)
        before = most = native_threads()
        requests = [asyncio.ensure_future(client.request_async("GET", ORGS)) for _ in range(300)]
        while not all(request.done() for request in requests):
            most = max(most, native_threads())
            await asyncio.sleep(0.005)
        assert [request.result().status for request in requests] == [200] * len(requests)
        return before, most

    before, most = asyncio.run(main())
    # A thread that has nothing left to do may not have ended when another one starts.
    assert before + MOST_THREADS / 2 <= most <= before + 2 * MOST_THREADS


def test_a_request_that_waits_for_a_thread_ends_at_its_timeout_and_at_the_close(emulator: Emulator, client: tokenwell.Client) -> None:
    client.token()
    api_faults(emulator, {"delay_ms": 120_000, "then_serve": True})

    async def main() -> None:
        hanging = [asyncio.ensure_future(client.request_async("GET", ORGS)) for _ in range(MOST_THREADS)]
        while emulator.counters()["api_requests"] < MOST_THREADS:
            await asyncio.sleep(0.01)
        waiting = [asyncio.ensure_future(client.request_async("GET", ORGS)) for _ in range(10)]
        with pytest.raises(tokenwell.DeadlineError):
            await client.request_async("GET", ORGS, timeout=0.2)
        waiting.pop().cancel()
        client.close()
        ended = await asyncio.gather(*hanging, *waiting, return_exceptions=True)
        assert {type(error) for error in ended} == {tokenwell.ClosedError}

    began = time.monotonic()
    asyncio.run(main())

    assert time.monotonic() - began < PATIENCE
    assert emulator.counters()["api_requests"] == MOST_THREADS, "no request was sent after it ended"
