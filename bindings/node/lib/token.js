'use strict';

const { inspect } = require('node:util');

/**
 * An immutable access token. Its string forms show when it expires; only `value` and
 * `authorization` return the secret.
 */
class Token {
  #value;
  #authorization;
  #expiresAtMs;
  #scope;
  #generation;

  constructor(value, authorization, expiresAtMs, scope, generation) {
    this.#value = value;
    this.#authorization = authorization;
    this.#expiresAtMs = expiresAtMs;
    this.#scope = scope;
    this.#generation = generation;
  }

  /** The access token. A secret. */
  get value() {
    return this.#value;
  }

  /** The value of the Authorization header: `Bearer …`. */
  get authorization() {
    return this.#authorization;
  }

  /** The time at which the token expires. A new Date each time, because a Date is mutable. */
  get expiresAt() {
    return new Date(this.#expiresAtMs);
  }

  /** The scope in the server's reply, or null if the reply had no scope. */
  get scope() {
    return this.#scope;
  }

  /**
   * The client's `generation` when this token became current. The two differ once it is no longer
   * current.
   */
  get generation() {
    return this.#generation;
  }

  toString() {
    return `[Token redacted, expires ${this.expiresAt.toISOString()}]`;
  }

  toJSON() {
    return this.toString();
  }

  [inspect.custom]() {
    return this.toString();
  }
}

/** Creates the token that an outcome of the library describes. */
function tokenOf({ value, authorization, expiresAtMs, scope, generation }) {
  return new Token(value, authorization, expiresAtMs, scope, generation);
}

module.exports = { Token, tokenOf };
