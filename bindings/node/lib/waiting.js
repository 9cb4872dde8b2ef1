'use strict';

// Lets a caller wait for an operation of the library, and stop waiting.
//
// An operation uses no thread while it is pending, and each caller has its own: the library shares
// the token request between them and enforces their deadlines.

/**
 * Begins an operation. Returns its outcome if that is known immediately, otherwise a promise of it.
 *
 * @param library The loaded library.
 * @param begin `begin(settle)` begins the operation. It returns the outcome, or undefined if
 *   `settle(outcome)` is called later.
 * @param signal The caller's AbortSignal, or undefined or null. If it is aborted, the promise is rejected
 *   with its reason, and the operation is canceled.
 */
function outcomeOf(library, begin, signal) {
  let resolve;
  let reject;
  const pending = new Promise((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  if (signal === undefined || signal === null) {
    const outcome = begin(resolve);
    return outcome === undefined ? pending : outcome;
  }

  const onAbort = () => {
    library.cancel(settle);
    reject(signal.reason);
  };
  const settle = (outcome) => {
    resolve(outcome);
    removeListener(signal, onAbort);
  };
  // First, because it fails if the signal is not an AbortSignal. Then no operation begins.
  addListener(signal, onAbort);
  const outcome = begin(settle);
  if (outcome === undefined) return pending;
  removeListener(signal, onAbort);
  return outcome;
}

// All callers with one signal share one listener of it, because Node warns about more than ten.
const aborts = new WeakMap();

function addListener(signal, onAbort) {
  if (!aborts.has(signal)) {
    const waiting = new Set();
    const listener = () => {
      // The listener is removed, and the operations of these callers are canceled.
      aborts.delete(signal);
      for (const each of waiting) each();
    };
    signal.addEventListener('abort', listener, { once: true });
    aborts.set(signal, { waiting, listener });
  }
  aborts.get(signal).waiting.add(onAbort);
}

function removeListener(signal, onAbort) {
  const { waiting, listener } = aborts.get(signal);
  waiting.delete(onAbort);
  if (waiting.size > 0) return;
  // A signal with a listener is not collected.
  signal.removeEventListener('abort', listener);
  aborts.delete(signal);
}

module.exports = { outcomeOf };
