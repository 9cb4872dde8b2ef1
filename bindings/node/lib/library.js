'use strict';

// Finds the shared library and loads it through the addon, which checks its ABI version.

const path = require('node:path');

const PACKAGED = path.join(__dirname, '..', '_lib');
// The addon is compiled from src/ by `make library`.
const ADDON = path.join(PACKAGED, 'tokenwell.node');

/**
 * No usable shared library was found. `places` lists each location that was tried and what was
 * `found` there.
 */
class LibraryError extends Error {
  constructor(places, hint) {
    super(['no usable tokenwell library was found; tried:', ...places.map(({ place, found }) => `  ${place}: ${found}`), hint].join('\n'));
    this.places = places;
    this.hint = hint;
  }

  get name() {
    return 'LibraryError';
  }
}

let loaded;

/**
 * Returns the functions of the library; src/client.h and src/operation.h describe them. The first
 * call loads it, so that an import never fails.
 *
 * @throws {LibraryError} No usable library was found.
 */
function load() {
  loaded ??= find(addon());
  return loaded;
}

/**
 * Returns the version of the shared library.
 *
 * @returns {string}
 * @throws {LibraryError} No usable library was found.
 */
function libraryVersion() {
  return load().version();
}

const HINT = 'Install the tokenwell library, or set TOKENWELL_LIBRARY to its path. In a source tree, run `make library`.';
const NAMED_HINT = 'Set TOKENWELL_LIBRARY to the path of a usable library, or unset it: while it is set, no other location is tried.';
const ADDON_HINT = 'Install the package again, for this operating system and processor. In a source tree, run `make library`.';

function addon() {
  try {
    return require(ADDON);
  } catch (error) {
    // The other lines of the message are those of `require`.
    throw new LibraryError([{ place: ADDON, found: error.message.split('\n', 1)[0] }], ADDON_HINT);
  }
}

function find({ open }) {
  const configured = process.env.TOKENWELL_LIBRARY;
  const packaged = path.join(PACKAGED, fileName());
  const candidates = configured
    ? [{ place: `TOKENWELL_LIBRARY=${configured}`, file: path.resolve(configured) }]
    : [
        { place: packaged, file: packaged },
        { place: `the dynamic loader, ${fileName()}`, file: fileName() },
      ];

  const places = [];
  for (const { place, file } of candidates) {
    try {
      return open(file);
    } catch (error) {
      places.push({ place, found: error.message });
    }
  }
  throw new LibraryError(places, configured ? NAMED_HINT : HINT);
}

function fileName() {
  switch (process.platform) {
    case 'darwin':
      return 'libtokenwell.0.dylib';
    case 'win32':
      return 'tokenwell.dll';
    default:
      return 'libtokenwell.so.0';
  }
}

module.exports = { LibraryError, libraryVersion, load };
