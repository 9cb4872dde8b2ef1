'use strict';

const { inspect } = require('node:util');

/**
 * A response of the Admin API, with any status except a redirect. Its string forms show only the
 * status, because the body may contain a secret.
 */
class ApiResponse {
  #status;
  #list;
  #headers;
  #body;

  constructor(status, list, body) {
    this.#status = status;
    this.#list = list;
    this.#body = body;
    const joined = new Map();
    for (const [name, value] of list) joined.set(name, joined.has(name) ? `${joined.get(name)}, ${value}` : value);
    this.#headers = Object.freeze(Object.assign(Object.create(null), Object.fromEntries(joined)));
  }

  /** The HTTP status. 4xx and 5xx are results too: the body says what is wrong. */
  get status() {
    return this.#status;
  }

  /** Whether the status is 200 to 299. */
  get ok() {
    return this.#status >= 200 && this.#status < 300;
  }

  /** The headers, with names in lower case. Values of the same name are joined with commas. Frozen. */
  get headers() {
    return this.#headers;
  }

  /** The headers in the order received, as pairs of a name in lower case and a value. */
  get headerList() {
    return this.#list.map((pair) => [...pair]);
  }

  /** The body, unchanged. */
  get body() {
    return this.#body;
  }

  /** The body as a string. Bytes that are not UTF-8 are replaced. */
  text() {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#body);
  }

  /**
   * The body as a value.
   *
   * @throws {SyntaxError} The body is not JSON, for example because a proxy answered instead of the API.
   */
  json() {
    return JSON.parse(this.text());
  }

  toString() {
    return `[ApiResponse ${this.#status}]`;
  }

  toJSON() {
    return this.toString();
  }

  [inspect.custom]() {
    return this.toString();
  }
}

/** Creates the response that an outcome of the library describes. */
function responseOf({ responseStatus, headers, body }) {
  const list = [];
  for (let index = 0; index < headers.length; index += 2) list.push([headers[index], headers[index + 1]]);
  return new ApiResponse(responseStatus, list, body);
}

module.exports = { ApiResponse, responseOf };
