'use strict';

/**
 * The base class of the errors that the library reports, with one subclass for each status.
 *
 * As in Node, `name` is the name of the class and `code` is a string: the stable name that all
 * languages share. `status` is its number.
 */
class TokenwellError extends Error {
  constructor(message, { code, status, hint = '', httpStatus = null, retryAfterMs = null }) {
    super(message);
    this.code = code;
    this.status = status;
    this.hint = hint;
    this.httpStatus = httpStatus;
    this.retryAfterMs = retryAfterMs;
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
 * Converts an error of the library and frees it.
 *
 * @param library The loaded library.
 * @param status The status that the call returned.
 * @param pointer The library's error, or null.
 * @returns {TokenwellError}
 */
function takeError(library, status, pointer) {
  if (pointer === null) {
    const code = library.status_name(status);
    return errorFor(status, `the call failed with ${code}`, { code });
  }

  const httpStatus = library.error_http_status(pointer);
  const retryAfterMs = Number(library.error_retry_after_ms(pointer));
  const error = errorFor(library.error_status(pointer), library.error_message(pointer, null), {
    code: library.error_name(pointer),
    hint: library.error_hint(pointer, null),
    httpStatus: httpStatus === 0 ? null : httpStatus,
    retryAfterMs: retryAfterMs < 0 ? null : retryAfterMs,
  });
  library.error_free(pointer);
  return error;
}

/**
 * Throws if the status is not zero.
 *
 * @param library The loaded library.
 * @param status The status that the call returned.
 * @param slot The array of one element that received the call's error.
 * @throws {TokenwellError}
 */
function check(library, status, slot) {
  if (status !== 0) throw takeError(library, status, slot[0]);
}

/** Returns the error for a string with a lone surrogate, which cannot be encoded in UTF-8. */
function notWellFormed(name) {
  return errorFor(1, `${name}: the string is not well-formed (it contains a lone surrogate)`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Check where the string was cut, or pass the bytes as a Uint8Array.',
  });
}

/**
 * Returns the error for a caller whose deadline was exceeded while a shared call continues for
 * others.
 */
function deadlineExceeded(deadlineMs) {
  return errorFor(8, `no result after ${deadlineMs} ms: deadline exceeded`, {
    code: 'DEADLINE',
    hint: 'Allow more time, or try again: a refresh in progress continues in the background.',
  });
}

function errorFor(status, message, fields) {
  const Class = CLASS_BY_STATUS[status] ?? TokenwellError;
  return new Class(message, { status, ...fields });
}

module.exports = {
  check,
  notWellFormed,
  deadlineExceeded,
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
