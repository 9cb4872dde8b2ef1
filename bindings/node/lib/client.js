'use strict';

const koffi = require('koffi');
const { check } = require('./errors.js');
const { load } = require('./library.js');
const { deadlineOf, milliseconds, settingBytes, settingName, textBytes } = require('./options.js');
const { Token, readToken } = require('./token.js');
const { LONGEST_TIMER_MS, SharedCalls, remainingDeadline, waitFor, whenThreadIsFree } = require('./waiting.js');

const FORCE_REFRESH = 1;
const FROM_ENVIRONMENT = Symbol('from the environment');

// In the order of tokenwell_stats.
const STATS = ['hits', 'waits', 'refreshes', 'mints', 'mintFailures', 'staleServed', 'cooldownAnswers', 'invalidations'];

// The memory of a client is freed when the Client is garbage and not before: close() only closes, so that a call that is
// still running on a worker thread (it holds on to its Client) and any later call stay safe.
const clients = new FinalizationRegistry(({ library, pointer, kept }) => {
  clearTimeout(kept.timer);
  library.client_free(pointer);
});

/** Hands out access tokens: from memory while one is fresh, else from the authorization server, once for all who ask. */
class Client {
  #library = load();
  #pointer;
  // The library's counter of token changes, as two 32-bit words of its own memory.
  #generation;
  // The kept string. Its timer belongs to `clients` too, hence the box that lives as long as the client.
  #kept = { token: null, authorization: undefined, tokenPromise: null, authorizationPromise: null, low: 0, high: 0, from: 0, until: 0, timer: undefined };
  #gets = new SharedCalls(() => this.generation, (request, deadline) => this.#fetch(request, deadline));

