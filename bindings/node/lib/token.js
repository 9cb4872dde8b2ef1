'use strict';

const { inspect } = require('node:util');

/**
 * One access token. Printing it in any way shows that it is there and when it ends, never what it is; the text is read
 * explicitly, from `value` or `authorization`.
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

  /** The access token itself. */
  get value() {
    return this.#value;
  }

  /** The value of the Authorization header: `Bearer …`. */
  get authorization() {
    return this.#authorization;
  }

  /** A new Date each time, because a Date can be changed. */
  get expiresAt() {
    return new Date(this.#expiresAtMs);
  }

  /** The scope the server named, or null. */
  get scope() {
    return this.#scope;
  }

  /** The client's `generation` that this token began: the two differ as soon as this is no longer the current one. */
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

/** Copies what the library's token holds; the pointer stays the caller's. */
function readToken(library, pointer) {
  return new Token(
    library.token_value(pointer, null),
    library.token_authorization(pointer, null),
    Number(library.token_expires_at_ms(pointer)),
    library.token_scope(pointer, null),
    Number(library.token_generation(pointer)),
  );
}

module.exports = { Token, readToken };
