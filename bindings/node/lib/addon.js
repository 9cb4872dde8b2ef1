'use strict';

// Finds the addon, which contains the library: in the package of this platform, or in _lib of a tree
// that `make library` has made. If it cannot be used, one error says what was found, what is needed,
// and what to do.

const { problemOf } = require('./binary_file.js');
const { LibraryError } = require('./library_error.js');
const { fileOf, reasonForMissing, supported } = require('./platform_package.js');
// Made by packaging/node_platforms.mjs.
const { load, platforms, version } = require('./platforms.js');

const INSTALL_AGAIN = 'Delete node_modules and run `npm install`. In a source tree, run `make library`.';
const NOT_PUBLISHED = [
  'Run `npm install --include=optional`, because it is an optional dependency.',
  'If tokenwell was installed from a file, install the file of the package for this platform too.',
  'If it is still missing, the lock file lacks it: delete node_modules and package-lock.json, and run the command again.',
  'A bundle needs the package in node_modules, or the file beside it (README of tokenwell, "Bundlers").',
].join('\n');

/**
 * Returns the exports of the addon; src/addon.c describes them.
 *
 * @throws {LibraryError} There is no addon that this process can load.
 */
function loadAddon() {
  const { known, reason } = supported();
  if (reason !== undefined) throw errorFor(reason);
  const installed = known.filter((name) => fileOf(name) !== undefined);
  let problem;
  for (const name of installed.length > 0 ? installed : known) {
    try {
      return loadFor(name);
    } catch (error) {
      problem ??= error;
    }
  }
  throw problem;
}

function loadFor(name) {
  // A bundler may have moved the file. Then only `load` knows where it is.
  const file = fileOf(name);
  const place = file ?? platforms[name].file;
  const wrong = file === undefined ? undefined : problemOf(file, 'library');
  if (wrong !== undefined) throw errorFor(unusable(place, wrong));
  let addon;
  try {
    addon = load(name);
  } catch (error) {
    if (file === undefined && /MODULE_NOT_FOUND$/.test(error.code)) throw errorFor(reasonForMissing(name, unusable, NOT_PUBLISHED));
    throw errorFor(unusable(place, `cannot be loaded: ${error.message}`, hintFor(error)));
  }
  if (addon.version !== version) throw errorFor(unusable(place, `has version ${addon.version ?? 'unknown'}, but version ${version} is needed`));
  return addon;
}

// ---- the errors

function errorFor({ problem, places, hint }) {
  return new LibraryError(problem, places, hint);
}

function unusable(place, found, hint = INSTALL_AGAIN) {
  return { problem: 'the tokenwell addon cannot be used', places: [{ place, found }], hint };
}

function hintFor({ code, message }) {
  if (code === 'ERR_DLOPEN_DISABLED') return 'Start Node.js without --no-addons.';
  if (/failed to map segment/.test(message)) return 'The file system or a security policy forbids to execute files there: install the program elsewhere.';
  if (/version `GLIBC_/.test(message)) return 'The C library of this system is too old: use a newer system or container image.';
  return INSTALL_AGAIN;
}

module.exports = { loadAddon };
