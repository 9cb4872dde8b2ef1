"""requests, httpx and aiohttp: the token goes to the API's origin only, and a 401 costs one replay."""

from __future__ import annotations

import importlib.util
from typing import Any, Callable, Type

import pytest

import tokenwell
from conftest import PATIENCE, Emulator
from http_clients import CALLERS, Aiohttp, Caller
from servers import Answer, Recorder, Request, rejects

ORGS = "/api/atlas/v2/orgs"


def needs(name: str) -> Any:
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")


ALL = [pytest.param(CALLERS[name], id=name, marks=needs(name.split("-")[0])) for name in CALLERS]
every_client = pytest.mark.parametrize("kind", ALL)
Kind = Type[Caller]


def bodies(which: str) -> Any:
    found = []
    for parameter in ALL:
        kind: Any = parameter.values[0]
        for body in getattr(kind, which):
            found.append(pytest.param(kind, body, id=f"{parameter.id}-{body}", marks=parameter.marks))
    return pytest.mark.parametrize("kind,body", found)


def aiohttp_keeps_files_open() -> bool:
    import aiohttp

    return tuple(map(int, aiohttp.__version__.split(".")[:3])) >= (3, 12, 6)


@every_client
def test_the_api_answers_before_and_after_a_401_with_one_replay(emulator: Emulator, client: tokenwell.Client, kind: Kind) -> None:
    caller = kind(client)

    before = caller.send(emulator.base_url + ORGS)
    emulator.revoke(client.token())
    after = caller.send(emulator.base_url + ORGS)

    assert before.status == after.status == 200 and before.text == after.text and '"results"' in after.text
    counters = emulator.counters()
    assert (counters["api_requests"], counters["token_requests"], client.stats().invalidations) == (3, 2, 1)


@every_client
def test_a_second_401_is_returned_and_not_answered_with_a_third_request(client: tokenwell.Client, api: Recorder, kind: Kind) -> None:
    api.answers = [Answer(401), Answer(401)]

    assert kind(client, origin=api.url).send(api.url) == (401, "answer 401")
    assert len(api.requests) == 2 and len({request.authorization for request in api.requests}) == 2
    assert client.stats().invalidations == 1


@every_client
@pytest.mark.parametrize("status", [400, 403, 407, 500])
def test_other_failures_are_not_replayed(client: tokenwell.Client, api: Recorder, kind: Kind, status: int) -> None:
    api.answers = [Answer(status)]

    assert kind(client, origin=api.url).send(api.url).status == status
    assert len(api.requests) == 1 and client.stats().invalidations == 0


@bodies("replayed")
def test_the_replay_has_the_same_body(client: tokenwell.Client, api: Recorder, kind: Kind, body: str) -> None:
    if kind is Aiohttp and body in ("file", "multipart") and not aiohttp_keeps_files_open():
        pytest.skip("the first versions of aiohttp 3.12 close a file after the first attempt")
    api.answers = [Answer(401)]

    assert kind(client, origin=api.url).send(api.url + "/x?y=1", "POST", **kind.replayed[body]()).status == 200

    first, second = api.requests
    assert first.authorization != second.authorization
    assert first[:2] == second[:2] == ("POST", "/x?y=1") and first.body == second.body and b"first" in first.body


@bodies("not_replayed")
def test_a_body_that_cannot_be_read_again_is_not_sent_again(
    client: tokenwell.Client, api: Recorder, kind: Kind, body: str
) -> None:
    api.decide = rejects(client.token())
    caller = kind(client, origin=api.url)

    assert caller.send(api.url, "POST", **kind.not_replayed[body]()).status == 401
    assert len(api.requests) == 1 and b"first" in api.requests[0].body
    assert client.stats().invalidations == 1
    assert caller.send(api.url, "POST", **kind.not_replayed[body]()).status == 200
    assert len(api.requests) == 2


@every_client
def test_other_origins_get_no_token(emulator: Emulator, client: tokenwell.Client, foreign: Recorder, kind: Kind) -> None:
    caller = kind(client)
    foreign.answers = [Answer(401)]

    assert caller.send(foreign.url + ORGS).status == 401
    assert caller.send(foreign.url + f"/?{emulator.base_url}/").status == 200
    assert [request.authorization for request in foreign.requests] == [None, None]

    # The same server, by another name.
    assert caller.send(emulator.base_url.replace("127.0.0.1", "localhost") + ORGS).status == 401
    assert "authorization" not in emulator.control(f"last_request?path={ORGS}")["headers"]
    assert emulator.token_requests == 0


@every_client
def test_the_host_header_may_not_name_another_site(client: tokenwell.Client, api: Recorder, kind: Kind) -> None:
    caller = kind(client, origin=api.url)

    caller.send(api.url, headers={"Host": "other.example"})
    caller.send(api.url, headers={"Host": api.url[len("http://") :]})

    assert [request.authorization for request in api.requests] == [None, client.authorization()]


@every_client
def test_a_redirect_to_another_origin_takes_no_token_along(
    emulator: Emulator, client: tokenwell.Client, foreign: Recorder, kind: Kind
) -> None:
    foreign.answers = [Answer(401)]
    emulator.control("faults", [{"path": ORGS, "redirect": foreign.url + "/there", "times": 1}])

    assert kind(client).send(emulator.base_url + ORGS).status == 401
    assert foreign.requests == [Request("GET", "/there", None, b"")]
    assert emulator.counters()["api_requests"] == 1 and client.stats().invalidations == 0


