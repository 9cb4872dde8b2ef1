"""Errors: their fields, their string form and pickling."""

from __future__ import annotations

import copy
import pickle
import socket
from typing import Callable, Dict, Type

import pytest

import tokenwell
from conftest import Emulator

Make = Callable[..., tokenwell.Client]


def test_a_rate_limit_error_has_the_time_to_retry_after(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.faults({"status": 429, "headers": {"Retry-After": "30"}, "body": {"error": "rate_limited"}})

    with pytest.raises(tokenwell.RateLimitedError) as caught:
        client.token()

    error = caught.value
    assert (error.code, error.name, error.http_status) == (5, "RATE_LIMITED", 429)
    assert error.retry_after is not None and 20 < error.retry_after < 60
    assert emulator.base_url in error.message and error.hint
    assert str(error) == f"{error.message}. {error.hint}"


def test_a_rejected_credential_names_the_server_and_no_secret(emulator: Emulator, make: Make) -> None:
    client = make(client_secret="mdb_sa_sk_this-is-not-the-secret-of-the-account-00")

    with pytest.raises(tokenwell.CredentialRejectedError) as caught:
        client.token()

    error = caught.value
    assert (error.code, error.name, error.http_status, error.retry_after) == (3, "CREDENTIAL_REJECTED", 401, None)
    assert "not-the-secret" not in repr(error) + str(error)


def test_an_error_has_the_code_of_the_server_and_the_number_of_requests(emulator: Emulator, make: Make) -> None:
    with pytest.raises(tokenwell.CredentialRejectedError) as rejected:
        make(client_secret="mdb_sa_sk_this-is-not-the-secret-of-the-account-00").token()

    assert (rejected.value.oauth_code, rejected.value.attempts) == ("invalid_client", 1)
    assert (rejected.value.is_remembered, rejected.value.age) == (False, 0.0)


def test_an_error_without_a_request_has_no_code_and_no_attempts() -> None:
    with pytest.raises(tokenwell.NotConfiguredError) as caught:
        tokenwell.Client()

    error = caught.value
    assert (error.oauth_code, error.is_remembered, error.age, error.attempts) == (None, False, 0.0, 0)


def test_a_remembered_error_has_its_age(emulator: Emulator, clocked: tokenwell.Client) -> None:
    emulator.faults({"status": 401, "body": {"error": "invalid_client"}})
    with pytest.raises(tokenwell.CredentialRejectedError) as first:
        clocked.token()
    clocked.advance_clock(7)

    with pytest.raises(tokenwell.CredentialRejectedError) as again:
        clocked.token()

    assert not first.value.is_remembered and again.value.is_remembered
    assert 7 <= again.value.age < 9 and isinstance(again.value.age, float)
    assert (again.value.oauth_code, again.value.attempts) == ("invalid_client", first.value.attempts)
    assert emulator.token_requests == 1


def test_an_unreachable_server_is_a_connection_error(make: Make) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: no other program can use the port, and connections are refused
        client = make(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}", timeout=1)

        with pytest.raises(tokenwell.NetworkError) as caught:
            client.token()

    assert isinstance(caught.value, ConnectionError) and isinstance(caught.value, OSError)
    assert (caught.value.code, caught.value.http_status) == (6, None)


def test_a_deadline_is_a_timeout_error(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(30)

    with pytest.raises(TimeoutError) as caught:
        client.token(timeout=0.05)

    assert isinstance(caught.value, tokenwell.DeadlineError)
    assert (caught.value.code, caught.value.name) == (8, "DEADLINE") and "deadline" in caught.value.message


def test_plain_http_to_another_host_is_refused(make: Make) -> None:
    with pytest.raises(tokenwell.TokenwellError) as caught:
        make(base_url="http://atlas.example").token()

    assert caught.value.code in (1, 11) and "https" in str(caught.value)


def test_a_missing_credential_is_not_configured() -> None:
    with pytest.raises(tokenwell.NotConfiguredError) as caught:
        tokenwell.Client.from_env().token()

    assert "MONGODB_ATLAS_CLIENT_ID" in str(caught.value)


def test_an_unknown_setting_is_rejected_by_the_library() -> None:
    with pytest.raises(tokenwell.InvalidArgumentError, match="color") as caught:
        tokenwell.Client(color="blue")

    assert isinstance(caught.value, ValueError) and caught.value.code == 1


def test_each_class_has_a_distinct_code_and_name() -> None:
    kinds = tokenwell.TokenwellError.__subclasses__()

    assert sorted(kind.code for kind in kinds) == list(range(1, 14))
    assert all(kind.name.replace("_", "") + "ERROR" == kind.__name__.upper() for kind in kinds)


@pytest.mark.parametrize("kind", tokenwell.TokenwellError.__subclasses__(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy], ids=["pickle", "copy"])
def test_an_error_survives_pickling(kind: type, again: Callable[[BaseException], BaseException]) -> None:
    error = kind("it broke", "fix it", 503, 1.5, "server_error", True, 2.5, 3)

    result = again(error)

    assert type(result) is kind and str(result) == "it broke. fix it"
    fields = ("code", "name", "message", "hint", "http_status", "retry_after", "oauth_code", "is_remembered", "age", "attempts")
    expected = [kind.code, kind.name, "it broke", "fix it", 503, 1.5, "server_error", True, 2.5, 3]
    assert [getattr(result, field) for field in fields] == expected


@pytest.mark.parametrize(
    ("message", "hint", "expected"),
    [
        ("no credential was provided", "Check the setting.", "no credential was provided. Check the setting."),
        ("no credential was provided.", "Check the setting.", "no credential was provided. Check the setting."),
        ("is the server up?", "Check the setting.", "is the server up? Check the setting."),
        ("no credential was provided", "", "no credential was provided"),
        ("no credential was provided.", "", "no credential was provided."),
    ],
)
@pytest.mark.parametrize("kind", tokenwell.TokenwellError.__subclasses__(), ids=lambda kind: kind.name)
def test_n15_the_string_form_joins_message_and_hint_with_one_period(
    kind: Type[tokenwell.TokenwellError], message: str, hint: str, expected: str
) -> None:
    error = kind(message, hint)

    assert str(error) == expected
    assert repr(error) == f"{kind.__name__}({expected!r})"


@pytest.mark.parametrize("options", [{}, {"color": "blue"}, {"base_url": "http://atlas.example"}, {"client_id": "a\0"}])
def test_n15_the_string_form_of_a_library_error_is_punctuated(options: Dict[str, str]) -> None:
    with pytest.raises(tokenwell.TokenwellError) as caught:
        tokenwell.Client(**options).token()  # type: ignore[arg-type]

    shown = str(caught.value)
    assert caught.value.hint and shown.endswith(".")
    for wrong in ("..", ".;", ".,", "?.", "{", "}", "None"):
        assert wrong not in shown
