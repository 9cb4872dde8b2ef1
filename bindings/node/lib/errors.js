'use strict';

/**
 * The base class of the errors that the library reports, with one subclass for each status.
 *
 * As in Node, `name` is the name of the class and `code` is a string: the stable name that all
 * languages share. `status` is its number.
 */
class TokenwellError extends Error {
  constructor(message, { code, status, hint = '', httpStatus = null, retryAfterMs = null, oauthCode = null, isRemembered = false, ageMs = 0, attempts = 0 }) {
    super(message);
    this.code = code;
    this.status = status;
    this.hint = hint;
    this.httpStatus = httpStatus;
    this.retryAfterMs = retryAfterMs;
    this.oauthCode = oauthCode;
    this.isRemembered = isRemembered;
    this.ageMs = ageMs;
    this.attempts = attempts;
  }

  get name() {
    return this.constructor.name;
  }
}

class InvalidArgumentError extends TokenwellError {}
class NotConfiguredError extends TokenwellError {}
class CredentialRejectedError extends TokenwellError {}
class TokenLimitError extends TokenwellError {}
class RateLimitedError extends TokenwellError {}
class NetworkError extends TokenwellError {}
class TlsError extends TokenwellError {}
class DeadlineError extends TokenwellError {}
class ServerError extends TokenwellError {}
class ProtocolError extends TokenwellError {}
class RefusedError extends TokenwellError {}
class ClosedError extends TokenwellError {}
class InternalError extends TokenwellError {}

// The index is the status number; numbers are never reused, so this list only grows.
const CLASS_BY_STATUS = [
  TokenwellError,
  InvalidArgumentError,
  NotConfiguredError,
  CredentialRejectedError,
  TokenLimitError,
  RateLimitedError,
  NetworkError,
  TlsError,
  DeadlineError,
  ServerError,
  ProtocolError,
  RefusedError,
  ClosedError,
  InternalError,
];

/**
 * Returns the outcome of a call, or throws the error whose fields it contains.
 *
 * @param outcome What a function of the library returned. Only an error has a `status`.
 * @throws {TokenwellError}
 */
function check(outcome) {
  if (outcome?.status !== undefined) throw errorFor(outcome);
  return outcome;
}

/** Returns the error for a string with a lone surrogate, which cannot be encoded in UTF-8. */
function notWellFormed(name) {
  return errorFor({
    status: 1,
    code: 'INVALID_ARGUMENT',
    message: `${name}: the string is not well-formed (it contains a lone surrogate)`,
    hint: 'Check where the string was cut, or pass the bytes as a Uint8Array.',
  });
}

/** Creates the error with these fields, of the class for its `status`. */
function errorFor(fields) {
  const Class = CLASS_BY_STATUS[fields.status] ?? TokenwellError;
  return new Class(fields.message, fields);
}

module.exports = {
  check,
  errorFor,
  notWellFormed,
  TokenwellError,
  InvalidArgumentError,
  NotConfiguredError,
  CredentialRejectedError,
  TokenLimitError,
  RateLimitedError,
  NetworkError,
  TlsError,
  DeadlineError,
  ServerError,
  ProtocolError,
  RefusedError,
  ClosedError,
  InternalError,
};