  /** Settings by the library's names in camelCase: clientId, clientSecret, baseUrl, timeoutMs …; `settings` takes any of them by its own name. */
  constructor(options = {}, origin = undefined) {
    this.#pointer = newClient(this.#library, options, origin === FROM_ENVIRONMENT);
    this.#generation = new Uint32Array(koffi.view(this.#library.client_generation(this.#pointer), 8));
    clients.register(this, { library: this.#library, pointer: this.#pointer, kept: this.#kept });
  }

  /** What `options` does not say comes from TOKENWELL_*, MONGODB_ATLAS_* and MCLI_* variables. */
  static fromEnv(options = {}) {
    return new Client(options, FROM_ENVIRONMENT);
  }

  /** Resolves to a Token. Options: minTtlMs, deadlineMs, forceRefresh, signal. */
  token(options) {
    if (options === undefined && this.#isFresh()) return this.#kept.tokenPromise;
    return this.#get(options);
  }

  /** Resolves to the Authorization header's value, `Bearer …`. Options as for token(). */
  authorization(options) {
    if (options === undefined && this.#isFresh()) return this.#kept.authorizationPromise;
    return this.#get(options).then((token) => token.authorization);
  }

  /** The header's value if it can be had without waiting, else undefined: for hot paths that cannot afford a promise. */
  authorizationIfFresh() {
    return this.#isFresh() ? this.#kept.authorization : undefined;
  }

  /**
   * After a 401: drops this token, if it still is the current one, so that a get that follows brings another. While another
   * process writes to the shared cache this waits for it, for a second or so.
   */
  async invalidate(token) {
    const value = token instanceof Token ? token.value : token;
    if (typeof value !== 'string') throw new TypeError('token must be a Token or its value');
    const bytes = textBytes('token', value);
    await this.#call(this.#library.client_invalidate, () => [bytes, bytes.length - 1]);
  }

  /** Revokes the current token at the server. Options: deadlineMs, signal. */
  async revoke(options = {}) {
    const { deadlineMs, signal, ...unknown } = options;
    refuseUnknown(unknown, 'deadlineMs, signal');
    const limitMs = deadlineOf(deadlineMs);
    signal?.throwIfAborted();
    const begunAt = performance.now();
    const call = this.#call(this.#library.client_revoke, () => [remainingDeadline(limitMs, begunAt)]);
    await waitFor(call, { remainingMs: limitMs ?? Infinity, limitMs, signal });
  }

  /** Counts since the client was made. What the kept string answered is not among them. */
  stats() {
    const counts = new BigUint64Array(STATS.length);
    const error = [null];
    check(this.#library, this.#library.client_stats(this.#pointer, counts, counts.byteLength, error), error);
    return Object.fromEntries(STATS.map((name, index) => [name, Number(counts[index])]));
  }

  /** Changes whenever the current token does. */
  get generation() {
    return this.#generation[1] * 2 ** 32 + this.#generation[0];
  }

  /** Moves the clock of a client that was made with manualClockMs: for tests. */
  advanceClock(ms) {
    const error = [null];
    check(this.#library, this.#library.client_advance_clock(this.#pointer, milliseconds('ms', ms), error), error);
  }

  /** Ends the client, any number of times. Calls that wait, and later ones, fail with ClosedError. */
  close() {
    this.#drop();
    const error = [null];
    check(this.#library, this.#library.client_close(this.#pointer, error), error);
  }

  /** For `using`, which Node 22 and earlier run once a compiler has rewritten it. */
  [Symbol.dispose]() {
    this.close();
  }

  // ---- the kept string

  #isFresh() {
    const kept = this.#kept;
    // Plain loads do: nothing else is read from shared memory, and as the counter only grows, both words agree with the
    // kept ones only while it is unchanged.
    if (kept.token === null || this.#generation[0] !== kept.low || this.#generation[1] !== kept.high) return false;
    // The wall clock is read here, the monotonic clock runs in the timer that drops the token: reading a second clock would
    // double the price of a get. A program that blocks the event loop delays the timer; the wall clock still holds then.
    const now = Date.now();
    return now >= kept.from && now < kept.until;
  }

  #keep(token, freshForMs, from) {
    if (freshForMs < 1 || token.generation !== this.generation) return;
    this.#drop();
    const kept = this.#kept;
    kept.timer = setTimeout(dropKept, Math.min(freshForMs, LONGEST_TIMER_MS), kept);
    kept.timer.unref();
    kept.token = token;
    kept.authorization = token.authorization;
    kept.tokenPromise = Promise.resolve(token);
    kept.authorizationPromise = Promise.resolve(token.authorization);
    kept.low = this.#generation[0];
    kept.high = this.#generation[1];
    kept.from = from;
    kept.until = from + freshForMs;
  }

  #drop() {
    clearTimeout(this.#kept.timer);
    dropKept(this.#kept);
  }

  // ---- calls of the library

  async #get(options = {}) {
    const { minTtlMs, deadlineMs, forceRefresh = false, signal, ...unknown } = options;
    refuseUnknown(unknown, 'minTtlMs, deadlineMs, forceRefresh, signal');
    const minTtl = minTtlMs === undefined ? 0n : milliseconds('minTtlMs', minTtlMs);
    const limitMs = deadlineOf(deadlineMs);
    signal?.throwIfAborted();

    if (minTtl === 0n && !forceRefresh && this.#isFresh()) return this.#kept.token;
    return this.#gets.join({ minTtl, flags: forceRefresh ? FORCE_REFRESH : 0, limitMs }, signal);
  }

  /** One call for a token. `deadline()` is asked when it starts. */
  async #fetch({ minTtl, flags }, deadline) {
    const out = [null];
    await this.#call(this.#library.client_token, () => [minTtl, deadline(), flags, out]);
    return this.#receive(out[0]);
  }

  /** Takes over the library's token, and keeps it for as long as the library allows. */
  #receive(pointer) {
    const library = this.#library;
    const from = Date.now();
    const token = readToken(library, pointer);
    const freshForMs = Number(library.client_fresh_for_ms(this.#pointer, pointer));
    library.token_free(pointer);
    this.#keep(token, freshForMs, from);
    return token;
  }

  /** One call on a worker thread. `args` is asked when the call starts; the call's error slot is added to them. */
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

/** `given` is what the caller calls the setting. */
function setOne(library, config, setting, given, value) {
  const error = [null];
  const name = textBytes("a setting's name", setting);
  const bytes = settingBytes(given, value);
  try {
    check(library, library.config_set(config, name, name.length - 1, bytes, bytes.length - 1, error), error);
  } finally {
    // It may be the secret.
    bytes.fill(0);
  }
}

function refuseUnknown(unknown, known) {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw new TypeError(`unknown option ${name}; known are ${known}`);
}

function dropKept(kept) {
  kept.token = null;
  kept.authorization = undefined;
  kept.tokenPromise = null;
  kept.authorizationPromise = null;
}

module.exports = { Client };
