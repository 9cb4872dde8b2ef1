'use strict';

// What the generated operations of service_accounts.js are made of: one request, its document, and
// the pages of a list.

const { inspect, isDeepStrictEqual } = require('node:util');
const { errorFor } = require('./errors.js');

// How often a list that changes is read from its start.
const MOST_PASSES = 5;

/** The value of a new secret. Its string forms redact it; only `value` returns it. */
class Secret {
  #value;

  constructor(value) {
    this.#value = value;
  }

  /** The secret. JavaScript cannot wipe it from memory. */
  get value() {
    return this.#value;
  }

  toString() {
    return '[Secret redacted]';
  }

  toJSON() {
    return this.toString();
  }

  [inspect.custom]() {
    return this.toString();
  }
}

/**
 * The Admin API refused a request, or its response is not what its reference describes. No property
 * contains a secret. Failures without a response are a TokenwellError.
 */
class ApiError extends Error {
  constructor(request, status, { problem = '', errorCode = null, detail = null, parameters = [], retryAfterMs = null } = {}) {
    const code = errorCode === null || detail === null ? '' : ` [${printable(errorCode)}]`;
    const reason = detail ?? errorCode;
    super(`${request}: HTTP status ${status}${problem ? `, but ${problem}` : reason === null ? '' : `: ${printable(reason)}${code}`}`);
    this.request = request;
    this.status = status;
    this.problem = problem;
    this.errorCode = errorCode;
    this.detail = detail;
    this.parameters = parameters;
    this.retryAfterMs = retryAfterMs;
  }

  get name() {
    return 'ApiError';
  }
}

/** The service accounts of an organization or a project, and the requests for them. */
class Level {
  #client;
  #api;
  #kind;
  #base;

  /** @param {object} api The paths, the version, the types and the page size of the generated module. */
  constructor(client, level, api) {
    const { organization, project, ...unknown } = level ?? {};
    noneOf(unknown, 'organization, project');
    if ((organization === undefined) === (project === undefined)) {
      throw invalid('organization, project: exactly one of them is needed', 'Pass the id of an organization or of a project.');
    }
    this.#client = client;
    this.#api = api;
    this.#kind = project === undefined ? 'organization' : 'project';
    this.#base = filled(api.paths[this.#kind], { [this.#kind]: organization ?? project });
  }

