'use strict';

// tokenwell/undici: an interceptor for Dispatcher.compose. undici itself is not loaded.

const { errorFor } = require('./errors.js');
const { apiOrigin, isHostOf, isReplayable, isSafe } = require('./requests.js');

// A longer reply with status 401 is passed on while it is received, and its request is not repeated.
const HELD_BYTES = 64 * 1024;

/**
 * Returns an interceptor that adds the Authorization header to requests for the API of the client.
 *
 * @param {Client} client
 * @throws {NotConfiguredError} The client has no base URL, because its server was set by tokenUrl.
 */
function interceptor(client) {
  const origin = apiOrigin(client);
  return (dispatch) => (options, handler) => {
    if (!needsToken(options, origin)) return dispatch(options, handler);
    new Exchange(client, origin, dispatch, options, handler).start();
    return true;
  };
}

function needsToken({ origin, path, headers }, apiOrigin) {
  const named = new Map();
  for (const [name, value] of pairsOf(headers)) named.set(String(name).toLowerCase(), value);
  if (named.has('authorization')) return false;
  if (origin === undefined || origin === null) throw withoutOrigin();
  // A path that is a whole URL is for a proxy.
  return URL.canParse(String(origin)) && new URL(String(origin)).origin === apiOrigin && String(path).startsWith('/') && isHostOf(apiOrigin, named.get('host'));
}

function withoutOrigin() {
  return errorFor({
    status: 1,
    code: 'INVALID_ARGUMENT',
    message: 'the request has no origin, so it is not known whether its server may receive a token',
    hint: 'Compose the interceptor with an Agent, or pass the option `origin` with each request.',
  });
}

/** Iterates over the headers in each of the forms that undici accepts. */
function* pairsOf(headers) {
  if (headers === undefined || headers === null) return;
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    for (let i = 0; i < headers.length; i += 2) yield [headers[i], headers[i + 1]];
  } else {
    yield* typeof headers[Symbol.iterator] === 'function' ? headers : Object.entries(headers);
  }
}

/** A request, and the same request once more if its token is rejected. */
class Exchange {
  #client;
  #origin;
  #dispatch;
  #options;
  #handler;
  #token;
  #attempts = 0;
  // Of the attempt in progress.
  #abortAttempt;
  #context;
  // The events of a reply with status 401 that the handler has not received.
  #held;
  #heldBytes = 0;
  #stopped = new AbortController();

  constructor(client, origin, dispatch, options, handler) {
    this.#client = client;
    this.#origin = origin;
    this.#dispatch = dispatch;
    this.#options = options;
    // The handlers of undici 6, and of the fetch of Node, have another form than those of undici 7.
    this.#handler = typeof handler.onRequestStart === 'function' ? newHandler(this, handler) : oldHandler(this, handler);
  }

  start() {
    // The handler can abort the request while it waits for the token.
    this.#handler.connect(undefined);
    this.#begin();
  }

  async #begin() {
    try {
      this.#send(await this.#client.token({ signal: this.#stopped.signal }));
    } catch (error) {
      this.#handler.fail(error);
    }
  }

  #send(token) {
    this.#token = token;
    this.#attempts += 1;
    this.#dispatch({ ...this.#options, headers: [...pairsOf(this.#options.headers), ['authorization', token.authorization]].flat() }, this.#handler);
  }

  // ---- called by the two kinds of handlers

  abort = (reason) => {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort(reason);
    this.#abortAttempt?.(this.#stopped.signal.reason);
  };

  /** Returns whether the attempt continues. */
  connected(abort, context) {
    if (this.#stopped.signal.aborted) {
      abort(this.#stopped.signal.reason);
      return false;
    }
    this.#abortAttempt = abort;
    this.#context = context;
    return true;
  }

  /** The reply begins. `deliver` passes that on to the handler. */
  head(status, deliver) {
    if (status !== 401 || this.#attempts > 1 || this.#hasLeftTheApi()) return deliver();
    this.#held = [deliver];
    return true;
  }

  data(bytes, deliver) {
    if (this.#held === undefined) return deliver();
    this.#held.push(deliver);
    this.#heldBytes += bytes;
    if (this.#heldBytes <= HELD_BYTES) return true;
    this.#client.invalidate(this.#token).catch(() => {});
    return this.#release();
  }

  end(deliver) {
    if (this.#held === undefined) {
      deliver();
      return;
    }
    this.#held.push(deliver);
    this.#abortAttempt = undefined;
    this.#repeat();
  }

  failed(deliver) {
    this.#held = undefined;
    deliver();
  }

  // ---- after a 401

  async #repeat() {
    try {
      const another = await this.#anotherToken();
      if (another === undefined) {
        this.#release();
        return;
      }
      this.#held = undefined;
      this.#send(another);
    } catch (error) {
      this.#handler.fail(error);
    }
  }

  /**
   * Invalidates the token. Returns another one, or undefined if the handler gets the reply that was
   * received: if there is no other token, the next request reports why.
   */
  async #anotherToken() {
    const { signal } = this.#stopped;
    try {
      await this.#client.invalidate(this.#token);
      signal.throwIfAborted();
      return this.#canRepeat() ? await this.#client.token({ signal }) : undefined;
    } catch (error) {
      if (signal.aborted) throw error;
      return undefined;
    }
  }

  #canRepeat() {
    const { body, method = 'GET' } = this.#options;
    return isReplayable(body) && (this.#history().length < 2 || isSafe(method));
  }

  /** Passes on what was held. Returns what the handler returned last: false stops the reply. */
  #release() {
    const held = this.#held;
    this.#held = undefined;
    return held.map((deliver) => deliver()).at(-1);
  }

  /** The redirect interceptor removes the header from a request for another origin. */
  #hasLeftTheApi() {
    return this.#history().some((url) => url.origin !== this.#origin);
  }

  /** The URLs that a redirect interceptor between this one and the server has requested. */
  #history() {
    return this.#context?.history ?? [];
  }
}

