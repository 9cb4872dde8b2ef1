'use strict';

/**
 * What went wrong, to what, and what to do about it: one class per status of the shared library, all of them TokenwellError.
 * As everywhere in Node `name` is the class and `code` a name: the one that every language shares. Its number is `status`.
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

/** Turns the library's error into one of ours and frees it. */
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

/** Throws unless the call went well. `slot` is the one-element array that received the call's error. */
function check(library, status, slot) {
  if (status !== 0) throw takeError(library, status, slot[0]);
}

/** For the one thing only JavaScript can get wrong: text that has no UTF-8 form. */
function notText(name) {
  return errorFor(1, `${name}: not well-formed text (it holds a lone surrogate)`, {
    code: 'INVALID_ARGUMENT',
    hint: 'Check where the text was cut, or pass bytes as a Uint8Array.',
  });
}

/** For a caller whose time is over while the call it waits for goes on for others. */
function timeOver(deadlineMs) {
  return errorFor(8, `no token within ${deadlineMs} ms: the call's deadline is over`, {
    code: 'DEADLINE',
    hint: 'Allow more time, or try again: the refresh may still finish for the next caller.',
  });
}

function errorFor(status, message, fields) {
  const Class = CLASS_BY_STATUS[status] ?? TokenwellError;
  return new Class(message, { status, ...fields });
}

module.exports = {
  check,
  notText,
  timeOver,
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
