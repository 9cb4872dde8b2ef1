"""Generates bindings/go/service_accounts.go."""

from common import arguments, attributes, route, segments, without_capital, wrapped

KINDS = {"string": "string", "strings": "[]string", "integer": "int", "boolean": "bool"}
WORDS = {"id": "ID", "ip": "IP", "cidr": "CIDR"}

# The first line is the one by which tools of Go recognize a generated file.
HEAD = """// Code generated from bindings/service_accounts/operations.json by `make service-accounts`. DO NOT EDIT.

//go:build cgo

package tokenwell

import (
\t"context"
\t"encoding/json"
\t"errors"
\t"iter"
)

// Source: the reference of the Atlas Administration API v2, group "Service Accounts", version {version}
// ({source}).

const (
\tapiVersion      = "{version}"
\tapiItemsPerPage = {items}
)

var apiPaths = map[string]string{{
{paths}
}}
"""


def generate(description):
    width = max(len(level) for level in description["levels"])
    paths = "\n".join(f'\t"{level}":{" " * (width - len(level) + 1)}"{path}",' for level, path in description["levels"].items())
    parts = [HEAD.format(version=description["version"], source=description["source"], items=description["items_per_page"], paths=paths)]
    parts += [_type(each) for each in description["types"]]
    parts += [_result(each) for each in description["results"]]
    parts += [_attributes(each["body"]) for each in description["operations"] if attributes(each)]
    keys = {one["name"]: one["key"] for one in description["types"]}
    parts += [_operation(each, keys) for each in description["operations"]]
    return "\n".join(parts)


def _exported(name):
    return "".join(WORDS.get(part, part.capitalize()) for part in name.split("_"))


def _local(name):
    first, *rest = name.split("_")
    return first + _exported("_".join(rest)) if rest else first


def _comment(name, documentation):
    """A comment of Go begins with the name."""
    return wrapped(f"{name} is {without_capital(documentation)}", "// ")


def _fields(fields):
    """The fields of a struct with their comments. Between comments gofmt aligns nothing."""
    lines = []
    for one in fields:
        kind = KINDS.get(one["type"], one["type"])
        if one.get("array"):
            kind = "[]" + kind
        elif one["type"] in ("boolean", "integer") and not one.get("required"):
            kind = "*" + kind
        noun = "are " if one["type"] == "strings" or one.get("array") else "is "
        lines += wrapped(f"{_exported(one['name'])} {noun}{without_capital(one['documentation'])}", "\t// ")
        tag = one["json"] if one.get("required") or one.get("default") else one["json"] + ",omitempty"
        lines.append(f'\t{_exported(one["name"])} {kind} `json:"{tag}"`')
    return lines


def _type(each):
    name = each["name"]
    lines = [*_comment(name, each["documentation"]), f"type {name} struct {{", *_fields(each["fields"])]
    lines += ["\t// Other are the fields that this version does not know, unchanged.", '\tOther map[string]json.RawMessage `json:"-"`', "}", ""]
    aliases = {alias: one["json"] for one in each["fields"] for alias in one.get("aliases", [])}
    shown = "map[string]string{" + ", ".join(f'"{alias}": "{to}"' for alias, to in aliases.items()) + "}" if aliases else "nil"
    known = ", ".join(f'"{one["json"]}"' for one in each["fields"])
    receiver = name[0].lower()
    lines += ["// UnmarshalJSON keeps fields that this version does not know in Other.", f"func ({receiver} *{name}) UnmarshalJSON(data []byte) error {{"]
    lines += [f"\ttype fields {name}", "\tvar read fields", f"\tother, err := decodeObject(data, &read, {shown}, {known})"]
    lines += ["\tif err != nil {", "\t\treturn err", "\t}"]
    for one in each["fields"]:
        if one.get("required"):
            lines += [f'\tif read.{_exported(one["name"])} == "" {{', f'\t\treturn errors.New("{one["json"]} is missing")', "\t}"]
    lines += ["\tread.Other = other", f"\t*{receiver} = {name}(read)", "\treturn nil", "}", ""]
    return "\n".join(lines)


def _result(each):
    lines = [*_comment(each["name"], each["documentation"]), f"type {each['name']} struct {{"]
    lines += wrapped(f"{_exported(each['field'])} is {without_capital(each['field_documentation'])}", "\t// ")
    lines += [f"\t{_exported(each['field'])} {each['type']}", "\t// Secret is the value of the secret, which is redacted in every string form.", "\tSecret Secret", "}", ""]
    return "\n".join(lines)


def _attributes(body):
    documentation = without_capital(body["documentation"])
    lines = [*wrapped(f"{body['name']} contains {documentation}", "// "), f"type {body['name']} struct {{", *_fields(body["fields"]), "}", ""]
    return "\n".join(lines)


def _operation(each, keys):
    name = _exported(each["name"])
    passed = [(_local(one), "string") for one in segments(each)]
    passed += [(_local(one["name"]), KINDS[one["type"]]) for one in arguments(each)]
    if attributes(each):
        passed.append((each["body"]["parameter"], each["body"]["name"]))
    listed = each.get("pages")
    kind = f"iter.Seq2[*{listed}, error]" if listed else f"(*{each['result']}, error)" if each.get("result") else "error"
    if each.get("array"):
        kind = f"([]{each['result']}, error)"
    given = ", ".join(["ctx context.Context"] + [f"{one} {of}" for one, of in passed])
    lines = wrapped(f"{name} {without_capital(each['documentation'])}", "// ")
    lines += ["//", f"// Request: {route(each)}", f"func (s *ServiceAccounts) {name}({given}) {kind} {{"]
    call = ", ".join([f'"{each["method"]}"', f'"{each["path"]}"'] + [f'"{one}", {_local(one)}' for one in segments(each)])
    call = f"s.call({call})"
    if each.get("level"):
        call += f'.only("{each["level"]}", "{name}")'
    for query, value in each.get("query", {}).items():
        call += f'.query("{query}", {value})'
    call += _body(each)
    if listed:
        lines.append(f"\treturn pages[{listed}](ctx, {call}, " + ", ".join(f'"{one}"' for one in keys[listed]) + ")")
    elif each.get("array"):
        lines.append(f"\treturn sendForResults[{each['result']}](ctx, {call})")
    elif each.get("result") in ("CreatedAccount", "CreatedSecret"):
        part, field = {"CreatedAccount": ("ServiceAccount", "Account"), "CreatedSecret": ("SecretDescription", "Description")}[each["result"]]
        lines += [f"\tcreated, secret, err := sendForSecret[{part}](ctx, {call})", "\tif err != nil {", "\t\treturn nil, err", "\t}"]
        lines.append(f"\treturn &{each['result']}{{{field}: *created, Secret: secret}}, nil")
    elif each.get("result"):
        lines.append(f"\treturn sendFor[{each['result']}](ctx, {call})")
    else:
        lines += [f"\t_, err := {call}.send(ctx)", "\treturn err"]
    return "\n".join([*lines, "}", ""])


def _body(each):
    body = each.get("body")
    if not body:
        return ""
    if attributes(each):
        return f".with({body['parameter']})"
    if "networks" in body:
        return f".with(accessListEntries({_local(body['networks']['name'])}))"
    members = ", ".join(f'"{one["json"]}": {_local(one["name"])}' for one in body["fields"])
    return f".with(map[string]any{{{members}}})"
