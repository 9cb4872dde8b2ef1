"""MONGODB-OIDC: the driver gets a token, and another one if a server rejects it."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from typing import Any, Callable, Iterator, List

import pytest

pytest.importorskip("pymongo")

import pymongo  # noqa: E402
from pymongo.auth_oidc import OIDCCallbackContext  # noqa: E402

import tokenwell  # noqa: E402
import tokenwell.pymongo  # noqa: E402
from conftest import PATIENCE, Emulator  # noqa: E402
from mongodb import MongoDB  # noqa: E402


@pytest.fixture
def mongodb(emulator: Emulator) -> Iterator[MongoDB]:
    """A server that accepts the tokens that the emulator accepts."""

    def accepts(token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.atlas.2024-08-05+json"}
        request = urllib.request.Request(f"{emulator.base_url}/api/atlas/v2/orgs", headers=headers)
        try:
            with emulator.opener.open(request, timeout=PATIENCE) as reply:
                return bool(reply.status == 200)
        except urllib.error.HTTPError:
            return False

    mongodb = MongoDB(accepts)
    yield mongodb
    mongodb.stop()


def options(client: tokenwell.Client) -> Any:
    callback = tokenwell.pymongo.OIDCCallback(client)
    return {"authMechanismProperties": {"OIDC_CALLBACK": callback}, "serverSelectionTimeoutMS": 1000 * PATIENCE}


def ping(mongo: Any) -> Any:
    return mongo.admin.command("ping")["ok"]


def context(timeout: float = PATIENCE) -> OIDCCallbackContext:
    return OIDCCallbackContext(timeout_seconds=timeout, username="", version=1)


def fetch(callback: tokenwell.pymongo.OIDCCallback, timeout: float = PATIENCE) -> str:
    return str(callback.fetch(context(timeout)).access_token)


def test_the_driver_logs_in_before_and_after_its_token_is_revoked(
    emulator: Emulator, client: tokenwell.Client, mongodb: MongoDB
) -> None:
    with pymongo.MongoClient(mongodb.uri, **options(client)) as mongo:
        assert ping(mongo) == ping(mongo) == 1
        first = client.token()
        emulator.revoke(first)
        assert ping(mongo) == 1

    second = client.token()
    assert mongodb.received[0] == first.value and mongodb.received[-1] == second.value != first.value
    assert set(mongodb.received) == {first.value, second.value}
    assert emulator.token_requests == 2 and client.stats().invalidations == 1


def test_a_token_that_is_rejected_at_the_log_in_is_replaced_at_the_next_one(
    emulator: Emulator, client: tokenwell.Client, mongodb: MongoDB
) -> None:
    emulator.revoke(client.token())

    with pymongo.MongoClient(mongodb.uri, **options(client)) as mongo:
        with pytest.raises(pymongo.errors.OperationFailure, match="rejected"):
            ping(mongo)
        assert ping(mongo) == 1
    assert emulator.token_requests == 2


@pytest.mark.skipif(not hasattr(pymongo, "AsyncMongoClient"), reason="this pymongo has no AsyncMongoClient")
def test_the_async_driver_logs_in_before_and_after_its_token_is_revoked(
    emulator: Emulator, client: tokenwell.Client, mongodb: MongoDB
) -> None:
    async def main() -> List[Any]:
        async with pymongo.AsyncMongoClient(mongodb.uri, **options(client)) as mongo:
            before = await mongo.admin.command("ping")
            emulator.revoke(await client.token_async())
            return [before["ok"], (await mongo.admin.command("ping"))["ok"]]

    assert asyncio.run(main()) == [1, 1]
    assert emulator.token_requests == 2 and client.stats().invalidations == 1


def test_connections_that_are_rejected_together_cost_one_token(
    emulator: Emulator, client: tokenwell.Client, mongodb: MongoDB
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with pymongo.MongoClient(mongodb.uri, **options(client)) as mongo, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ping, [mongo] * 8)) == [1] * 8
        emulator.revoke(client.token())
        assert list(pool.map(ping, [mongo] * 8)) == [1] * 8
    assert emulator.token_requests == 2 and client.stats().invalidations == 1


def test_a_repeated_call_invalidates_only_the_token_that_it_returned(emulator: Emulator, client: tokenwell.Client) -> None:
    callback = tokenwell.pymongo.OIDCCallback(client)
    first = fetch(callback)
    newer = client.token(force_refresh=True).value

    assert fetch(callback) == newer != first
    assert client.stats().invalidations == 0
    assert fetch(callback) not in (first, newer)
    assert client.stats().invalidations == 1 and emulator.token_requests == 3


def test_callbacks_do_not_invalidate_the_tokens_of_each_other(emulator: Emulator, client: tokenwell.Client) -> None:
    assert len({fetch(tokenwell.pymongo.OIDCCallback(client)) for _ in range(3)}) == emulator.token_requests == 1


def test_the_result_says_how_long_the_token_is_valid(client: tokenwell.Client) -> None:
    result = tokenwell.pymongo.OIDCCallback(client).fetch(context())

    assert result.expires_in_seconds is not None and 3500 < result.expires_in_seconds <= 3600
    assert result.access_token == client.token().value and result.refresh_token is None


@pytest.mark.parametrize("timeout", [0.2, 0, -1])
def test_the_timeout_of_the_driver_ends_the_wait(emulator: Emulator, client: tokenwell.Client, timeout: float) -> None:
    emulator.slow(2 * PATIENCE)
    start = time.monotonic()

    with pytest.raises(tokenwell.DeadlineError):
        fetch(tokenwell.pymongo.OIDCCallback(client), timeout)
    assert time.monotonic() - start < PATIENCE


def test_the_operation_raises_the_error_if_there_is_no_token(make: Callable[..., tokenwell.Client], mongodb: MongoDB) -> None:
    with pymongo.MongoClient(mongodb.uri, **options(make(client_secret="wrong"))) as mongo:
        with pytest.raises(tokenwell.CredentialRejectedError):
            ping(mongo)
    assert not mongodb.received


def test_a_failed_call_is_repeated_without_invalidating_twice(emulator: Emulator, client: tokenwell.Client) -> None:
    callback = tokenwell.pymongo.OIDCCallback(client)
    first = fetch(callback)
    emulator.slow(1, times=1)
    with pytest.raises(tokenwell.DeadlineError):
        fetch(callback, 0.1)

    assert fetch(callback) != first
    assert client.stats().invalidations == 1 and emulator.token_requests == 2
