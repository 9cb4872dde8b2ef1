"""Generates bindings/python/tokenwell/service_accounts.py."""

from common import NOTE, arguments, attributes, route, segments, wrapped

KINDS = {"string": "str", "strings": "Sequence[str]", "integer": "int", "boolean": "bool"}
KINDS_OF_FIELDS = {**KINDS, "strings": "Tuple[str, ...]"}

WIDTH = 120

HEAD = '''"""Service accounts of an organization or a project: the operations of the Admin API as typed calls.

    accounts = tokenwell.ServiceAccounts(client, organization="0123456789abcdef01234567")
    created = accounts.create(
        name="deploy", description="Deploys the shop", roles=["ORG_READ_ONLY"], secret_expires_after_hours=720
    )

Each call sends one request with `Client.request`, and a list one request for each page. Nothing is
repeated, except once after a 401. An error status is an `ApiError`. Fields and roles that a later
version of the API adds are kept and are never an error.

Source: the reference of the Atlas Administration API v2, group "Service Accounts", version {version}
({source}).

{note}
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ._admin import ApiError, Document, Level, Pages, Secret, entries, given, results, strings

TYPE_CHECKING = False  # importing typing would take longer than importing the rest of this package
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, Iterator, List, Mapping, Optional, Sequence, Tuple

    from ._options import Seconds
    from .client import Client

__all__ = [
    {names}
]

PATHS = {{
{paths}
}}
VERSION = "{version}"
ITEMS_PER_PAGE = {items}
'''

CLASS = '''

class ServiceAccounts:
    """The service accounts of an organization or a project.

    Each method has a form with the suffix `_async`, which does not block the event loop.

    Args:
        client: The client whose token is used.
        organization: The id of the organization.
        project: The id of the project, instead of an organization.

    Raises:
        InvalidArgumentError: Not exactly one of both is given, or it is not an id.
    """

    def __init__(self, client: Client, *, organization: Optional[str] = None, project: Optional[str] = None) -> None:
        self._level = Level(client, organization, project, PATHS, VERSION)

    def __repr__(self) -> str:
        return f"<tokenwell.ServiceAccounts {self._level.kind}>"
'''


def generate(description):
    names = ["ApiError", "Secret", "ServiceAccounts"] + [each["name"] for each in description["types"] + description["results"]]
    parts = [
        HEAD.format(
            version=description["version"],
            source=description["source"],
            items=description["items_per_page"],
            note="\n".join(wrapped(NOTE, "")),
            names="\n    ".join(f'"{name}",' for name in sorted(names)),
            paths="\n".join(f'    "{level}": "{path}",' for level, path in description["levels"].items()),
        )
    ]
    parts += [_type(each) for each in description["types"]]
    parts += [_result(each) for each in description["results"]]
    parts.append(CLASS)
    parts += [_operation(each, description) for each in description["operations"]]
    return "".join(parts)


def _kind(one):
    if one.get("array"):
        return f"Tuple[{one['type']}, ...]"
    kind = KINDS_OF_FIELDS.get(one["type"], one["type"])
    return kind if one.get("required") or one.get("default") else f"Optional[{kind}]"


def _type(each):
    lines = ["", "", "@dataclass(frozen=True)", f"class {each['name']}:"]
    lines += [f'    """{each["documentation"]}"""', ""]
    for one in each["fields"]:
        default = "" if one.get("required") else " = None"
        if one.get("default"):
            default = ' = ""' if one["type"] == "string" else " = ()"
        lines += [f"    {one['name']}: {_kind(one)}{default}", *_docstring(one["documentation"], "    ")]
    lines += ["    other: Mapping[str, Any] = field(default_factory=dict)", '    """The fields that this version does not know, unchanged."""', ""]
    lines += ["    @classmethod", f"    def _of(cls, value: Any) -> {each['name']}:", "        document = Document(value)", "        return cls("]
    lines += [f"            {one['name']}={_read(one)}," for one in each["fields"]]
    lines += ["            other=document.rest(),", "        )", ""]
    return "\n".join(lines)


def _read(one):
    names = ", ".join(f'"{name}"' for name in [one["json"], *one.get("aliases", [])])
    if one["type"] == "strings":
        return f"document.strings({names})"
    if one.get("array"):
        return f"tuple({one['type']}._of(one) for one in document.take(list, {names}) or [])"
    read = f"document.{'need' if one.get('required') else 'take'}({KINDS[one['type']]}, {names})"
    return f'{read} or ""' if one.get("default") else read


def _result(each):
    return "\n".join(
        ["", "", "@dataclass(frozen=True)", f"class {each['name']}:", f'    """{each["documentation"]}"""', ""]
        + [f"    {each['field']}: {each['type']}", f'    """{each["field_documentation"]}"""']
        + ["    secret: Secret", '    """The value of the secret, which is not shown by `repr`."""', ""]
    )


def _docstring(documentation, indent):
    lines = wrapped(documentation, indent)
    if len(lines) == 1:
        return [f'{indent}"""{documentation}"""']
    return [f'{indent}"""' + lines[0].strip(), *lines[1:], f'{indent}"""']


