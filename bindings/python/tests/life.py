"""Runs the lives of service accounts in bindings/service_accounts/life.json through the typed calls."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any, Dict, List

import tokenwell
from conftest import REPOSITORY, Emulator

LIVES: List[Dict[str, Any]] = json.loads((REPOSITORY / "bindings/service_accounts/life.json").read_text())


def as_json(value: Any) -> Any:
    """The fields of a result by their names in the API. What is None is absent."""
    if dataclasses.is_dataclass(value):
        found = {camel(field.name): as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: field for name, field in found.items() if field is not None}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return value


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def fits(expected: Any, found: Any) -> bool:
    """Whether `found` has all that is expected. A star is any string."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(fits(value, found.get(name)) for name, value in expected.items())
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(fits, expected, found))
    if expected == "*":
        return isinstance(found, str) and found != ""
    return bool(expected == found)


class Life:
    def __init__(self, emulator: Emulator, client: tokenwell.Client, life: Dict[str, Any]) -> None:
        self.emulator = emulator
        self.level = life["level"]
        self.saved = {name: emulator.environment[f"MONGODB_ATLAS_{name.upper()}_ID"] for name in ("project",)}
        self.secrets: Dict[str, tokenwell.Secret] = {}
        self.accounts = {
            "organization": tokenwell.ServiceAccounts(client, organization=emulator.environment["MONGODB_ATLAS_ORG_ID"]),
            "project": tokenwell.ServiceAccounts(client, project=self.saved["project"]),
        }

    def step(self, step: Dict[str, Any], is_async: bool) -> None:
        step = self.filled(step)
        if step["call"] == "use":
            assert self.use(self.secrets[step["secret"]]) == step["outcome"]
            return
        try:
            result = asyncio.run(self.call_async(step)) if is_async else self.call(step)
        except tokenwell.ApiError as error:
            assert error.status == step.get("error"), error
            return
        assert "error" not in step
        if "save_secret" in step:
            self.secrets[step["save_secret"]] = result.secret
        found = as_json(result)
        assert fits(step.get("result"), found) or "result" not in step, found
        assert "contains" not in step or any(fits(step["contains"], one) for one in found), found
        assert "lacks" not in step or not any(fits(step["lacks"], one) for one in found), found
        assert len(found) == step["count"] if "count" in step else True, found
        for name, path in step.get("save", {}).items():
            value = found
            for part in path.split("."):
                value = value[int(part) if part.isdigit() else part]
            self.saved[name] = value

    def call(self, step: Dict[str, Any]) -> Any:
        positional, named = self.arguments(step)
        result = getattr(self.accounts[step.get("level", self.level)], step["call"])(*positional, **named)
        return list(result) if hasattr(result, "__next__") else result

    async def call_async(self, step: Dict[str, Any]) -> Any:
        positional, named = self.arguments(step)
        result = getattr(self.accounts[step.get("level", self.level)], step["call"] + "_async")(*positional, **named)
        return [one async for one in result] if hasattr(result, "__anext__") else await result

    def arguments(self, step: Dict[str, Any]) -> Any:
        named = {"".join("_" + c.lower() if c.isupper() else c for c in name): value for name, value in step.get("attributes", {}).items()}
        own = [] if step["call"] in ("create", "list") else [self.saved["id"]]
        return own + [step[name] for name in ("hours", "id_of_secret", "networks", "network", "roles") if name in step], named

    def use(self, secret: tokenwell.Secret) -> str:
        """Gets a token as the account, and sends one request with it."""
        settings = {**self.emulator.settings(), "client_id": self.saved["id"], "client_secret": secret.value}
        with tokenwell.Client(**settings) as client:
            try:
                status = client.request("GET", "/api/atlas/v2/orgs").status
            except tokenwell.CredentialRejectedError:
                return "rejected"
        return "accepted" if status == 200 else "refused"

    def filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        return self.saved[value[1:]] if isinstance(value, str) and value.startswith("$") else value
