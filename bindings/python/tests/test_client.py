"""The client: settings, gets, the local copy of the token, closing."""

from __future__ import annotations

import ast
import copy
import datetime
import gc
import pathlib
import pickle
import re
import time
from typing import Any, Callable, Sequence, Union

import pytest

import tokenwell
from conftest import Emulator

Make = Callable[..., tokenwell.Client]
HOUR = 3600


def test_settings_come_from_the_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)

    with tokenwell.Client.from_env() as client:
        assert client.token().value

    assert emulator.token_requests == 1


def test_a_setting_in_code_overrides_the_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**emulator.environment, "MONGODB_ATLAS_BASE_URL": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)

    with tokenwell.Client.from_env(base_url=emulator.base_url) as client:
        assert client.token().value


def test_the_constructor_does_not_read_the_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(tokenwell.NotConfiguredError):
        tokenwell.Client().token()

    assert emulator.counters()["connections"] == 0


def test_a_client_tells_its_base_url(emulator: Emulator, make: Make) -> None:
    settings = {"client_id": "mdb_sa_id_1", "client_secret": "secret", "environment": False}

    assert make().base_url == emulator.base_url
    assert tokenwell.Client(**settings).base_url == "https://cloud.mongodb.com"
    assert tokenwell.Client(**settings, token_url="https://login.invalid/token").base_url is None


def test_a_client_tells_where_its_settings_came_from(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)

    sources = tokenwell.Client.from_env(scope="a").sources

    assert sources["client_id"] == "environment variable MONGODB_ATLAS_CLIENT_ID"
    assert sources["client_secret"] == "environment variable MONGODB_ATLAS_CLIENT_SECRET"
    assert sources["base_url"] == "environment variable MONGODB_ATLAS_BASE_URL"
    assert sources["scope"] == "option scope" and sources["timeout_ms"] == "the default"
    assert "audience" not in sources
    assert emulator.client_secret not in str(sources) and emulator.client_id not in str(sources)
    with pytest.raises(TypeError):
        sources["client_id"] = "x"  # type: ignore[index]


def test_from_env_of_a_subclass_returns_the_subclass(emulator: Emulator) -> None:
    class Mine(tokenwell.Client):
        pass

    with Mine.from_env(**emulator.settings()) as client:
        assert type(client) is Mine and client.token().value


