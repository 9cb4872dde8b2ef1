'use strict';

/**
 * Returns the environment variables as names and values, alternately.
 *
 * This is the only place that reads them, for every client. They are those of the current thread: a
 * worker has its own copy. Node reads and changes the environment of the process under a lock of
 * its own, so the library must not read it.
 */
function variables() {
  // A name such as `=C:` is possible on Windows, and no variable to the library.
  return Object.entries(process.env).filter(([name, value]) => /^[^=\0]+$/.test(name) && typeof value === 'string').flat();
}

module.exports = { variables };
