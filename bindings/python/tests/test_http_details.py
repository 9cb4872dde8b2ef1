"""What concerns one HTTP client only: its own objects, timeouts and cancellation."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time
from typing import Any, Callable, Iterator

import pytest

import tokenwell
from conftest import PATIENCE, Emulator
from http_clients import ACCEPT
from servers import Answer, Recorder, rejects

ORGS = "/api/atlas/v2/orgs"
FAILURE_AFTER_A_401 = [
    {"path": ORGS, "status": 401, "endless": True, "times": 1},
    {"path": "/api/oauth/token", "status": 429},
]
"""The rest of the 401 is never read, so that its connection stays in use until it is closed."""


class TestRequests:
    @pytest.fixture
    def session(self, client: tokenwell.Client, api: Recorder) -> Iterator[Any]:
        requests = pytest.importorskip("requests")
        import tokenwell.requests

        with requests.Session() as session:
            session.auth = tokenwell.requests.Auth(client, origin=api.url)
            yield session

    def test_a_response_can_be_pickled_and_copied(self, session: Any, api: Recorder) -> None:
        api.answers = [Answer(401)]
        response = session.get(api.url)

        for copied in (pickle.loads(pickle.dumps(response)), copy.deepcopy(response)):
            assert (copied.status_code, copied.text, [each.status_code for each in copied.history]) == (200, "answer 200", [401])
            hook = copied.request.hooks["response"][0]
            assert hook(copied) is None

    def test_the_response_of_a_replay_has_the_401_in_its_history(self, session: Any, api: Recorder) -> None:
        api.answers = [Answer(401)]
        seen = []
        response = session.get(api.url, hooks={"response": lambda response, **_: seen.append(response.status_code)})

        assert seen == [200]
        first, second = response.history[0].request, response.request
        assert [request.headers["Authorization"] for request in (first, second)] == [each.authorization for each in api.requests]

    def test_a_401_that_is_cut_off_is_replayed(self, session: Any, api: Recorder) -> None:
        api.answers = [Answer(401, missing=10)]

        assert session.get(api.url).status_code == 200

    def test_a_streamed_response_is_not_read(self, session: Any, api: Recorder) -> None:
        api.answers = [Answer(401)]

        with session.get(api.url, stream=True) as response:
            assert response.raw.read() == b"answer 200"

    def test_a_401_without_an_end_is_not_read_if_the_response_is_streamed(
        self, emulator: Emulator, client: tokenwell.Client
    ) -> None:
        import requests
        import tokenwell.requests

        emulator.control("faults", [{"path": ORGS, "status": 401, "endless": True, "times": 1}])
        with requests.Session() as session:
            session.auth = tokenwell.requests.Auth(client)
            with session.get(emulator.base_url + ORGS, headers=ACCEPT, stream=True) as response:
                assert response.status_code == 200

    def test_the_401_of_a_header_that_replaced_the_token_is_left_alone(
        self, session: Any, client: tokenwell.Client, api: Recorder
    ) -> None:
        import requests

        api.answers = [Answer(401)]
        prepared = session.prepare_request(requests.Request("GET", api.url))
        prepared.headers["Authorization"] = "Bearer of-the-program"

        assert session.send(prepared).status_code == 401
        assert client.stats().invalidations == 0

    def test_a_failure_after_a_401_releases_the_connection(self, emulator: Emulator, client: tokenwell.Client) -> None:
        import requests
        import tokenwell.requests
        from requests.adapters import HTTPAdapter

        client.token()
        emulator.control("faults", FAILURE_AFTER_A_401)
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
            auth = tokenwell.requests.Auth(client)
            with pytest.raises(tokenwell.RateLimitedError) as kept:
                session.get(emulator.base_url + ORGS, headers=ACCEPT, auth=auth)
            done = []
            reader = threading.Thread(target=lambda: done.append(session.get(emulator.base_url + ORGS).status_code), daemon=True)
            reader.start()
            reader.join(PATIENCE)
        assert done == [401] and kept.value

    def test_a_file_is_sent_again_from_where_it_was(self, session: Any, api: Recorder, tmp_path: Any) -> None:
        (tmp_path / "file").write_bytes(b"header body")
        api.answers = [Answer(401)]
        with open(tmp_path / "file", "rb") as file:
            file.seek(7)
            assert session.put(api.url, data=file).status_code == 200

        assert [request.body for request in api.requests] == [b"body", b"body"]

    def test_a_prepared_request_can_be_sent_again_after_its_token_was_rejected(
        self, session: Any, client: tokenwell.Client, api: Recorder
    ) -> None:
        import requests

        api.decide = rejects(client.token())
        prepared = session.prepare_request(requests.Request("POST", api.url, data=b"body"))

        assert [session.send(prepared).status_code for _ in range(2)] == [200, 200]
        assert client.stats().invalidations == 1

    @pytest.mark.parametrize("timeout", [0.2, (PATIENCE, 0.2)])
    def test_the_timeout_of_a_request_limits_the_wait_for_the_second_token(
        self, session: Any, client: tokenwell.Client, emulator: Emulator, api: Recorder, timeout: Any
    ) -> None:
        api.decide = rejects(client.token())
        emulator.slow(2 * PATIENCE)
        start = time.monotonic()

        with pytest.raises(tokenwell.DeadlineError):
            session.get(api.url, timeout=timeout)
        assert time.monotonic() - start < PATIENCE

    def test_credentials_in_the_url_are_not_mixed_with_a_token(self, session: Any, api: Recorder) -> None:
        session.get(api.url.replace("//", "//user:password@"))

        assert api.requests[0].authorization is None


class TestHttpx:
    @pytest.fixture(autouse=True)
    def library(self) -> None:
        pytest.importorskip("httpx")

    def test_a_request_can_be_sent_again_with_another_token(self, client: tokenwell.Client, api: Recorder) -> None:
        import httpx
        import tokenwell.httpx

        with httpx.Client(auth=tokenwell.httpx.Auth(client, origin=api.url)) as session:
            request = session.build_request("POST", api.url, content=b"body")
            for tokens in ([], [client.token()]):
                api.decide = rejects(*tokens)
                assert session.send(request).status_code == 200
                assert "Authorization" not in request.headers

        assert len(api.requests) == 3 and {each.body for each in api.requests} == {b"body"}

    def test_an_async_request_can_be_sent_again_with_another_token(self, client: tokenwell.Client, api: Recorder) -> None:
        import httpx
        import tokenwell.httpx

        async def main() -> None:
            async with httpx.AsyncClient(auth=tokenwell.httpx.Auth(client, origin=api.url)) as session:
                request = session.build_request("POST", api.url, content=b"body")
                for tokens in ([], [await client.token_async()]):
                    api.decide = rejects(*tokens)
                    assert (await session.send(request)).status_code == 200
                    assert "Authorization" not in request.headers

        asyncio.run(main())
        assert len(api.requests) == 3 and {each.body for each in api.requests} == {b"body"}

    def test_the_header_is_removed_although_the_request_fails(self, client: tokenwell.Client) -> None:
        import httpx
        import tokenwell.httpx

        def fail(request: httpx.Request) -> httpx.Response:
            assert request.headers["Authorization"] == client.authorization()
            raise httpx.ConnectError("no connection")

        auth = tokenwell.httpx.Auth(client)
        with httpx.Client(auth=auth, transport=httpx.MockTransport(fail), base_url=client.base_url or "") as session:
            request = session.build_request("GET", "/")
            with pytest.raises(httpx.ConnectError):
                session.send(request)
        assert "Authorization" not in request.headers

    def test_a_streamed_response_is_not_read(self, client: tokenwell.Client, api: Recorder) -> None:
        import httpx
        import tokenwell.httpx

        api.answers = [Answer(401)]
        auth = tokenwell.httpx.Auth(client, origin=api.url)
        with httpx.Client(auth=auth) as session, session.stream("GET", api.url) as response:
            assert response.status_code == 200 and not response.is_stream_consumed
            assert response.read() == b"answer 200"

    def test_the_401_of_a_header_that_replaced_the_token_is_left_alone(self, client: tokenwell.Client, api: Recorder) -> None:
        import httpx
        import tokenwell.httpx

        api.answers = [Answer(401)]
        hooks = {"request": [lambda request: request.headers.update({"Authorization": "Bearer of-the-program"})]}
        with httpx.Client(auth=tokenwell.httpx.Auth(client, origin=api.url), event_hooks=hooks) as session:
            assert session.get(api.url).status_code == 401

        assert [each.authorization for each in api.requests] == ["Bearer of-the-program"]
        assert client.stats().invalidations == 0

    def test_a_client_outside_of_asyncio_gets_an_error_that_says_so(self, client: tokenwell.Client) -> None:
        import httpx
        import tokenwell.httpx

        flow = tokenwell.httpx.Auth(client).async_auth_flow(httpx.Request("GET", client.base_url or ""))
        with pytest.raises(RuntimeError, match="requires asyncio"):
            flow.__anext__().send(None)


class TestAiohttp:
    @pytest.fixture(autouse=True)
    def library(self) -> None:
        pytest.importorskip("aiohttp")

    def test_the_401_of_a_header_that_replaced_the_token_is_left_alone(self, client: tokenwell.Client, api: Recorder) -> None:
        import aiohttp
        import tokenwell.aiohttp

        async def replace(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            request.headers["Authorization"] = "Bearer of-the-program"
            return await handler(request)

        async def main() -> None:
            middlewares = [tokenwell.aiohttp.middleware(client, origin=api.url), replace]
            async with aiohttp.ClientSession(middlewares=middlewares) as session, session.get(api.url) as response:
                assert response.status == 401

        api.answers = [Answer(401)]
        asyncio.run(main())
        assert [each.authorization for each in api.requests] == ["Bearer of-the-program"]
        assert client.stats().invalidations == 0

    def test_a_failure_after_a_401_releases_the_connection(self, emulator: Emulator, client: tokenwell.Client) -> None:
        import aiohttp
        import tokenwell.aiohttp

        async def main() -> None:
            await client.token_async()
            await asyncio.to_thread(emulator.control, "faults", FAILURE_AFTER_A_401)
            session = aiohttp.ClientSession(
                middlewares=[tokenwell.aiohttp.middleware(client)], connector=aiohttp.TCPConnector(limit=1)
            )
            async with session:
                with pytest.raises(tokenwell.RateLimitedError) as kept:
                    await session.get(emulator.base_url + ORGS, headers=ACCEPT)
                async with session.get(emulator.base_url + ORGS, headers={"Authorization": "Bearer other"}) as response:
                    assert response.status == 401 and kept.value

        asyncio.run(asyncio.wait_for(main(), PATIENCE))


def of_httpx(client: tokenwell.Client, api: Recorder) -> Any:
    httpx = pytest.importorskip("httpx")
    import tokenwell.httpx

    async def exchange() -> int:
        async with httpx.AsyncClient(auth=tokenwell.httpx.Auth(client, origin=api.url), timeout=None) as session:
            return int((await session.get(api.url)).status_code)

    return exchange


def of_aiohttp(client: tokenwell.Client, api: Recorder) -> Any:
    aiohttp = pytest.importorskip("aiohttp")
    import tokenwell.aiohttp

    async def exchange() -> int:
        async with aiohttp.ClientSession(middlewares=[tokenwell.aiohttp.middleware(client, origin=api.url)]) as session:
            async with session.get(api.url) as response:
                return int(response.status)

    return exchange


@pytest.mark.parametrize("library", [of_httpx, of_aiohttp])
@pytest.mark.parametrize("after_a_401", [False, True], ids=["first token", "second token"])
def test_cancelling_a_request_ends_its_wait_and_not_that_of_others(
    emulator: Emulator, make: Callable[..., tokenwell.Client], api: Recorder, library: Any, after_a_401: bool
) -> None:
    client = make(timeout=PATIENCE)
    if after_a_401:
        api.decide = rejects(client.token())
    emulator.slow(1, times=1)
    exchange = library(client, api)

    async def main() -> int:
        requested = emulator.token_requests + 1
        canceled, served = asyncio.ensure_future(exchange()), asyncio.ensure_future(exchange())
        while await asyncio.to_thread(lambda: emulator.token_requests) < requested:
            await asyncio.sleep(0.01)
        canceled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await canceled
        assert not served.done()
        return int(await served)

    assert asyncio.run(main()) == 200
    assert emulator.token_requests == 1 + after_a_401


@pytest.mark.parametrize("library", [of_httpx, of_aiohttp])
def test_the_event_loop_runs_while_a_request_waits_for_its_second_token(
    emulator: Emulator, client: tokenwell.Client, api: Recorder, library: Any
) -> None:
    api.decide = rejects(client.token())
    emulator.slow(1, times=1)

    async def main() -> int:
        task, ticks = asyncio.ensure_future(library(client, api)()), 0
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert await task == 200
        return ticks

    assert asyncio.run(main()) > 10
