"""Generates bindings/node/lib/service_accounts.js and its types."""

from common import NOTE, arguments, attributes, camel, route, segments, wrapped

KINDS = {"string": "string", "strings": "readonly string[]", "integer": "number", "boolean": "boolean"}

HEAD = """'use strict';

// Service accounts of an organization or a project: the operations of the Admin API as typed calls.
// Source: the reference of the Atlas Administration API v2, group "Service Accounts", version {version}
// ({source}).
{note}

const {{ Level, attributes, entries, strings }} = require('./admin.js');

const API = {{
  version: '{version}',
  itemsPerPage: {items},
  paths: {{
{paths}
  }},
  types: {{
{types}
  }},
}};

/**
 * The service accounts of an organization or a project. Each call sends one request, and a list one
 * request for each page. Nothing is repeated, except once after a 401.
 */
class ServiceAccounts {{
  #level;

  /**
   * @param {{Client}} client The client whose token is used.
   * @param {{object}} level `organization` or `project`, an id.
   */
  constructor(client, level) {{
    this.#level = new Level(client, level, API);
  }}
"""

TYPES_HEAD = """// The types of service_accounts.js.
// Source: the reference of the Atlas Administration API v2, group "Service Accounts", version {version}
// ({source}).
{note}

import type {{ Client }} from '../index.js';
import type {{ CallOptions, Secret, ServiceAccountLevel }} from './admin.js';
"""

CLASS = """
/**
 * The service accounts of an organization or a project. Each call sends one request, and a list one
 * request for each page. Nothing is repeated, except once after a 401. An error status is an
 * ApiError. Fields and roles that a later version of the API adds are kept and are never an error.
 */
export class ServiceAccounts {
  /**
   * @param client The client whose token is used.
   * @param level `organization` or `project`, an id.
   * @throws {InvalidArgumentError} Not exactly one of both is set, or it is not an id.
   */
  constructor(client: Client, level: ServiceAccountLevel);
"""


def generate(description):
    keys = {one["name"]: one["key"] for one in description["types"]}
    head = HEAD.format(
        **_source(description),
        items=description["items_per_page"],
        paths="\n".join(f"    {level}: '{path}'," for level, path in description["levels"].items()),
        types="\n".join(_table(each) for each in description["types"]),
    )
    operations = [_operation(each, keys) for each in description["operations"]]
    return "\n".join([head, *operations]).rstrip("\n") + "\n}\n\nmodule.exports = { ServiceAccounts };\n"


def generate_types(description):
    parts = [TYPES_HEAD.format(**_source(description))]
    parts += [_interface(each["name"], each["documentation"], each["fields"], True) for each in description["types"]]
    parts += [_result(each) for each in description["results"]]
    bodies = [each["body"] for each in description["operations"] if attributes(each)]
    parts += [_interface(each["name"], each["documentation"], each["fields"], False) for each in bodies]
    parts.append(CLASS)
    return "".join(parts) + "\n".join(_declaration(each, description) for each in description["operations"]) + "}\n"


def _source(description):
    return {"version": description["version"], "source": description["source"], "note": "\n".join(wrapped(NOTE, "// "))}


def _table(each):
    lines = [f"    {each['name']}: {{"]
    for one in each["fields"]:
        is_list = one["type"] == "strings" or one.get("array")
        kind = {"strings": "string", "integer": "number"}.get(one["type"], one["type"])
        parts = [f"kind: '{kind}'"]
        if one.get("aliases"):
            parts.append("aliases: [" + ", ".join(f"'{alias}'" for alias in one["aliases"]) + "]")
        if is_list:
            parts.append("isList: true")
        if one.get("required"):
            parts.append("isRequired: true")
        if one.get("default"):
            parts.append("empty: ''" if one["type"] == "string" else "empty: []")
        lines.append(f"      {one['json']}: {{ {', '.join(parts)} }},")
    return "\n".join([*lines, "    },"])


def _parameters(each):
    given = [camel(one) for one in segments(each)] + [camel(one["name"]) for one in arguments(each)]
    return given + ([each["body"]["parameter"]] if attributes(each) else [])


