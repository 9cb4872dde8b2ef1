'use strict';

const koffi = require('koffi');
const { check } = require('./errors.js');
const { load } = require('./library.js');
const { deadlineOf, milliseconds, settingBytes, settingName, stringBytes } = require('./options.js');
const { Token, readToken } = require('./token.js');
const { LONGEST_TIMER_MS, SharedCalls, remainingDeadline, waitFor, whenThreadIsFree } = require('./waiting.js');

const FORCE_REFRESH = 1;
const FROM_ENVIRONMENT = Symbol('from the environment');

// In the order of tokenwell_stats.
const STATS = ['hits', 'waits', 'refreshes', 'mints', 'mintFailures', 'staleServed', 'cooldownAnswers', 'invalidations'];

// The library's client is freed only when the Client is garbage collected. close() does not free
// it, so that later calls and calls that still run on a worker thread (which keep a reference to
// the Client) are safe.
const clients = new FinalizationRegistry(({ library, pointer, localCopy }) => {
  clearTimeout(localCopy.timer);
  library.client_free(pointer);
});

/**
 * Returns access tokens, and sends a token request only if no cached token is fresh. One request
 * serves all callers.
 */
class Client {
  #library = load();
  #pointer;
  // The library's generation counter, as two 32-bit words in the library's memory.
  #generation;
  // The local copy of the token. It is a separate object, because `clients` must be able to clear
  // its timer after the Client is collected.
  #localCopy = { token: null, authorization: undefined, tokenPromise: null, authorizationPromise: null, low: 0, high: 0, from: 0, until: 0, timer: undefined };
  #gets = new SharedCalls(() => this.generation, (request, deadline) => this.#fetch(request, deadline));

