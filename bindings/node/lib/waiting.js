'use strict';

// Limits the calls that wait on libuv's worker threads, lets callers share a call, and lets a
// caller stop waiting.
//
// libuv has few worker threads (UV_THREADPOOL_SIZE, 4 by default), and Node also uses them for
// files and DNS lookups. A call that waits for the authorization server occupies one. So one thread
// is always left for the rest of the program, and further calls queue here.

const { DeadlineError, deadlineExceeded } = require('./errors.js');

const WORKER_THREADS = Number.parseInt(process.env.UV_THREADPOOL_SIZE ?? '', 10) || 4;
const MAX_RUNNING = Math.max(1, WORKER_THREADS - 1);
// About twelve days. The limit of setTimeout is about twice as long.
const LONGEST_TIMER_MS = 2 ** 30;

// The library enforces the deadline too, and its error gives the reason. This is the time that its
// error has to arrive.
const GRACE_MS = 20;

const running = new Set();
const queue = [];

/**
 * Runs `start(done)` when a worker thread is free.
 *
 * @param start Starts the call, which calls `done(error, result)` when it completes.
 * @param close Makes the call return early if the process exits.
 * @returns {Promise} Settles with the arguments of `done`.
 */
function whenThreadIsFree(start, close) {
  return new Promise((resolve, reject) => {
    const call = { start, close, resolve, reject };
    if (running.size < MAX_RUNNING) startCall(call);
    else queue.push(call);
  });
}

function startCall(call) {
  running.add(call);
  const done = (error, result) => {
    running.delete(call);
    if (queue.length > 0) startCall(queue.shift());
    if (error) call.reject(error);
    else call.resolve(result);
  };
  try {
    call.start(done);
  } catch (error) {
    done(error);
  }
}

// Node joins its worker threads when the process exits. Closing the clients makes their calls
// return immediately; otherwise process.exit() would wait for the authorization server.
process.on('exit', () => {
  for (const call of running) call.close();
});

/**
 * Waits for the promise until the caller's deadline or abort. The underlying call is not
 * affected.
 *
 * @param promise The shared call.
 * @param remainingMs The caller's remaining time, or Infinity.
 * @param limitMs The caller's deadline, for the error message.
 * @param signal The caller's AbortSignal, or undefined.
 * @throws {DeadlineError} The deadline was exceeded.
 */
function waitFor(promise, { remainingMs, limitMs, signal }) {
  if (remainingMs > LONGEST_TIMER_MS && signal === undefined) return promise;

  return new Promise((resolve, reject) => {
    let timer;
    const onAbort = () => settleWith(reject, signal.reason);
    const settleWith = (settle, outcome) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle(outcome);
    };

    signal?.addEventListener('abort', onAbort);
    if (remainingMs <= LONGEST_TIMER_MS) {
      timer = setTimeout(() => settleWith(reject, deadlineExceeded(limitMs)), remainingMs + GRACE_MS);
    }
    promise.then(
      (value) => settleWith(resolve, value),
      (error) => settleWith(reject, error),
    );
    if (signal?.aborted) onAbort();
  });
}

/**
 * Returns the time that remains for a call when it starts, in milliseconds. 0 means the client's
 * timeout setting.
 */
function remainingDeadline(budgetMs, startedAt) {
  if (budgetMs === undefined) return 0;
  return Math.max(1, Math.ceil(budgetMs - (performance.now() - startedAt)));
}

/**
 * Lets callers with the same arguments share one call of the library, because a waiting call
 * occupies a worker thread. A shared call has the deadline of the caller that started it. Callers
 * that joined later and have time left then share another call.
 */
class SharedCalls {
  #generation;
  #fetch;
  // The running calls, by their arguments.
  #calls = new Map();

  /**
   * @param generation Returns a number that changes whenever the current token changes.
   * @param fetch `fetch(request, deadline)` resolves to a token.
   */
  constructor(generation, fetch) {
    this.#generation = generation;
    this.#fetch = fetch;
  }

  /**
   * Resolves to the token. The caller waits for at most `request.limitMs`; undefined means the
   * timeout setting.
   */
  async join(request, signal) {
    const startedAt = performance.now();
    let successor;
    for (;;) {
      const call = this.#callFor(request, successor);
      const remainingMs = (request.limitMs ?? Infinity) - (performance.now() - startedAt);
      try {
        return await waitFor(call.outcome, { remainingMs, limitMs: request.limitMs, signal });
      } catch (error) {
        if (!(error instanceof DeadlineError)) throw error;
        const firstError = call.firstError ?? error;
        // If the caller set no deadline, the duration of the first call shows how long the timeout
        // setting is.
        const nominalMs = call.nominalMs ?? performance.now() - call.startedAt;
        const leftMs = startedAt + nominalMs - performance.now();
        if (leftMs < 1) throw firstError;
        successor = { nominalMs, budgetMs: leftMs, firstError };
      }
    }
  }

  #callFor(request, successor) {
    const key = `${request.minTtl} ${request.flags} ${request.limitMs}`;
    const current = this.#calls.get(key);
    // If the token has changed since that call started (by invalidate, for example), its result may
    // be outdated.
    if (current !== undefined && current.generation === this.#generation()) return current;

    const call = this.#start(request, successor);
    this.#calls.set(key, call);
    const forget = () => {
      if (this.#calls.get(key) === call) this.#calls.delete(key);
    };
    call.outcome.then(forget, forget);
    return call;
  }

  #start(request, successor) {
    const startedAt = performance.now();
    const budgetMs = successor?.budgetMs ?? request.limitMs;
    return {
      outcome: this.#fetch(request, () => remainingDeadline(budgetMs, startedAt)),
      startedAt,
      generation: this.#generation(),
      nominalMs: successor?.nominalMs ?? request.limitMs,
      firstError: successor?.firstError,
    };
  }
}

module.exports = { LONGEST_TIMER_MS, SharedCalls, remainingDeadline, waitFor, whenThreadIsFree };