def _operation(each, keys):
    name = camel(each["name"])
    shown = "{ " + ", ".join(f"{one}: {camel(one)}" if one != camel(one) else one for one in segments(each)) + " }" if segments(each) else "{}"
    content = []
    for query, value in each.get("query", {}).items():
        content.append(f"query: {{ {query}: {value} }}")
    body = each.get("body")
    if attributes(each):
        known = ", ".join(f"'{one['json']}'" for one in body["fields"])
        lists = ", ".join(f"'{one['json']}'" for one in body["fields"] if one["type"] == "strings")
        content.append(f"body: attributes('{body['parameter']}', {body['parameter']}, [{known}], [{lists}])")
    elif body and "networks" in body:
        content.append(f"body: entries({camel(body['networks']['name'])})")
    elif body:
        values = [f"{one['json']}: strings('{one['name']}', {camel(one['name'])})" if one["type"] == "strings" else f"{one['json']}: {camel(one['name'])}" for one in body["fields"]]
        values = [value.split(": ")[0] if value.split(": ")[0] == value.split(": ")[-1] else value for value in values]
        content.append(f"body: {{ {', '.join(values)} }}")
    first = each["documentation"].split(". ", 1)[0].rstrip(".") + "."
    lines = [f"  /** {first} `{route(each)}` */"]
    if len(lines[0]) > 100:
        lines = ["  /**", *wrapped(first, "   * "), f"   * Request: `{route(each)}`", "   */"]
    given = ", ".join([*_parameters(each), "options"])
    is_list = each.get("pages")
    lines.append(f"  async {'*' if is_list else ''}{name}({given}) {{")
    if each.get("level"):
        lines.append(f"    this.#level.only('{each['level']}', '{name}');")
    if is_list:
        key = ", ".join(f"'{one}'" for one in keys[is_list])
        lines.append(f"    yield* this.#level.pages('{each['path']}', {shown}, '{is_list}', [{key}], options);")
    else:
        sent = f"await this.#level.send('{each['method']}', '{each['path']}', {shown}, {{ {', '.join(content)} }}, options)".replace("{  }", "{}")
        result = each.get("result")
        if not result:
            lines.append(f"    {sent};")
        else:
            lines.append(f"    const reply = {sent};")
            if each.get("array"):
                lines.append(f"    return reply.results('{result}');")
            elif result in CREATED:
                lines.append(f"    return reply.created({CREATED[result]});")
            else:
                lines.append(f"    return reply.read('{result}');")
    return "\n".join([*lines, "  }", ""])


CREATED = {"CreatedAccount": "'account', 'ServiceAccount'", "CreatedSecret": "'description', 'SecretDescription'"}


def _comment(documentation, indent=""):
    line = f"{indent}/** {documentation} */"
    return [line] if len(line) <= 100 else [f"{indent}/**", *wrapped(documentation, indent + " * "), f"{indent} */"]


def _interface(name, documentation, fields, is_answer):
    lines = ["", *_comment(documentation), f"export interface {name} {{"]
    for one in fields:
        kind = KINDS.get(one["type"], one["type"])
        if one.get("array"):
            kind = f"readonly {kind}[]"
        is_there = one.get("required") or one.get("default")
        # What a program passes may be undefined; what it gets is not.
        mark = "" if is_there else "?"
        lines += _comment(one["documentation"], "  ")
        lines.append(f"  {'readonly ' if is_answer else ''}{one['json']}{mark}: {kind}{'' if is_there or is_answer else ' | undefined'};")
    if is_answer:
        lines += ["  /** The fields that this version does not know, unchanged. */", "  readonly [field: string]: unknown;"]
    return "\n".join([*lines, "}", ""])


def _result(each):
    lines = ["", *_comment(each["documentation"]), f"export interface {each['name']} {{", *_comment(each["field_documentation"], "  ")]
    lines += [f"  readonly {each['field']}: {each['type']};", *_comment("The value of the secret, which no string form shows.", "  "), "  readonly secret: Secret;"]
    return "\n".join([*lines, "}", ""])


def _declaration(each, description):
    given = [(camel(one), "string", description["segments"][one]) for one in segments(each)]
    given += [(camel(one["name"]), KINDS[one["type"]], one["documentation"]) for one in arguments(each)]
    if attributes(each):
        given.append((each["body"]["parameter"], each["body"]["name"], each["body"]["documentation"]))
    lines = ["  /**", *wrapped(each["documentation"], "   * "), "   *", f"   * Request: `{route(each)}`"]
    for index, (name, _, documentation) in enumerate(given):
        head, *more = wrapped(f"@param {name} {documentation}", "   * ")
        lines += ["   *"] * (index == 0) + [head, *(line.replace("   * ", "   *   ", 1) for line in more)]
    lines += ["   *"] * (not given)
    lines += ["   * @throws {ApiError} The API refused the request.", "   * @throws {TokenwellError} An argument is invalid, or there is no token or no complete response.", "   */"]
    result = f"AsyncGenerator<{each['pages']}, void, undefined>" if each.get("pages") else f"Promise<{each.get('result', 'void')}{'[]' if each.get('array') else ''}>"
    parameters = ", ".join([f"{name}: {kind}" for name, kind, _ in given] + ["options?: CallOptions"])
    return "\n".join([*lines, f"  {camel(each['name'])}({parameters}): {result};", ""])
