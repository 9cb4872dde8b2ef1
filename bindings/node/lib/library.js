'use strict';

// The functions of the library: those of the one that is linked into the addon, or of the shared
// library that TOKENWELL_LIBRARY names, whose ABI version the addon checks.

const path = require('node:path');
const { loadAddon } = require('./addon.js');
const { namedLibrary } = require('./environment.js');
const { LibraryError } = require('./library_error.js');

const NAMED_HINT = 'Set TOKENWELL_LIBRARY to the path of a usable library, or unset it to use the library of this package.';

let loaded;

/**
 * Returns the functions of the library; src/client.h and src/operation.h describe them. The first
 * call loads it, so that an import never fails.
 *
 * @throws {LibraryError} No usable library was found.
 */
function load() {
  loaded ??= find(loadAddon());
  return loaded;
}

/**
 * Returns the version of the library.
 *
 * @returns {string}
 * @throws {LibraryError} No usable library was found.
 */
function libraryVersion() {
  return load().version();
}

function find({ linked, open }) {
  const named = namedLibrary();
  if (named === undefined) return linked();
  try {
    return open(path.resolve(named));
  } catch (error) {
    const places = [{ place: `TOKENWELL_LIBRARY=${named}`, found: error.message }];
    throw new LibraryError('the library that TOKENWELL_LIBRARY names cannot be used', places, NAMED_HINT);
  }
}

module.exports = { LibraryError, libraryVersion, load };
