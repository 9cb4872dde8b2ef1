'use strict';

// Not those of the global object: jsdom and Electron have timers there that are numbers.
const { clearTimeout, setTimeout } = require('node:timers');
const { describe } = require('./api_request.js');
const { variables } = require('./environment.js');
const { check } = require('./errors.js');
const { fetchWithToken } = require('./fetch.js');
const { load } = require('./library.js');
const { deadlineOf, milliseconds, settingName, settingValue, wellFormed, wipe } = require('./options.js');
const { responseOf } = require('./response.js');
const { Token, tokenOf } = require('./token.js');
const { outcomeOf } = require('./waiting.js');

// About twelve days. The limit of setTimeout is about twice as long.
const LONGEST_TIMER_MS = 2 ** 30;
const FROM_ENVIRONMENT = Symbol('from the environment');

// In the order of tokenwell_stats.
const STATS = ['hits', 'waits', 'refreshes', 'mints', 'mintFailures', 'staleServed', 'cooldownAnswers', 'invalidations'];

// A local copy of the token is dropped with its Client. The addon frees the client of the library.
const clients = new FinalizationRegistry((localCopy) => clearTimeout(localCopy.timer));

/**
 * Returns access tokens, and sends a token request only if no cached token is fresh. One request
 * serves all callers.
 */
class Client {
  #library = load();
  #handle;
  // The library's generation counter, as two 32-bit words in the library's memory. Undefined if the
  // host does not allow that; then it is read by a call.
  #counter;
  #baseUrl;
  #sources;
  // The local copy of the token. It is a separate object, because `clients` must be able to clear
  // its timer after the Client is collected.
  #localCopy = { token: null, authorization: undefined, tokenPromise: null, authorizationPromise: null, generation: 0, low: 0, high: 0, from: 0, until: 0, timer: undefined };