@every_client
def test_no_server_of_a_chain_of_redirects_gets_the_token_of_another(
    client: tokenwell.Client, api: Recorder, foreign: Recorder, kind: Kind
) -> None:
    for last in (foreign, api):
        api.requests, foreign.requests = [], []
        api.answers = [Answer(307, {"Location": foreign.url + "/first"})]
        foreign.answers = [Answer(307, {"Location": last.url + "/second"})]

        assert kind(client, origin=api.url).send(api.url).status == 200
        assert api.requests[0].authorization == client.token().authorization
        assert [request.authorization for request in foreign.requests] == [None] * len(foreign.requests)
        assert [request.path for request in foreign.requests] == ["/first", "/second"][: 2 if last is foreign else 1]
        assert [request.path for request in api.requests[1:]] == ["/second"] * (last is api)
    assert client.stats().invalidations == 0


@every_client
def test_after_a_redirect_within_the_origin_only_the_last_request_is_replayed(
    client: tokenwell.Client, api: Recorder, kind: Kind
) -> None:
    api.answers = [Answer(307, {"Location": "/there"}), Answer(401)]
    token = client.token()

    assert kind(client, origin=api.url).send(api.url + "/here", "POST", **kind.replayed["bytes"]()).status == 200
    assert [(request.path, request.authorization == token.authorization) for request in api.requests] == [
        ("/here", True),
        ("/there", True),
        ("/there", False),
    ]
    assert {request.body for request in api.requests} == {b"first second"}


@every_client
def test_a_replay_may_be_redirected_to_another_origin(
    client: tokenwell.Client, api: Recorder, foreign: Recorder, kind: Kind
) -> None:
    api.answers = [Answer(401), Answer(302, {"Location": foreign.url})]

    assert kind(client, origin=api.url).send(api.url).status == 200
    assert len(api.requests) == 2 and [request.authorization for request in foreign.requests] == [None]


@every_client
def test_the_programs_own_header_is_kept(client: tokenwell.Client, api: Recorder, kind: Kind) -> None:
    api.answers = [Answer(401)]

    own = {"authorization": "Bearer of-the-program"}
    assert kind(client, origin=api.url).send(api.url, headers=own).status == 401
    assert [request.authorization for request in api.requests] == ["Bearer of-the-program"]
    assert client.stats().waits == client.stats().invalidations == 0


@every_client
def test_requests_that_are_rejected_together_cost_one_token(
    emulator: Emulator, client: tokenwell.Client, api: Recorder, kind: Kind
) -> None:
    api.decide = rejects(client.token())

    replies = kind(client, origin=api.url).send_all(*({"url": api.url, "method": "GET", "timeout": PATIENCE} for _ in range(8)))

    assert [getattr(reply, "status", reply) for reply in replies] == [200] * 8
    assert emulator.token_requests == 2 and client.stats().invalidations == 1
    sent = [request.authorization for request in api.requests]
    assert len(set(sent)) == 2 and sent.count(client.authorization()) == 8


@every_client
def test_without_a_token_the_caller_gets_the_error_and_nothing_is_sent(
    emulator: Emulator, make: Callable[..., tokenwell.Client], api: Recorder, kind: Kind
) -> None:
    client = make(client_secret="wrong")

    with pytest.raises(tokenwell.CredentialRejectedError) as raised:
        kind(client, origin=api.url).send(api.url)
    assert raised.value.oauth_code == "invalid_client" and not api.requests


@every_client
def test_without_a_second_token_the_caller_gets_the_error(
    emulator: Emulator, client: tokenwell.Client, api: Recorder, kind: Kind
) -> None:
    api.decide = rejects(client.token())
    emulator.faults({"status": 429})

    with pytest.raises(tokenwell.RateLimitedError):
        kind(client, origin=api.url).send(api.url)
    assert len(api.requests) == 1


@every_client
def test_an_api_that_rejects_every_token_does_not_use_them_up(
    emulator: Emulator, client: tokenwell.Client, api: Recorder, kind: Kind
) -> None:
    api.decide = lambda request: Answer(401)
    caller = kind(client, origin=api.url)

    assert caller.send(api.url).status == 401
    for _ in range(5):
        with pytest.raises(tokenwell.CredentialRejectedError, match="rejected by the API"):
            caller.send(api.url)
    assert emulator.token_requests == 2


@every_client
def test_the_timeout_of_a_request_ends_its_wait_for_a_token(
    emulator: Emulator, client: tokenwell.Client, api: Recorder, kind: Kind
) -> None:
    emulator.slow(PATIENCE)

    with pytest.raises(kind.timed_out):
        kind(client, origin=api.url).send(api.url, timeout=0.2)
    assert not api.requests


@every_client
def test_a_client_without_a_base_url_needs_an_origin(emulator: Emulator, api: Recorder, kind: Kind) -> None:
    settings = {"token_url": emulator.base_url + "/generic/oauth/token", "client_id": emulator.client_id}
    with tokenwell.Client(client_secret=emulator.client_secret, **settings) as client:
        with pytest.raises(tokenwell.InvalidArgumentError, match="has no base URL.*Pass the origin"):
            kind(client).send(api.url)
        assert kind(client, origin=api.url).send(api.url).status == 200
        assert api.requests[0].authorization == client.authorization()


