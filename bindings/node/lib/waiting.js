'use strict';

// Which calls of the shared library may wait on Node's worker threads, who shares one, and how a caller stops waiting for it.
//
// Node has few worker threads (UV_THREADPOOL_SIZE, 4 by default) and needs them for files and name look-ups too. A call
// that waits for the authorization server holds one of them, so one thread is always left to the rest of the program;
// further calls queue here.

const { DeadlineError, timeOver } = require('./errors.js');

const THREADS = Number.parseInt(process.env.UV_THREADPOOL_SIZE ?? '', 10) || 4;
const LIMIT = Math.max(1, THREADS - 1);
// About twelve days; setTimeout takes no more than twice that.
const LONGEST_TIMER_MS = 2 ** 30;

// The library watches a call's deadline itself and knows best why a call failed: its word gets this much time to arrive.
const GRACE_MS = 20;

const running = new Set();
const queue = [];

/**
 * Runs `start(done)` when a worker thread is free for it. `close` is what ends the call early, should the process exit
 * meanwhile. Resolves to what `done(error, result)` was given.
 */
function whenThreadIsFree(start, close) {
  return new Promise((resolve, reject) => {
    const call = { start, close, resolve, reject };
    if (running.size < LIMIT) begin(call);
    else queue.push(call);
  });
}

function begin(call) {
  running.add(call);
  const done = (error, result) => {
    running.delete(call);
    if (queue.length > 0) begin(queue.shift());
    if (error) call.reject(error);
    else call.resolve(result);
  };
  try {
    call.start(done);
  } catch (error) {
    done(error);
  }
}

// Node joins its worker threads when the process exits. Closing the clients that are waited for lets them end at once;
// without it process.exit() would wait for the authorization server.
process.on('exit', () => {
  for (const call of running) call.close();
});

/**
 * The promise's outcome, or the caller's own end if that comes first: `remainingMs` over (Infinity: no limit) or `signal`
 * aborted. What the promise stands for goes on for others.
 */
function waitFor(promise, { remainingMs, limitMs, signal }) {
  if (remainingMs > LONGEST_TIMER_MS && signal === undefined) return promise;

  return new Promise((resolve, reject) => {
    let timer;
    const onAbort = () => leave(reject, signal.reason);
    const leave = (settle, outcome) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle(outcome);
    };

    signal?.addEventListener('abort', onAbort);
    if (remainingMs <= LONGEST_TIMER_MS) {
      timer = setTimeout(() => leave(reject, timeOver(limitMs)), remainingMs + GRACE_MS);
    }
    promise.then(
      (value) => leave(resolve, value),
      (error) => leave(reject, error),
    );
    if (signal?.aborted) onAbort();
  });
}

/** What is left of a call's time when it starts, as the library takes it: 0 stands for the client's timeout. */
function remainingDeadline(budgetMs, begunAt) {
  if (budgetMs === undefined) return 0;
  return Math.max(1, Math.ceil(budgetMs - (performance.now() - begunAt)));
}

/**
 * Callers that ask for the same thing share one call of the library, because a call that waits holds a worker thread.
 * A shared call ends by the time of the caller that began it; those who came later have time left and go on together.
 */
class SharedCalls {
  #generation;
  #fetch;
  // The calls that wait in the library, by what they ask for.
  #flights = new Map();

  /** `generation()` changes whenever the token does. `fetch(request, deadline)` resolves to a token. */
  constructor(generation, fetch) {
    this.#generation = generation;
    this.#fetch = fetch;
  }

  /** Resolves to what was asked for, for a caller who waits `request.limitMs` at most (undefined: as the client is configured). */
  async join(request, signal) {
    const begunAt = performance.now();
    let successor;
    for (;;) {
      const flight = this.#flightFor(request, successor);
      const remainingMs = (request.limitMs ?? Infinity) - (performance.now() - begunAt);
      try {
        return await waitFor(flight.outcome, { remainingMs, limitMs: request.limitMs, signal });
      } catch (error) {
        if (!(error instanceof DeadlineError)) throw error;
        const verdict = flight.verdict ?? error;
        // Where the caller left the time to the client's settings, the first call has just shown how long that is.
        const nominalMs = flight.nominalMs ?? performance.now() - flight.begunAt;
        const leftMs = begunAt + nominalMs - performance.now();
        if (leftMs < 1) throw verdict;
        successor = { nominalMs, budgetMs: leftMs, verdict };
      }
    }
  }

  #flightFor(request, successor) {
    const key = `${request.minTtl} ${request.flags} ${request.limitMs}`;
    const current = this.#flights.get(key);
    // A change of the token since that call began (an invalidate, say) may make its answer the wrong one.
    if (current !== undefined && current.generation === this.#generation()) return current;

    const flight = this.#begin(request, successor);
    this.#flights.set(key, flight);
    const forget = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.outcome.then(forget, forget);
    return flight;
  }

  #begin(request, successor) {
    const begunAt = performance.now();
    const budgetMs = successor?.budgetMs ?? request.limitMs;
    return {
      outcome: this.#fetch(request, () => remainingDeadline(budgetMs, begunAt)),
      begunAt,
      generation: this.#generation(),
      nominalMs: successor?.nominalMs ?? request.limitMs,
      verdict: successor?.verdict,
    };
  }
}

module.exports = { LONGEST_TIMER_MS, SharedCalls, remainingDeadline, waitFor, whenThreadIsFree };