/** The handler of an attempt for undici 6, and for fetch. */
function oldHandler(exchange, handler) {
  const own = {
    connect: (context) => handler.onConnect?.(exchange.abort, context),
    fail: (error) => handler.onError(error),
    onConnect(abort, context) {
      if (exchange.connected(abort, context)) own.connect(context);
    },
    onHeaders: (status, headers, resume, message) => exchange.head(status, () => handler.onHeaders(status, headers, resume, message)),
    onData: (chunk) => exchange.data(chunk.length, () => handler.onData(chunk)),
    onComplete: (trailers) => exchange.end(() => handler.onComplete(trailers)),
    onError: (error) => exchange.failed(() => handler.onError(error)),
  };
  // undici checks for some of these.
  for (const name of ['onUpgrade', 'onResponseStarted', 'onBodySent', 'onRequestSent']) {
    if (typeof handler[name] === 'function') own[name] = (...values) => handler[name](...values);
  }
  return own;
}

/** The handler of an attempt for undici 7 and later. */
function newHandler(exchange, handler) {
  const controller = new Controller(exchange.abort);
  const own = {
    connect: (context) => handler.onRequestStart(controller, context),
    fail: (error) => handler.onResponseError?.(controller, error),
    onRequestStart(attempt, context) {
      controller.attempt = attempt;
      if (exchange.connected((reason) => attempt.abort(reason), context)) own.connect(context);
    },
    onRequestUpgrade: (_attempt, ...values) => handler.onRequestUpgrade?.(controller, ...values),
    onResponseStart: (_attempt, status, ...values) => exchange.head(status, () => handler.onResponseStart?.(controller, status, ...values)),
    onResponseData: (_attempt, chunk) => exchange.data(chunk.length, () => handler.onResponseData?.(controller, chunk)),
    onResponseEnd: (_attempt, trailers) => exchange.end(() => handler.onResponseEnd?.(controller, trailers)),
    onResponseError: (_attempt, error) => exchange.failed(() => handler.onResponseError?.(controller, error)),
  };
  // undici 7 uses these of the handlers of undici 6.
  for (const name of ['onResponseStarted', 'onBodySent', 'onRequestSent']) {
    if (typeof handler[name] === 'function') own[name] = (...values) => handler[name](...values);
  }
  return own;
}

/** Controls the attempt in progress. A handler may keep it, so it is the same for both attempts. */
class Controller {
  attempt;
  #abort;
  #reason = null;
  #aborted = false;

  constructor(abort) {
    this.#abort = abort;
  }

  get aborted() {
    return this.#aborted || Boolean(this.attempt?.aborted);
  }

  get reason() {
    return this.#reason ?? this.attempt?.reason ?? null;
  }

  get paused() {
    return Boolean(this.attempt?.paused);
  }

  get rawHeaders() {
    return this.attempt?.rawHeaders ?? null;
  }

  get rawTrailers() {
    return this.attempt?.rawTrailers ?? null;
  }

  abort(reason) {
    if (this.aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#abort(reason);
  }

  pause() {
    this.attempt?.pause();
  }

  resume() {
    this.attempt?.resume();
  }
}

module.exports = { interceptor };