def test_the_options_are_exactly_the_settings_of_the_library() -> None:
    with pytest.raises(tokenwell.InvalidArgumentError) as caught:
        tokenwell.Client(settings={"no_such_setting": "x"})
    listed = re.search(r"The settings are ([^.]+)\.", caught.value.hint)
    assert listed is not None

    source = pathlib.Path(tokenwell.client.__file__).with_name("_options.py").read_text()
    options = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and node.name == "Options")
    names = {node.target.id for node in options.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    in_milliseconds = {"timeout": "timeout_ms", "manual_clock": "manual_clock_ms"}

    assert {in_milliseconds.get(name, name) for name in names - {"settings"}} == set(listed[1].split(", "))
    for name in names - {"settings"}:
        assert re.search(rf"^ +{name}: ", str(tokenwell.Client.__doc__), re.MULTILINE), "the class documents its options"


def test_a_misspelled_setting_is_answered_with_a_suggestion() -> None:
    with pytest.raises(tokenwell.InvalidArgumentError, match="Did you mean client_id"):
        tokenwell.Client(clientID="x")  # type: ignore[call-arg]


def test_a_setting_can_be_given_by_its_name_in_the_library(emulator: Emulator) -> None:
    account = emulator.settings()

    with tokenwell.Client(client_id=account.pop("client_id"), settings={**account, "timeout_ms": "60000"}) as client:
        assert client.token().value


@pytest.mark.parametrize("shared", [True, False])
def test_the_cache_is_switched_by_a_bool(make: Make, tmp_path: pathlib.Path, shared: bool) -> None:
    directory = tmp_path / "cache"

    make(cache=shared, cache_dir=directory, cache_unsafe=False).token()

    assert directory.exists() == shared


@pytest.mark.parametrize("hosts", ["login.invalid", ["login.invalid"], ("other.invalid", "login.invalid:443")])
def test_the_hosts_without_a_proxy_are_a_string_or_a_sequence(hosts: Union[str, Sequence[str]]) -> None:
    client = tokenwell.Client(
        token_url="https://login.invalid/token",
        client_id="id",
        client_secret="secret",
        proxy="127.0.0.1:1",
        no_proxy=hosts,
        environment=False,
    )

    with pytest.raises(tokenwell.NetworkError) as caught:
        client.token()

    assert "proxy" not in caught.value.message


def test_a_manual_clock_begins_at_a_time_or_at_seconds(make: Make) -> None:
    begin = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)

    ends = {make(manual_clock=clock).token().expires_at_ms for clock in (begin, begin.timestamp())}

    assert ends == {round(begin.timestamp() + HOUR) * 1000}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"client_id": 7}, "client_id must be a string"),
        ({"client_secret": b"secret"}, "client_secret must be a string"),
        ({"timeout_ms": 5000}, "timeout_ms must be a string"),
        ({"color": True}, "color must be a string"),
        ({"timeout": "5"}, "timeout must be a number of seconds"),
        ({"timeout": True}, "timeout must be a number of seconds"),
        ({"ca_file": pathlib.PurePath}, "ca_file must be a string"),
        ({"client_id": True}, "client_id must be a string"),
        ({"manual_clock": "now"}, "manual_clock must be a number of seconds"),
        ({"settings": {"scope": 7}}, "scope must be a string"),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(settings: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        tokenwell.Client(**settings)


def test_i21_a_setting_of_the_wrong_type_is_not_shown() -> None:
    with pytest.raises(TypeError) as caught:
        tokenwell.Client(client_secret=b"canary")  # type: ignore[arg-type]

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("duration", [-1, -0.001, float("nan"), float("inf"), datetime.timedelta(seconds=-1)])
@pytest.mark.parametrize("name", ["min_ttl", "timeout"])
def test_an_invalid_duration_is_named(client: tokenwell.Client, name: str, duration: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        client.token(**{name: duration})


@pytest.mark.parametrize("name", ["client_id", "client_secret", "base_url", "scope"])
@pytest.mark.parametrize("value", ["a\0b", "a\r\nb", "\ud800", "\udcff"], ids=["NUL", "CRLF", "surrogate", "byte"])
def test_i1_characters_that_no_setting_may_contain_are_rejected_by_the_library(make: Make, name: str, value: str) -> None:
    with pytest.raises(tokenwell.TokenwellError) as caught:
        make(**{name: value}).token()

    assert caught.value.code in (1, 2) and name in caught.value.message


def test_times_are_seconds_or_timedeltas(client: tokenwell.Client) -> None:
    first = client.token(min_ttl=60, timeout=30)

    assert client.token(min_ttl=datetime.timedelta(minutes=1), timeout=datetime.timedelta(seconds=30)).value == first.value
    assert client.token(min_ttl=0.5, timeout=10**30).value == first.value


def test_a_min_ttl_longer_than_a_tokens_lifetime_is_an_error(client: tokenwell.Client) -> None:
    with pytest.raises(tokenwell.InvalidArgumentError):
        client.token(min_ttl=datetime.timedelta(hours=3))


def test_a_timeout_of_zero_is_not_the_configured_timeout(emulator: Emulator, client: tokenwell.Client) -> None:
    emulator.slow(30)
    began = time.monotonic()

    # Whether a connection was opened by then is a matter of luck.
    with pytest.raises((tokenwell.DeadlineError, tokenwell.NetworkError)):
        client.token(timeout=0)

    assert time.monotonic() - began < 30


def test_the_timeout_setting_applies_to_every_call(emulator: Emulator, make: Make) -> None:
    emulator.slow(30)

    with pytest.raises(tokenwell.TokenwellError) as caught:
        make(timeout=0.1).token()

    assert caught.value.code in (6, 8)


def test_one_token_serves_every_get(emulator: Emulator, client: tokenwell.Client) -> None:
    first = client.token()

    assert {client.token().value for _ in range(1000)} == {first.value}
    assert {client.authorization() for _ in range(1000)} == {first.authorization}
    assert emulator.token_requests == 1


def test_ten_thousand_gets_across_three_expiries_send_four_token_requests(emulator: Emulator, clocked: tokenwell.Client) -> None:
    values = []
    for expiry in range(4):
        values.append({clocked.token().value for _ in range(1250)} | {clocked.authorization()[7:] for _ in range(1250)})
        clocked.advance_clock(HOUR)
        emulator.advance(HOUR * 1000)

    assert [len(distinct) for distinct in values] == [1, 1, 1, 1] and len(set.union(*values)) == 4
    assert emulator.token_requests == 4


def test_a_slow_refresh_blocks_no_caller_while_the_token_is_valid(emulator: Emulator, clocked: tokenwell.Client) -> None:
    first = clocked.token()
    emulator.slow(5)
    clocked.advance_clock(datetime.timedelta(minutes=51))
    emulator.advance(51 * 60_000)

    began = time.monotonic()
    values = {clocked.token().value for _ in range(10)}
    took = time.monotonic() - began

    assert values == {first.value}
    assert took < 2, "ten gets, while one refresh takes 5 s"


def test_force_refresh_brings_a_new_token(emulator: Emulator, client: tokenwell.Client) -> None:
    first = client.token()

    second = client.token(force_refresh=True)

    assert second.value != first.value and client.authorization() == second.authorization
    assert emulator.token_requests == 2


def test_invalidate_drops_that_token_and_no_other(emulator: Emulator, clocked: tokenwell.Client) -> None:
    first = clocked.token()

    clocked.invalidate(first)
    second = clocked.token()
    clocked.invalidate(first)
    clocked.invalidate(first.value)

    assert second.value != first.value and clocked.token().value == second.value
    clocked.advance_clock(60)  # two new tokens that are rejected in a row would pause token requests
    clocked.invalidate(second.value)
    assert clocked.token().value not in (first.value, second.value)
    assert clocked.stats().invalidations == 2


def test_invalidate_rejects_other_types_than_token_and_str(client: tokenwell.Client) -> None:
    with pytest.raises(TypeError, match="token must be a Token"):
        client.invalidate(None)  # type: ignore[arg-type]


def test_revoke_revokes_the_token_at_the_server(emulator: Emulator, client: tokenwell.Client) -> None:
    first = client.token()

    client.revoke(timeout=30)

    assert emulator.counters()["live_tokens"] == 0
    assert client.token().value != first.value


def test_the_local_copy_is_returned_without_a_call_of_the_library(client: tokenwell.Client) -> None:
    client.token()
    before = client.stats()

    for _ in range(100):
        client.token()
        client.authorization()

    assert client.stats() == before


def test_the_local_copy_is_not_returned_if_min_ttl_is_given(client: tokenwell.Client) -> None:
    client.token()
    before = client.stats().hits

    client.token(min_ttl=90)
    client.authorization(min_ttl=90)

    assert client.stats().hits == before + 2


@pytest.mark.parametrize(("clock", "step"), [("time", 7200.0), ("monotonic", 7200.0), ("time", -3.0)])
def test_i33_the_local_copy_expires_by_either_clock(
    client: tokenwell.Client, monkeypatch: pytest.MonkeyPatch, clock: str, step: float
) -> None:
    token = client.token()
    before = client.stats().hits
    monkeypatch.setattr(f"tokenwell.client.{clock}", lambda: getattr(time, clock)() + step)

    assert client.token().value == token.value and client.authorization() == token.authorization

    assert client.stats().hits == before + 2, "the library was not called"


def test_a_client_with_a_manual_clock_has_no_local_copy(clocked: tokenwell.Client) -> None:
    clocked.token()
    before = clocked.stats().hits

    clocked.authorization()

    assert clocked.stats().hits == before + 1


def test_the_generation_changes_with_every_change_of_the_token(client: tokenwell.Client) -> None:
    seen = [client.generation]
    token = client.token()
    seen.append(client.generation)
    client.token()
    assert client.generation == seen[-1]
    client.invalidate(token)
    seen.append(client.generation)
    client.close()
    seen.append(client.generation)

    assert len(set(seen)) == 4


def test_stats_have_named_fields(client: tokenwell.Client) -> None:
    client.token()

    stats = client.stats()

    assert (stats.mints, stats.refreshes, stats.mint_failures) == (1, 1, 0)
    assert repr(stats).startswith("Stats(hits=") and "mints=1" in repr(stats)
    assert stats == client.stats() and {stats: 1}[client.stats()] == 1
    client.token(force_refresh=True)
    assert stats != client.stats()


def test_after_close_every_call_raises_closed_error(client: tokenwell.Client) -> None:
    token = client.token()

    client.close()
    client.close()

    for call in (
        client.token,
        client.authorization,
        lambda: client.token(force_refresh=True),
        lambda: client.invalidate(token),
        client.revoke,
    ):
        with pytest.raises(tokenwell.ClosedError) as caught:
            call()
        assert caught.value.name == "CLOSED"


def test_leaving_the_with_block_closes_the_client(emulator: Emulator) -> None:
    with tokenwell.Client(**emulator.settings()) as client:
        client.token()

    with pytest.raises(tokenwell.ClosedError):
        client.token()


def test_an_unreferenced_client_is_freed(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tokenwell.Client(**emulator.settings())
    freed = []
    free = client._handle._free
    client._handle._free = lambda handle: (freed.append(handle), free(handle))
    client.token()

    del client
    gc.collect()

    assert len(freed) == 1


def test_a_client_cannot_be_pickled_or_copied(client: tokenwell.Client) -> None:
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="create one in the other process"):
            way(client)


@pytest.mark.parametrize(("by", "error"), [(-1, ValueError), (float("nan"), ValueError), (True, TypeError), ("1", TypeError)])
def test_a_clock_can_only_be_advanced(clocked: tokenwell.Client, by: Any, error: type) -> None:
    with pytest.raises(error, match="by must be "):
        clocked.advance_clock(by)


def test_only_a_manual_clock_can_be_advanced(client: tokenwell.Client) -> None:
    with pytest.raises(tokenwell.InvalidArgumentError, match="manual_clock_ms"):
        client.advance_clock(1000)