def _operation(each, description):
    keys = {one["name"]: one["key"] for one in description["types"]}
    return _method(each, description, keys, False) + _method(each, description, keys, True)


def _method(each, description, keys, is_async):
    name = each["name"]
    positional = [(one, "str", description["segments"][one], None) for one in segments(each)]
    positional += [(one["name"], KINDS[one["type"]], one["documentation"], None) for one in arguments(each)]
    named = attributes(each)
    keywords = []
    for one in named["fields"] if named else []:
        kind = KINDS[one["type"]]
        keywords.append((one["name"], kind if one.get("required") else f"Optional[{kind}]", one["documentation"], None if one.get("required") else "None"))
    given = ["self"] + [_parameter(one) for one in positional] + ["*"] + [_parameter(one) for one in keywords + [TIMEOUT]]
    if each.get("pages"):
        kind = ("AsyncIterator" if is_async else "Iterator") + f"[{each['pages']}]"
    else:
        kind = f"List[{each['result']}]" if each.get("array") else each.get("result", "None")
    plain = is_async and not each.get("pages")
    start, end = f"    {'async ' if plain else ''}def {name}{'_async' if is_async else ''}(", f") -> {kind}:"
    lines = ["", start + ", ".join(given) + end]
    if len(lines[1]) > WIDTH:
        lines = ["", start, *(f"        {one}," for one in given), "    " + end]
    if is_async:
        lines += [f'        """Does what `{name}` does, without blocking the event loop."""']
    else:
        lines += _documentation(each, positional + keywords + [TIMEOUT])
    if "level" in each:
        lines.append(f'        self._level.only("{each["level"]}", "{name}")')
    lines += _request(each, keys, is_async)
    return "\n".join(lines) + "\n"


TIMEOUT = ("timeout", "Optional[Seconds]", "The time limit of each request. The default is the client's `timeout` setting.", "None")


def _parameter(one):
    name, kind, _, default = one
    return f"{name}: {kind}" + (f" = {default}" if default else "")


def _documentation(each, parameters):
    first, *rest = each["documentation"].split(". ", 1)
    head, *more = wrapped(first.rstrip(".") + ".", "        ")
    lines = ['        """' + head.strip(), *more, ""]
    if rest:
        lines += [*wrapped(rest[0], "        "), ""]
    lines += [f"        Request: ``{route(each)}``", ""]
    lines.append("        Args:")
    for name, _, documentation, _ in parameters:
        head, *more = wrapped(f"{name}: {documentation}", "            ")
        lines += [head, *("    " + line for line in more)]
    lines += ["", "        Raises:", "            ApiError: The API refused the request.", "            InvalidArgumentError: An argument is invalid; nothing was sent."]
    lines += ["            TokenwellError: There is no token or no complete response.", '        """']
    return lines


def _request(each, keys, is_async):
    body = each.get("body")
    passed = [f'"{each["method"]}"', f'"{each["path"]}"'] + [f"{one}={one}" for one in segments(each)]
    if each.get("query"):
        passed.append("query={" + ", ".join(f'"{name}": {value}' for name, value in each["query"].items()) + "}")
    lines = []
    if body and "networks" in body:
        passed.append(f"body=entries({body['networks']['name']})")
    elif body:
        are_optional = not any(one.get("required") for one in body["fields"])
        values = []
        for one in body["fields"]:
            value = f'strings("{one["name"]}", {one["name"]})' if one["type"] == "strings" else one["name"]
            if one["type"] == "strings" and are_optional:
                value = f"None if {one['name']} is None else {value}"
            values.append(f"{one['json']}={value}" if are_optional else f'"{one["json"]}": {value}')
        start, end = ("given(", ")") if are_optional else ("{", "}")
        lines = [f"        body = {start}{', '.join(values)}{end}"]
        if len(lines[0]) > WIDTH:
            lines = [f"        body = {start}", *(f"            {value}," for value in values), f"        {end}"]
        passed.append("body=body")
    call = f"        call = self._level.call({', '.join(passed)})"
    lines += [call] if len(call) <= WIDTH else ["        call = self._level.call(", f"            {', '.join(passed)}", "        )"]
    if each.get("pages"):
        kind = each["pages"]
        form = "each_async" if is_async else "each"
        lines.append(f"        return Pages(call, ITEMS_PER_PAGE, {kind}._of, {keys[kind]!r}).{form}(timeout)".replace("'", '"'))
        return lines
    sent = "await call.send_async(timeout)" if is_async else "call.send(timeout)"
    kind = each.get("result")
    if kind is None:
        return [*lines, f"        {sent}"]
    lines.append(f"        reply = {sent}")
    if each.get("array"):
        lines.append(f"        return reply.read(lambda document: [{kind}._of(one) for one in results(document)])")
    elif kind in ("CreatedAccount", "CreatedSecret"):
        part = {"CreatedAccount": "ServiceAccount", "CreatedSecret": "SecretDescription"}[kind]
        lines.append(f"        return {kind}(reply.read({part}._of), reply.secret())")
    else:
        lines.append(f"        return reply.read({kind}._of)")
    return lines
