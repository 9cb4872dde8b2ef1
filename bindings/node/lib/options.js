'use strict';

// What a client may be given, on its way into the shared library: names, texts, durations.
//
// Texts become bytes with one NUL behind them that their length does not count: so even the empty text has an address.

const { notText } = require('./errors.js');

const UINT64_MAX = 2n ** 64n - 1n;

/** `clientId` -> `client_id`. Mechanical, so that a new setting of the library needs no new wrapper. */
function settingName(option) {
  return option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A setting's value as bytes. Text must be well formed: UTF-8 has no form for a lone surrogate. */
function settingBytes(option, value) {
  switch (typeof value) {
    case 'string':
      return textBytes(option, value);
    case 'number':
      return textBytes(option, Number.isInteger(value) ? String(wholeNumber(option, value)) : String(notNegative(option, value)));
    case 'bigint':
      return textBytes(option, String(wholeNumber(option, value)));
    case 'boolean':
      return textBytes(option, String(value));
    default:
      if (value instanceof Uint8Array) return Buffer.concat([value, Buffer.alloc(1)]);
      throw new TypeError(`${option} must be a string, a number, a boolean or a Uint8Array`);
  }
}

function textBytes(name, text) {
  if (!text.isWellFormed()) throw notText(name);
  return Buffer.from(`${text}\0`, 'utf8');
}

/** A duration in milliseconds as the library takes it: rounded up, and cut at what 64 bits can hold. */
function milliseconds(name, value) {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw new TypeError(`${name} must be a number of milliseconds`);
  return wholeNumber(name, value);
}

/** A caller's deadline in milliseconds, at least 1, because 0 means something else to the library. */
function deadlineOf(deadlineMs) {
  if (deadlineMs === undefined) return undefined;
  return Math.min(Math.max(1, Number(milliseconds('deadlineMs', deadlineMs))), Number.MAX_SAFE_INTEGER);
}

function wholeNumber(name, value) {
  notNegative(name, value);
  const whole = BigInt(typeof value === 'number' ? Math.ceil(value) : value);
  return whole > UINT64_MAX ? UINT64_MAX : whole;
}

function notNegative(name, value) {
  if (value < 0 || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new RangeError(`${name} must be a finite number that is not negative, not ${value}`);
  }
  return value;
}

module.exports = { deadlineOf, milliseconds, settingBytes, settingName, textBytes };
