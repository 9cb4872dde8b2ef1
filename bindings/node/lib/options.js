'use strict';

// Converts the options of a client for the shared library: names, strings, durations.
//
// A string becomes bytes followed by one NUL that is not part of its length, so that the empty
// string has an address too.

const { notWellFormed } = require('./errors.js');

const UINT64_MAX = 2n ** 64n - 1n;

/**
 * Converts `clientId` to `client_id`. There is no list of names, so a new setting needs no change
 * here.
 */
function settingName(option) {
  return option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * Converts the value of a setting to bytes.
 *
 * @throws {InvalidArgumentError} A string contains a lone surrogate.
 * @throws {RangeError} A number is negative or not finite.
 * @throws {TypeError} The value has another type.
 */
function settingBytes(option, value) {
  switch (typeof value) {
    case 'string':
      return stringBytes(option, value);
    case 'number':
      return stringBytes(option, Number.isInteger(value) ? String(wholeNumber(option, value)) : String(notNegative(option, value)));
    case 'bigint':
      return stringBytes(option, String(wholeNumber(option, value)));
    case 'boolean':
      return stringBytes(option, String(value));
    default:
      if (option === 'noProxy' && Array.isArray(value) && value.every((host) => typeof host === 'string')) {
        return stringBytes(option, value.join(','));
      }
      if (value instanceof Uint8Array) return Buffer.concat([value, Buffer.alloc(1)]);
      throw new TypeError(`${option} must be a string, a number, a boolean or a Uint8Array`);
  }
}

function stringBytes(name, string) {
  if (!string.isWellFormed()) throw notWellFormed(name);
  return Buffer.from(`${string}\0`, 'utf8');
}

/**
 * Converts a duration in milliseconds: rounded up, and at most 2^64 - 1.
 *
 * @throws {RangeError} The duration is negative or not finite.
 * @throws {TypeError} The duration is not a number or a bigint.
 */
function milliseconds(name, value) {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw new TypeError(`${name} must be a number of milliseconds`);
  return wholeNumber(name, value);
}

/**
 * Converts a caller's deadline in milliseconds to at least 1, because the library treats 0 as not
 * set.
 */
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
    throw new RangeError(`${name} must be finite and not negative, not ${value}`);
  }
  return value;
}

module.exports = { deadlineOf, milliseconds, settingBytes, settingName, stringBytes };
