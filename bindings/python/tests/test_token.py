"""The token: its fields, and what its string forms redact."""

from __future__ import annotations

import copy
import datetime
import json
import pickle
import traceback

import pytest

import tokenwell
from conftest import Emulator


def test_a_token_has_its_value_its_header_and_its_expiry(client: tokenwell.Client) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)

    token = client.token()

    assert token.value and token.authorization == f"Bearer {token.value}"
    assert token.scope is None
    assert token.generation == client.generation
    assert token.expires_at.utcoffset() == datetime.timedelta(0)
    assert datetime.timedelta(minutes=55) < token.expires_at - before < datetime.timedelta(minutes=65)
    assert token.expires_at.timestamp() * 1000 == pytest.approx(token.expires_at_ms)


def test_the_api_accepts_a_token(emulator: Emulator, client: tokenwell.Client) -> None:
    import urllib.request

    request = urllib.request.Request(
        emulator.base_url + "/api/atlas/v2/orgs",
        headers={"Authorization": client.authorization(), "Accept": "application/vnd.atlas.2024-08-05+json"},
    )
    with emulator.opener.open(request) as reply:
        assert reply.status == 200


def test_i21_nothing_that_prints_a_token_shows_it(client: tokenwell.Client) -> None:
    token = client.token()

    shown = [repr(token), str(token), f"{token}", "%s %r" % (token, token), repr([token]), repr({"token": token})]
    shown += [repr(client), str(client), repr(vars(tokenwell.client))]
    try:
        raise ValueError(token)
    except ValueError:
        shown.append(traceback.format_exc())

    assert not [each for each in shown if token.value in each]
    assert "redacted" in repr(token) and token.expires_at.isoformat() in repr(token)


def test_i21_a_token_cannot_be_serialized(client: tokenwell.Client) -> None:
    token = client.token()

    with pytest.raises(TypeError, match="token.value explicitly"):
        pickle.dumps(token)
    with pytest.raises(TypeError):
        json.dumps(token)
    assert not hasattr(token, "__dict__")


def test_a_token_cannot_be_changed(client: tokenwell.Client) -> None:
    token = client.token()

    for name in ("value", "authorization", "expires_at", "scope", "more"):
        with pytest.raises(AttributeError):
            setattr(token, name, "x")
    assert copy.copy(token) is token and copy.deepcopy(token) is token


def test_a_token_outlives_its_client(emulator: Emulator) -> None:
    client = tokenwell.Client(**emulator.settings())
    token = client.token()
    value = token.value

    client.close()
    del client

    assert token.value == value and value not in repr(token)
