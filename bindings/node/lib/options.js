'use strict';

// Converts the options of a client for the shared library: names, strings, durations.

const { isUint8Array } = require('node:util/types');
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
 * Converts the value of a setting to a string or bytes.
 *
 * @throws {InvalidArgumentError} A string contains a lone surrogate.
 * @throws {RangeError} A number is negative or not finite.
 * @throws {TypeError} The value has another type.
 */
function settingValue(option, value) {
  switch (typeof value) {
    case 'string':
      return wellFormed(option, value);
    case 'number':
      return wellFormed(option, Number.isInteger(value) ? String(wholeNumber(option, value)) : String(notNegative(option, value)));
    case 'bigint':
      return wellFormed(option, String(wholeNumber(option, value)));
    case 'boolean':
      return wellFormed(option, String(value));
    default:
      if (option === 'noProxy' && Array.isArray(value) && value.every((host) => typeof host === 'string')) {
        return wellFormed(option, value.join(','));
      }
      // Not `instanceof`: each vm context has its own Uint8Array.
      if (isUint8Array(value)) return copyOfBytes(value);
      throw new TypeError(`${option} must be a string, a number, a boolean or a Uint8Array`);
  }
}

/**
 * Copies bytes, which may be a secret, into memory that can be wiped. V8 keeps short arrays in its
 * heap, where it moves them, and moves them out of it when an addon reads them: it would leave a copy.
 */
function copyOfBytes(bytes) {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** Wipes the values of settings that are bytes. */
function wipe(values) {
  for (const value of values) {
    if (isUint8Array(value)) value.fill(0);
  }
}

/**
 * Returns the string.
 *
 * @throws {InvalidArgumentError} It contains a lone surrogate, which cannot be encoded in UTF-8.
 */
function wellFormed(name, string) {
  if (!string.isWellFormed()) throw notWellFormed(name);
  return string;
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
 * Converts a caller's deadline in milliseconds. It is at least 1, because 0 means to the library
 * that none is set.
 */
function deadlineOf(deadlineMs) {
  if (deadlineMs === undefined) return 0n;
  const whole = milliseconds('deadlineMs', deadlineMs);
  return whole === 0n ? 1n : whole;
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

module.exports = { deadlineOf, milliseconds, settingName, settingValue, wellFormed, wipe };
