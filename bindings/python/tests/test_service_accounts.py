"""The typed operations for service accounts, in threads and in tasks."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import pickle
import re
import traceback
from typing import Any, Callable, Dict, List

import pytest

import tokenwell
from conftest import REPOSITORY, Emulator
from life import LIVES, Life
from tokenwell.service_accounts import AccessListEntry, ServiceAccount

ID = "mdb_sa_id_0123456789abcdef01234567"


@pytest.fixture
def accounts(emulator: Emulator, client: tokenwell.Client) -> tokenwell.ServiceAccounts:
    return tokenwell.ServiceAccounts(client, organization=emulator.environment["MONGODB_ATLAS_ORG_ID"])


@pytest.fixture
def path(emulator: Emulator) -> str:
    return f"/api/atlas/v2/orgs/{emulator.environment['MONGODB_ATLAS_ORG_ID']}/serviceAccounts"


def created(accounts: tokenwell.ServiceAccounts, name: str = "deploy") -> Any:
    return accounts.create(name=name, description="Made by a test", roles=["ORG_MEMBER"], secret_expires_after_hours=8)


def page(path: str, numbers: List[int], total: int) -> Dict[str, Any]:
    return {"path": path, "times": 1, "body": {"results": [{"clientId": f"account_{number}"} for number in numbers], "totalCount": total}}


@pytest.mark.parametrize("is_async", [False, True], ids=["threads", "tasks"])
@pytest.mark.parametrize("life", LIVES, ids=[life["name"] for life in LIVES])
def test_the_whole_life_of(emulator: Emulator, client: tokenwell.Client, life: Dict[str, Any], is_async: bool) -> None:
    run = Life(emulator, client, life)

    for number, step in enumerate(life["steps"]):
        try:
            run.step(step, is_async)
        except AssertionError as failed:
            raise AssertionError(f"step {number}, {step}") from failed


def test_a_new_secret_is_only_in_its_value(accounts: tokenwell.ServiceAccounts) -> None:
    new = created(accounts)
    value = new.secret.value

    assert value.startswith("mdb_sa_sk_")
    shown = [repr(new), str(new.secret), f"{new.secret}", str(dataclasses.asdict(new)), str(new.account.other)]
    assert not [one for one in shown if value in one]
    assert "[redacted]" in repr(new) and copy.deepcopy(new).secret is new.secret
    with pytest.raises(TypeError, match="secret|value"):
        pickle.dumps(new)
    with pytest.raises(TypeError):
        json.dumps(dataclasses.asdict(new))
    second = accounts.create_secret(new.account.client_id, 8)
    assert second.secret.value not in repr(second) and second.secret.value != value


def test_an_error_status_is_an_error_with_the_words_of_the_api(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    body = {"error": 429, "errorCode": "RATE_LIMITED", "detail": "Too\x1b[31m many", "parameters": [1]}
    emulator.control("faults", [{"path": f"{path}/*", "status": 429, "times": 1, "headers": {"Retry-After": "7"}, "body": body}])

    with pytest.raises(tokenwell.ApiError) as caught:
        accounts.get(ID)
    error = caught.value
    assert (error.status, error.error_code, error.parameters, error.retry_after) == (429, "RATE_LIMITED", (1,), 7.0)
    assert str(error) == f"GET {path}/{ID}: HTTP status 429: Too\ufffd[31m many [RATE_LIMITED]"
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)
    assert emulator.counters()["api_requests"] == 1

    with pytest.raises(tokenwell.ApiError, match=r"HTTP status 404: .*\[SERVICE_ACCOUNT_NOT_FOUND\]$"):
        accounts.delete(ID)


def test_what_is_not_the_api_is_an_error_that_names_the_field(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    bodies: List[Any] = ["<html>", [], {}, {"clientId": 1}, {"clientId": "a", "roles": "b"}, {"clientId": "a", "roles": [1]}]
    bodies += [{"clientId": "a", "secrets": [{"secret": "canary"}]}, {"clientId": "a", "systemManaged": 1}]
    for body in bodies:
        emulator.control("faults", [{"path": f"{path}/*", "times": 1, "status": 200, "body": body}])
        with pytest.raises(tokenwell.ApiError, match="HTTP status 200, but the response is not what the API describes: ") as caught:
            accounts.get(ID)
        # What crash reporters send, without the frame of this test.
        frames = caught.value.with_traceback(caught.tb.tb_next)
        shown = "".join(traceback.TracebackException.from_exception(frames, capture_locals=True).format())
        assert "canary" not in shown and "_admin.py" in shown
    emulator.control("faults", [{"path": path, "method": "POST", "times": 1, "status": 201, "body": {"clientId": "a", "secrets": [{"id": "b"}]}}])
    with pytest.raises(tokenwell.ApiError, match="HTTP status 201, but the response has no secret"):
        created(accounts)


def test_what_a_later_version_adds_is_kept(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    body = {"clientId": ID, "roles": ["ORG_OF_2030"], "color": {"hue": 7}, "created": "2030-01-01T00:00:00Z", "description": None}
    emulator.control("faults", [{"path": f"{path}/*", "status": 200, "body": body}])

    account = accounts.get(ID)

    assert account == ServiceAccount(ID, roles=("ORG_OF_2030",), created_at="2030-01-01T00:00:00Z", other={"color": {"hue": 7}})


def numbers_of(accounts: tokenwell.ServiceAccounts) -> List[int]:
    return sorted(int(account.client_id[len("account_") :]) for account in accounts.list())


def test_a_list_that_changes_while_it_is_read_has_each_account_once(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    first = list(range(500))
    # An account of the first page was deleted before the second page was read: all others moved by one.
    then = page(path, [*first[1:], 500], 501)
    emulator.control("faults", [page(path, first, 502), page(path, [501], 501), then, page(path, [501], 501), then])

    assert numbers_of(accounts) == list(range(502)) and emulator.counters()["api_requests"] == 5
    assert emulator.control(f"last_request?path={path}")["query"] == "itemsPerPage=500&pageNum=1"


def test_no_account_is_lost_if_one_is_added_and_another_removed(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    first = list(range(500))
    # The total stays as it was, and account 500 moved to the first page.
    then = page(path, [*first[1:], 500], 501)
    emulator.control("faults", [page(path, first, 501), page(path, [501], 501), then, then, page(path, [501], 501), then])

    assert numbers_of(accounts) == list(range(502)) and emulator.counters()["api_requests"] == 6


def test_a_list_that_never_fits_is_an_error(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    emulator.control("faults", [page(path, list(range(500)), 600)] * 2)
    with pytest.raises(tokenwell.ApiError, match="page 2 has the results of an earlier page"):
        list(accounts.list())
    emulator.control("faults", [page(path, list(range(500)), 600 + number) for number in range(10)])
    with pytest.raises(tokenwell.ApiError, match="the list changes while it is read"):
        list(accounts.list())


def test_a_page_is_requested_when_it_is_needed(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    emulator.control("faults", [page(path, list(range(500)), 501), page(path, [500], 501)])

    async def main() -> List[str]:
        return [account.client_id async for account in accounts.list_async()]

    assert next(accounts.list()).client_id == "account_0" and emulator.counters()["api_requests"] == 1
    emulator.control("faults", [page(path, list(range(500)), 501), page(path, [500], 501), page(path, list(range(500)), 501)])
    assert len(asyncio.run(main())) == 501


@pytest.mark.parametrize("is_async", [False, True], ids=["threads", "tasks"])
def test_a_create_whose_reply_is_lost_is_not_repeated(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str, is_async: bool) -> None:
    emulator.control("faults", [{"path": path, "method": "POST", "close": "reset_after_effect"}])
    attributes: Any = {"name": "lost", "description": "Made by a test", "roles": ["ORG_MEMBER"], "secret_expires_after_hours": 8}

    with pytest.raises(tokenwell.NetworkError, match="may have"):
        asyncio.run(accounts.create_async(**attributes)) if is_async else accounts.create(**attributes)

    assert [account.name for account in accounts.list()].count("lost") == 1


def test_a_wrong_argument_is_named_and_nothing_is_sent(emulator: Emulator, client: tokenwell.Client, accounts: tokenwell.ServiceAccounts) -> None:
    project = tokenwell.ServiceAccounts(client, project=emulator.environment["MONGODB_ATLAS_PROJECT_ID"])
    wrong: Any = 1
    calls: List[tuple[type[Exception], str, Callable[[], Any]]] = [
        (tokenwell.InvalidArgumentError, "exactly one", lambda: tokenwell.ServiceAccounts(client)),
        (tokenwell.InvalidArgumentError, "exactly one", lambda: tokenwell.ServiceAccounts(client, organization="a", project="b")),
        (tokenwell.InvalidArgumentError, "organization: `../x`", lambda: tokenwell.ServiceAccounts(client, organization="../x")),
        (tokenwell.InvalidArgumentError, "client_id: an empty string", lambda: accounts.delete("")),
        (tokenwell.InvalidArgumentError, "client_id: `..`", lambda: accounts.get("..")),
        (tokenwell.InvalidArgumentError, "client_id: this is a secret", lambda: accounts.get("mdb_sa_sk_canary")),
        (tokenwell.InvalidArgumentError, "secret_id: `a/b`", lambda: accounts.delete_secret(ID, "a/b")),
        (tokenwell.InvalidArgumentError, "network: an empty string", lambda: accounts.delete_access(ID, "")),
        (tokenwell.InvalidArgumentError, "projects: this needs an organization, and not a project", lambda: project.projects(ID)),
        (tokenwell.InvalidArgumentError, "invite: this needs a project, and not an organization", lambda: accounts.invite(ID, ["GROUP_OWNER"])),
        (TypeError, "client_id", lambda: accounts.get(wrong)),
        (TypeError, "roles must be a list", lambda: accounts.update(ID, roles="ORG_OWNER")),
        (TypeError, "networks must be a list", lambda: accounts.add_access(ID, "192.0.2.1")),
        (ValueError, "timeout", lambda: accounts.get(ID, timeout=-1)),
    ]
    for kind, named, call in calls:
        with pytest.raises(kind, match=re.escape(named)) as caught:
            call()
        assert "canary" not in str(caught.value)
    assert emulator.counters()["requests"] == 0


def test_a_network_is_one_segment_of_the_path(emulator: Emulator, accounts: tokenwell.ServiceAccounts, path: str) -> None:
    client_id = created(accounts).account.client_id

    assert [entry.cidr_block for entry in accounts.add_access(client_id, ["2001:db8::/32", "192.0.2.1"])] == ["2001:db8::/32", "192.0.2.1/32"]
    accounts.delete_access(client_id, "2001:db8::/32")

    (left,) = accounts.access_list(client_id)
    assert isinstance(left, AccessListEntry) and (left.ip_address, left.request_count) == ("192.0.2.1", 0)


def test_the_readme_creates_an_account(emulator: Emulator, client: tokenwell.Client, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (REPOSITORY / "bindings/python/README.md").read_text()
    (program,) = re.findall(r"<!-- service_accounts -->\n```python\n(.*?)```", readme, re.DOTALL)
    stored: List[str] = []

    exec(
        program.replace("0123456789abcdef01234567", emulator.environment["MONGODB_ATLAS_ORG_ID"]),
        {"tokenwell": tokenwell, "client": client, "store": lambda client_id, secret: stored.append(secret)},
    )

    assert "deploy ('ORG_READ_ONLY',)" in capsys.readouterr().out and stored[0].startswith("mdb_sa_sk_")
