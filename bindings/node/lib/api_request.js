'use strict';

// Converts the description of a request to the Admin API for the addon (src/request.h).

const { isUint8Array } = require('node:util/types');
const { deadlineOf, milliseconds, wellFormed } = require('./options.js');

const KNOWN = 'version, query, body, maxBody, deadlineMs, signal';

/**
 * Returns what the addon takes, and the signal of the caller.
 *
 * @throws {TypeError} An argument has the wrong type.
 * @throws {RangeError} A number is negative or not finite.
 * @throws {InvalidArgumentError} A string contains a lone surrogate.
 */
function describe(method, path, options = {}) {
  const { version, query, body, maxBody, deadlineMs, signal, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`unknown option ${name}; the options are ${KNOWN}`);
  const description = [
    stringOf('method', method),
    stringOf('path', path),
    version === undefined ? null : stringOf('version', version),
    bodyOf(body),
    maxBody === undefined ? null : bytesOf(maxBody),
    deadlineOf(deadlineMs),
    ...parametersOf(query),
  ];
  return { description, signal };
}

function bodyOf(body) {
  if (body === undefined) return null;
  if (typeof body === 'string') return wellFormed('body', body);
  // Not `instanceof`: each vm context has its own Uint8Array.
  if (isUint8Array(body)) return body;
  const json = JSON.stringify(body);
  if (json === undefined) throw new TypeError('body must be JSON (a string or a Uint8Array) or a value that can be converted to JSON');
  return json;
}

function bytesOf(maxBody) {
  if (typeof maxBody !== 'number' && typeof maxBody !== 'bigint') throw new TypeError('maxBody must be a number of bytes');
  return milliseconds('maxBody', maxBody);
}

function parametersOf(query) {
  if (query === undefined || query === null) return [];
  const pairs = typeof query[Symbol.iterator] === 'function' ? [...query] : Object.entries(query);
  return pairs.flatMap(([name, values]) => (Array.isArray(values) ? values : [values]).flatMap((value) => [stringOf('query', name), parameterOf(name, value)]));
}

function parameterOf(name, value) {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return stringOf(`query ${name}`, value);
}

function stringOf(name, value) {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`);
  return wellFormed(name, value);
}

module.exports = { describe };
