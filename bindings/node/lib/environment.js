'use strict';

// The only place that reads the environment variables, for every client. They are those of the current
// thread: a worker has its own copy. Node reads and changes the environment of the process under a
// lock of its own, so the library must not read it.

/** Returns the environment variables as names and values, alternately. */
function variables() {
  // A name such as `=C:` is possible on Windows, and no variable to the library.
  return Object.entries(process.env).filter(([name, value]) => /^[^=\0]+$/.test(name) && typeof value === 'string').flat();
}

/** Returns the path of the shared library that is used instead of the one in the addon, or undefined. */
function namedLibrary() {
  return process.env.TOKENWELL_LIBRARY || undefined;
}

/** Returns the path of the command for `startEmulator`, or undefined. */
function namedCommand() {
  return process.env.TOKENWELL_BIN || undefined;
}

module.exports = { namedCommand, namedLibrary, variables };
