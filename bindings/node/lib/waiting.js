'use strict';

// Which calls of the shared library may wait on Node's worker threads, and how a caller stops waiting for one.
//
// Node has few worker threads (UV_THREADPOOL_SIZE, 4 by default) and needs them for files and name look-ups too. A call
// that waits for the authorization server holds one of them, so one thread is always left to the rest of the program;
// further calls queue here.

const { timeOver } = require('./errors.js');

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

module.exports = { LONGEST_TIMER_MS, waitFor, whenThreadIsFree };