  /**
   * @param {object} [options] The settings, by their names in camelCase: clientId, clientSecret,
   *   baseUrl, timeoutMs … `settings` accepts any setting by its name in the library.
   * @throws {TokenwellError} A setting is unknown or invalid.
   * @throws {LibraryError} No usable library was found.
   */
  constructor(options = {}, origin = undefined) {
    this.#pointer = newClient(this.#library, options, origin === FROM_ENVIRONMENT);
    this.#generation = new Uint32Array(koffi.view(this.#library.client_generation(this.#pointer), 8));
    clients.register(this, { library: this.#library, pointer: this.#pointer, localCopy: this.#localCopy });
  }

  /**
   * Creates a client that reads the settings that `options` does not contain from the environment:
   * from TOKENWELL_*, MONGODB_ATLAS_* and MCLI_* variables, in this order of precedence.
   */
  static fromEnv(options = {}) {
    return new Client(options, FROM_ENVIRONMENT);
  }

  /**
   * Resolves to a valid Token.
   *
   * @param {object} [options] minTtlMs, deadlineMs, forceRefresh, signal.
   * @returns {Promise<Token>}
   * @throws {TokenwellError} No token can be returned.
   */
  token(options) {
    if (options === undefined && this.#isFresh()) return this.#localCopy.tokenPromise;
    return this.#get(options);
  }

  /**
   * Resolves to the value of the Authorization header, `Bearer …`. The options and errors are those
   * of token().
   */
  authorization(options) {
    if (options === undefined && this.#isFresh()) return this.#localCopy.authorizationPromise;
    return this.#get(options).then((token) => token.authorization);
  }

  /**
   * Returns the header value if it is available without waiting, otherwise undefined. It creates no
   * promise.
   */
  authorizationIfFresh() {
    return this.#isFresh() ? this.#localCopy.authorization : undefined;
  }

  /**
   * Drops a token that a server rejected with 401, if it is still the current token. The next get
   * returns another one. If another process is writing to the shared cache, the call waits for it
   * for about a second.
   *
   * @param {Token | string} token The rejected token, or its value.
   * @throws {ClosedError} The client is closed.
   * @throws {TypeError} `token` is neither a Token nor a string.
   */
  async invalidate(token) {
    const value = token instanceof Token ? token.value : token;
    if (typeof value !== 'string') throw new TypeError('token must be a Token or its value (a string)');
    const bytes = stringBytes('token', value);
    await this.#call(this.#library.client_invalidate, () => [bytes, bytes.length - 1]);
  }

  /**
   * Revokes the current token at the server, and drops it here once the server has confirmed.
   *
   * @param {object} [options] deadlineMs, signal.
   * @throws {TokenwellError} The token could not be revoked.
   */
  async revoke(options = {}) {
    const { deadlineMs, signal, ...unknown } = options;
    rejectUnknown(unknown, 'deadlineMs, signal');
    const limitMs = deadlineOf(deadlineMs);
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const call = this.#call(this.#library.client_revoke, () => [remainingDeadline(limitMs, startedAt)]);
    await waitFor(call, { remainingMs: limitMs ?? Infinity, limitMs, signal });
  }

  /**
   * Returns the counts since the client was created. Gets answered from the local copy are not
   * counted.
   */
  stats() {
    const counts = new BigUint64Array(STATS.length);
    const error = [null];
    check(this.#library, this.#library.client_stats(this.#pointer, counts, counts.byteLength, error), error);
    return Object.fromEntries(STATS.map((name, index) => [name, Number(counts[index])]));
  }

  /** A number that changes whenever the current token changes. */
  get generation() {
    return this.#generation[1] * 2 ** 32 + this.#generation[0];
  }

  /**
   * Advances the clock of a client that was created with manualClockMs. For tests.
   *
   * @param {number | bigint} ms The duration in milliseconds.
   */
  advanceClock(ms) {
    const error = [null];
    check(this.#library, this.#library.client_advance_clock(this.#pointer, milliseconds('ms', ms), error), error);
  }

  /**
   * Closes the client: waiting and later calls fail with ClosedError. Can be called more than once.
   */
  close() {
    this.#drop();
    const error = [null];
    check(this.#library, this.#library.client_close(this.#pointer, error), error);
  }

  /**
   * Closes the client at the end of a `using` block. Node 22 and earlier need a compiler for
   * `using`.
   */
  [Symbol.dispose]() {
    this.close();
  }

  // ---- the local copy

  #isFresh() {
    const copy = this.#localCopy;
    // Plain loads are sufficient: nothing else is read from shared memory, and the counter only
    // increases, so both words equal the copied ones only while it is unchanged.
    if (copy.token === null || this.#generation[0] !== copy.low || this.#generation[1] !== copy.high) return false;
    // Only the wall clock is read here. The monotonic clock is checked by the timer that drops the
    // copy, because reading a second clock would double the cost of a get. Blocking the event loop
    // delays the timer, but not the wall clock.
    const now = Date.now();
    return now >= copy.from && now < copy.until;
  }

  #keep(token, freshForMs, from) {
    if (freshForMs < 1 || token.generation !== this.generation) return;
    this.#drop();
    const copy = this.#localCopy;
    copy.timer = setTimeout(clearLocalCopy, Math.min(freshForMs, LONGEST_TIMER_MS), copy);
    copy.timer.unref();
    copy.token = token;
    copy.authorization = token.authorization;
    copy.tokenPromise = Promise.resolve(token);
    copy.authorizationPromise = Promise.resolve(token.authorization);
    copy.low = this.#generation[0];
    copy.high = this.#generation[1];
    copy.from = from;
    copy.until = from + freshForMs;
  }

  #drop() {
    clearTimeout(this.#localCopy.timer);
    clearLocalCopy(this.#localCopy);
  }

  // ---- calls into the library

  async #get(options = {}) {
    const { minTtlMs, deadlineMs, forceRefresh = false, signal, ...unknown } = options;
    rejectUnknown(unknown, 'minTtlMs, deadlineMs, forceRefresh, signal');
    const minTtl = minTtlMs === undefined ? 0n : milliseconds('minTtlMs', minTtlMs);
    const limitMs = deadlineOf(deadlineMs);
    signal?.throwIfAborted();

    if (minTtl === 0n && !forceRefresh && this.#isFresh()) return this.#localCopy.token;
    return this.#gets.join({ minTtl, flags: forceRefresh ? FORCE_REFRESH : 0, limitMs }, signal);
  }

  /** Makes one call for a token. `deadline()` is evaluated when the call starts. */
  async #fetch({ minTtl, flags }, deadline) {
    const out = [null];
    await this.#call(this.#library.client_token, () => [minTtl, deadline(), flags, out]);
    return this.#receive(out[0]);
  }

  /**
   * Copies and frees the library's token, and keeps a local copy for as long as the library allows.
   */
  #receive(pointer) {
    const library = this.#library;
    const from = Date.now();
    const token = readToken(library, pointer);
    const freshForMs = Number(library.client_fresh_for_ms(this.#pointer, pointer));
    library.token_free(pointer);
    this.#keep(token, freshForMs, from);
    return token;
  }

  /**
   * Makes one call on a worker thread. `args()` is evaluated when the call starts; the error slot
   * is appended.
   */
  async #call(fn, args) {
    const error = [null];
    const start = (done) => fn.async(this.#pointer, ...args(), error, done);
    const close = () => this.#library.client_close(this.#pointer, null);
    check(this.#library, await whenThreadIsFree(start, close), error);
  }
}

function newClient(library, options, useEnvironment) {
  const error = [null];
  const config = [null];
  const client = [null];
  check(library, library.config_new(config, error), error);
  try {
    const { settings, ...named } = options;
    for (const [name, value] of Object.entries(settings ?? {})) setOne(library, config[0], name, name, value);
    for (const [option, value] of Object.entries(named)) {
      if (value !== undefined && value !== null) setOne(library, config[0], settingName(option), option, value);
    }
    if (useEnvironment) check(library, library.config_use_environment(config[0], error), error);
    check(library, library.client_new(config[0], client, error), error);
    return client[0];
  } finally {
    library.config_free(config[0]);
  }
}

/** Sets one setting. `option` is the caller's name for it, used in error messages. */
function setOne(library, config, setting, option, value) {
  const error = [null];
  const name = stringBytes('the name of a setting', setting);
  const bytes = settingBytes(option, value);
  try {
    check(library, library.config_set(config, name, name.length - 1, bytes, bytes.length - 1, error), error);
  } finally {
    // The value may be the secret.
    bytes.fill(0);
  }
}

function rejectUnknown(unknown, known) {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`unknown option ${name}; the options are ${known}`);
}

function clearLocalCopy(copy) {
  copy.token = null;
  copy.authorization = undefined;
  copy.tokenPromise = null;
  copy.authorizationPromise = null;
}

module.exports = { Client };