  /** Checks the level for an operation that exists at one level. */
  only(kind, operation) {
    if (kind !== this.#kind) throw invalid(`${operation}: this needs ${article(kind)}, and not ${article(this.#kind)}`, `Pass { ${kind} } to ServiceAccounts.`);
  }

  /**
   * Sends a request.
   *
   * @param {object} segments The ids in the path.
   * @param {object} content The query and the body.
   * @param {object} [options] deadlineMs and signal.
   * @returns {Promise<Reply>}
   */
  async send(method, path, segments, content, options = {}) {
    const { deadlineMs, signal, ...unknown } = options;
    noneOf(unknown, 'deadlineMs, signal');
    const whole = this.#base + filled(path, segments);
    const response = await this.#client.request(method, whole, { version: this.#api.version, deadlineMs, signal, ...content });
    return new Reply(`${method} ${whole}`, response, this.#api.types);
  }

  /**
   * Yields the objects of all pages. Each is returned once, and none is lost, also if the list
   * changes while it is read.
   *
   * Atlas numbers its pages, so an object that is added or removed moves others to another page. If
   * the total changes, or a page overlaps with an earlier one, the list is read again from its
   * start. One object added and another removed leave the total as it was: the pages but the last
   * one are therefore read once more after the last one.
   */
  async *pages(path, segments, type, key, options) {
    const { itemsPerPage } = this.#api;
    const read = async (pageNum) => {
      const reply = await this.send('GET', path, segments, { query: { itemsPerPage, pageNum } }, options);
      const { results, totalCount } = reply.page();
      return { reply, results, totalCount, keys: results.map((result) => key.map((name) => result?.[name]).find(Boolean) ?? JSON.stringify(result)) };
    };
    const returned = new Set();
    for (let passes = 1; ; passes++) {
      const pages = [];
      const seen = new Set();
      let page;
      let isWhole = false;
      while (!isWhole) {
        page = await read(pages.length + 1);
        const known = page.keys.filter((each) => seen.has(each)).length;
        if (pages.length > 0 && (page.totalCount !== pages[0].totalCount || (known > 0 && known < page.keys.length))) break;
        if (known > 0) throw page.reply.malformed(`page ${pages.length + 1} has the results of an earlier page`);
        const { reply, results, keys, totalCount } = page;
        const fresh = results.filter((_, index) => !returned.has(keys[index]));
        for (const each of keys) {
          returned.add(each);
          seen.add(each);
        }
        pages.push({ keys, totalCount });
        yield* fresh.map((each) => reply.read(type, each));
        isWhole = keys.length === 0 || (totalCount === undefined ? keys.length < itemsPerPage : seen.size >= totalCount);
      }
      for (const [index, before] of pages.slice(0, -1).entries()) {
        if (!isWhole) break;
        page = await read(index + 1);
        isWhole = page.totalCount === before.totalCount && isDeepStrictEqual(page.keys, before.keys);
      }
      if (isWhole) return;
      if (passes === MOST_PASSES) throw page.reply.malformed('the list changes while it is read');
    }
  }
}

/** The document of a response with a 2xx status. */
class Reply {
  #request;
  #status;
  #document;
  #types;

  constructor(request, response, types) {
    this.#request = request;
    this.#status = response.status;
    this.#types = types;
    try {
      this.#document = response.body.length === 0 ? undefined : response.json();
    } catch {
      this.#document = undefined;
    }
    if (!response.ok) throw refusal(request, response, this.#document);
  }

  malformed(problem) {
    return new ApiError(this.#request, this.#status, { problem });
  }

  /** Returns the document, or a part of it, as an object of this type. */
  read(type, value = this.#document) {
    try {
      return objectOf(this.#types, type, value);
    } catch (problem) {
      throw this.malformed(`the response is not what the API describes: ${problem.message}`);
    }
  }

  /** Returns the results of a page and their total number. */
  page() {
    const { results, totalCount } = this.#document ?? {};
    if (!Array.isArray(results)) throw this.malformed('the response is not what the API describes: results is missing');
    return { results, totalCount: typeof totalCount === 'number' ? totalCount : undefined };
  }

  /** Returns the results of a list that has one page. */
  results(type) {
    return this.page().results.map((each) => this.read(type, each));
  }

  /** Returns the document as `field`, and the value of the new secret in it. */
  created(field, type) {
    const object = this.read(type);
    const { secret, secrets } = this.#document;
    const values = [secret, ...(Array.isArray(secrets) ? secrets.map((each) => each?.secret) : [])];
    const value = values.find((each) => typeof each === 'string' && each !== '');
    if (value === undefined) throw this.malformed('the response has no secret');
    return Object.freeze({ [field]: object, secret: new Secret(value) });
  }
}

/** Converts a JSON object to one of this type. Fields that the type does not have are kept. */
function objectOf(types, type, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object');
  // The value of a secret is only in a Secret.
  const { secret: _, ...left } = value;
  const object = {};
  for (const [name, { kind, aliases = [], isList = false, isRequired = false, empty }] of Object.entries(types[type])) {
    const names = [name, ...aliases];
    const found = names.map((each) => left[each]).find((each) => each !== undefined && each !== null);
    for (const each of names) delete left[each];
    if (found === undefined) {
      if (isRequired) throw new Error(`${name} is missing`);
      if (empty !== undefined) object[name] = isList ? Object.freeze([]) : empty;
      continue;
    }
    if (isList !== Array.isArray(found)) throw new Error(`${name} has the wrong type`);
    const values = (isList ? found : [found]).map((each) => {
      if (kind in types) return objectOf(types, kind, each);
      if (typeof each !== kind) throw new Error(`${name} has the wrong type`);
      return each;
    });
    object[name] = isList ? Object.freeze(values) : values[0];
  }
  return Object.freeze({ ...left, ...object });
}

/** Checks that an object has no other attributes, and that its lists are lists. */
function attributes(name, object, known, lists) {
  if (typeof object !== 'object' || object === null) throw new TypeError(`${name} must be an object`);
  noneOf(Object.fromEntries(Object.entries(object).filter(([each]) => !known.includes(each))), known.join(', '));
  for (const each of lists) if (object[each] !== undefined) strings(each, object[each]);
  return object;
}

/** Checks that a value is an array. A string is none: its letters would be sent. */
function strings(name, values) {
  if (!Array.isArray(values)) throw new TypeError(`${name} must be an array of strings`);
  return values;
}

/** Returns the access list entries for addresses and networks. */
function entries(networks) {
  return strings('networks', networks).map((network) => ({ [String(network).includes('/') ? 'cidrBlock' : 'ipAddress']: network }));
}

function refusal(request, response, document) {
  const { errorCode, detail, parameters } = typeof document === 'object' && document !== null ? document : {};
  const pause = response.headers['retry-after'] ?? '';
  return new ApiError(request, response.status, {
    errorCode: typeof errorCode === 'string' ? errorCode : null,
    detail: typeof detail === 'string' ? detail : null,
    parameters: Array.isArray(parameters) ? parameters : [],
    retryAfterMs: /^\d{1,9}$/.test(pause) ? Number(pause) * 1000 : null,
  });
}

function filled(path, segments) {
  return path.replace(/\{(\w+)\}/g, (_, name) => segment(name, segments[name]));
}

function segment(name, value) {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`);
  if (value.startsWith('mdb_sa_sk_')) throw invalid(`${name}: this is a secret`, 'Pass an id. A secret must not be part of a URL.');
  if (value === '') throw invalid(`${name}: an empty string cannot be one`, 'Pass the value that the API returned.');
  if (name !== 'network' && !/^[0-9A-Za-z_-]{1,64}$/.test(value)) {
    throw invalid(`${name}: \`${printable(value)}\` cannot be one`, 'An id has letters, digits, `-` and `_`.');
  }
  return encodeURIComponent(value);
}

function noneOf(unknown, known) {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`unknown option ${name}; the options are ${known}`);
}

function invalid(message, hint) {
  return errorFor({ status: 1, code: 'INVALID_ARGUMENT', message, hint });
}

function article(kind) {
  return kind === 'organization' ? `an ${kind}` : `a ${kind}`;
}

/** Replaces what could change a terminal. */
function printable(from) {
  const shown = from.slice(0, 1000).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd');
  return from.length > 1000 ? `${shown}…` : shown;
}

module.exports = { ApiError, Level, Secret, attributes, entries, strings };