  /**
   * @param {object} [options] The settings, by their names in camelCase: clientId, clientSecret,
   *   baseUrl, timeoutMs … `settings` accepts any setting by its name in the library.
   * @throws {TokenwellError} A setting is unknown or invalid.
   * @throws {LibraryError} No usable library was found.
   */
  constructor(options = {}, origin = undefined) {
    const created = newClient(this.#library, options, origin === FROM_ENVIRONMENT);
    this.#handle = created.handle;
    this.#counter = created.counter && new Uint32Array(created.counter);
    this.#baseUrl = created.baseUrl;
    this.#sources = Object.freeze(pairs(created.sources));
    clients.register(this, this.#localCopy);
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
   * The global fetch with a token, for the API of this client: a relative URL is relative to baseUrl.
   * Requests for another origin, and requests with an Authorization header, are sent unchanged. If
   * the API replies with 401, the token is invalidated, and the request is sent once more with
   * another token, unless its body is a stream or that of a Request. It needs no `this`.
   *
   * @throws {TokenwellError} No token can be returned, or the client has no base URL.
   */
  fetch = (input, init) => fetchWithToken(this, input, init);

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
    wellFormed('token', value);
    await this.#call((settle) => this.#library.invalidate(this.#handle, value, settle));
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
    const deadline = deadlineOf(deadlineMs);
    await this.#call((settle) => this.#library.revoke(this.#handle, deadline, settle), signal);
  }

  /**
   * Sends a request to the Admin API with a token, and resolves to its response. After a 401 the
   * token is invalidated, and the request is sent once more with another one. Nothing else is
   * repeated, and redirects are not followed. A status such as 404 is a result.
   *
   * @param {string} method GET, POST, PUT, PATCH or DELETE.
   * @param {string} path The path on the server of baseUrl, for example `/api/atlas/v2/orgs`.
   * @param {object} [options] version, query, body, maxBody, deadlineMs, signal.
   * @returns {Promise<ApiResponse>}
   * @throws {RefusedError} The path names a server or has a segment `..`; the response is a redirect.
   * @throws {TokenwellError} There is no token or no complete response. The request may have taken
   *   effect.
   */
  async request(method, path, options) {
    const { description, signal } = describe(method, path, options);
    signal?.throwIfAborted();
    const outcome = await outcomeOf(this.#library, (settle) => this.#library.request(this.#handle, description, settle), signal);
    return responseOf(check(outcome));
  }

  /**
   * Returns the counts since the client was created. Gets answered from the local copy are not
   * counted.
   */
  stats() {
    const counts = check(this.#library.stats(this.#handle));
    return Object.fromEntries(STATS.map((name, index) => [name, counts[index]]));
  }

  /** A number that changes whenever the current token changes. */
  get generation() {
    return this.#library.generation(this.#handle);
  }

  /** The base URL of the API, or null if the server was set by tokenUrl. */
  get baseUrl() {
    return this.#baseUrl;
  }

  /**
   * Where the value of each setting that is in effect came from, by the names of the library:
   * `{ client_id: 'environment variable TOKENWELL_CLIENT_ID', … }`. Frozen.
   */
  get sources() {
    return this.#sources;
  }

  /**
   * Advances the clock of a client that was created with manualClockMs. For tests.
   *
   * @param {number | bigint} ms The duration in milliseconds.
   */
  advanceClock(ms) {
    check(this.#library.advanceClock(this.#handle, milliseconds('ms', ms)));
  }

  /**
   * Closes the client and frees its secret: waiting and later calls fail with ClosedError. Can be
   * called more than once.
   */
  close() {
    this.#drop();
    check(this.#library.close(this.#handle, this.#counter?.buffer));
    this.#counter = undefined;
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
    if (copy.token === null || !this.#isCurrent(copy)) return false;
    // Only the wall clock is read here. The monotonic clock is checked by the timer that drops the
    // copy, because reading a second clock would double the cost of a get. Blocking the event loop
    // delays the timer, but not the wall clock.
    const now = Date.now();
    return now >= copy.from && now < copy.until;
  }

  #isCurrent(copy) {
    const counter = this.#counter;
    if (counter === undefined) return this.generation === copy.generation;
    // Plain loads are sufficient: nothing else is read from shared memory, and the counter only
    // increases, so both words equal the copied ones only while it is unchanged.
    return counter[0] === copy.low && counter[1] === copy.high;
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
    copy.generation = token.generation;
    copy.low = token.generation % 2 ** 32;
    copy.high = Math.floor(token.generation / 2 ** 32);
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
    const deadline = deadlineOf(deadlineMs);
    signal?.throwIfAborted();
    if (minTtl === 0n && !forceRefresh && this.#isFresh()) return this.#localCopy.token;
    return this.#call((settle) => this.#library.token(this.#handle, minTtl, deadline, Boolean(forceRefresh), settle), signal);
  }

  /** Makes a call that may wait. The client is not collected meanwhile. */
  async #call(begin, signal) {
    signal?.throwIfAborted();
    let outcome = outcomeOf(this.#library, begin, signal);
    // Without an `await`, if possible: the next of many gets then finds the local copy.
    if (outcome instanceof Promise) outcome = await outcome;
    check(outcome);
    return outcome === null ? undefined : this.#receive(outcome);
  }

  /** Creates the token, and keeps a local copy for as long as the library allows. */
  #receive(outcome) {
    // All callers that waited for one token get the same object.
    if (this.#isFresh() && this.#localCopy.generation === outcome.generation) return this.#localCopy.token;
    const token = tokenOf(outcome);
    this.#keep(token, outcome.freshForMs, Date.now());
    return token;
  }
}

function newClient(library, { settings, ...named }, useEnvironment) {
  // The names and values of settings, alternately.
  const list = [];
  const add = (name, option, value) => list.push(wellFormed('the name of a setting', name), settingValue(option, value));
  try {
    for (const [name, value] of Object.entries(settings ?? {})) add(name, name, value);
    for (const [option, value] of Object.entries(named)) {
      if (value !== undefined && value !== null) add(settingName(option), option, value);
    }
    return check(library.newClient(list, variables(), useEnvironment));
  } finally {
    wipe(list);
  }
}

/** Converts names and values, alternately, to an object. */
function pairs(list) {
  return Object.fromEntries(list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]]] : [])));
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
