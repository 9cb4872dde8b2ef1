"""What the generators of all languages share: the description, names and wrapped comments."""

import json
import pathlib
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
BINDINGS = HERE.parent
NOTE = "Generated from bindings/service_accounts/operations.json by `make service-accounts`. Do not edit it."


def read():
    """The description, checked."""
    description = json.loads((HERE / "operations.json").read_text(encoding="utf-8"))
    check(description)
    return description


def check(description):
    """Checks every operation and type, so that a generator needs no check."""
    types = {each["name"] for each in description["types"]} | {each["name"] for each in description["results"]}
    for operation in description["operations"]:
        name = operation["name"]
        result = operation.get("result") or operation.get("pages")
        if result is not None and result not in types:
            raise SystemExit(f"{name}: there is no type {result}")
        if operation.get("level") not in (None, *description["levels"]):
            raise SystemExit(f"{name}: there is no level {operation['level']}")
        for segment in segments(operation):
            if segment not in description["segments"]:
                raise SystemExit(f"{name}: {segment} is not documented")
    for each in description["types"]:
        for field in each["fields"]:
            if field["type"] not in ("string", "strings", "boolean", "integer") and field["type"] not in types:
                raise SystemExit(f"{each['name']}.{field['name']}: there is no type {field['type']}")


def segments(operation):
    """The names in the path of an operation, in order."""
    return [part.split("}")[0] for part in operation["path"].split("{")[1:]]


def arguments(operation):
    """What a call passes apart from the path: (name, JSON name, type, documentation), if it is not one object."""
    body = operation.get("body", {})
    if "networks" in body:
        return [{**body["networks"], "json": None, "type": "strings"}]
    return body["fields"] if "fields" in body and "name" not in body else []


def attributes(operation):
    """The object that a call passes, or None."""
    body = operation.get("body", {})
    return body if "name" in body else None


def route(operation):
    """The request, as documentation shows it."""
    path = operation["path"].replace("{client_id}", "{clientId}").replace("{secret_id}", "{secretId}").replace("{network}", "{ipAddress}")
    return f"{operation['method']} …/serviceAccounts{path}"


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def wrapped(text, prefix, width=100):
    """The lines of a comment."""
    return textwrap.wrap(text, width, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False, break_on_hyphens=False)


def without_capital(text):
    return text[0].lower() + text[1:]
