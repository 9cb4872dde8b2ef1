'use strict';

// Finds the addon, which contains the library: in the package of this platform, or in _lib of a tree
// that `make library` has made. If it cannot be used, one error says what was found, what is needed,
// and what to do.

const { createRequire } = require('node:module');
const path = require('node:path');
const { problemOf } = require('./addon_file.js');
const { LibraryError } = require('./library_error.js');
const { candidates } = require('./platform.js');
// Made by packaging/node_platforms.mjs.
const { load, platforms, version } = require('./platforms.js');

const INSTALL_AGAIN = 'Delete node_modules and run `npm install`. In a source tree, run `make library`.';

/**
 * Returns the exports of the addon; src/addon.c describes them.
 *
 * @throws {LibraryError} There is no addon that this process can load.
 */
function loadAddon() {
  const names = candidates();
  const known = names.filter((name) => Object.hasOwn(platforms, name));
  if (known.length === 0) throw notAvailable(names[0]);
  const installed = known.filter((name) => resolved(platforms[name].file) !== undefined);
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
  const file = resolved(platforms[name].file);
  const place = file ?? platforms[name].file;
  const wrong = file === undefined ? undefined : problemOf(file);
  if (wrong !== undefined) throw unusable(place, wrong);
  let addon;
  try {
    addon = load(name);
  } catch (error) {
    if (file === undefined && /MODULE_NOT_FOUND$/.test(error.code)) throw notInstalled(name);
    throw unusable(place, `cannot be loaded: ${error.message}`, hintFor(error));
  }
  if (addon.version !== version) throw unusable(place, `has version ${addon.version ?? 'unknown'}, but version ${version} is needed`);
  return addon;
}

/** The path that `require` finds for a name, or undefined. */
function resolved(name) {
  try {
    return createRequire(__filename).resolve(name);
  } catch {
    return undefined;
  }
}

// ---- the errors

function notAvailable(name) {
  const available = Object.keys(platforms).join(', ');
  return new LibraryError(
    `tokenwell ${version} is not available for ${name}`,
    [{ place: name, found: `only ${available} is supported` }],
    `Use Node.js for ${available}.`,
  );
}

function notInstalled(name) {
  const { packageName, file } = platforms[name];
  if (packageName === undefined) return unusable(path.resolve(__dirname, file), 'does not exist');
  const folder = folderOf(packageName);
  if (folder !== undefined) return unusable(folder, 'contains no tokenwell.node');

  const others = Object.values(platforms).filter((other) => other.packageName !== packageName && folderOf(other.packageName) !== undefined);
  if (others.length > 0) {
    return new LibraryError(
      `tokenwell ${version} for ${name} is not installed, only for another platform`,
      [
        { place: packageName, found: 'not installed' },
        ...others.map((other) => ({ place: other.packageName, found: `installed in ${folderOf(other.packageName)}` })),
      ],
      `Delete node_modules and run \`npm install\` on this system, with the Node.js for ${name} that runs the program.`,
    );
  }
  return new LibraryError(
    `tokenwell ${version} for ${name} is not installed: it may not have been published yet`,
    [{ place: packageName, found: 'not installed' }],
    [
      'Run `npm install --include=optional`, because it is an optional dependency.',
      'If it is still missing, the lock file lacks it: delete node_modules and package-lock.json, and run the command again.',
      'A bundle needs the package in node_modules, or the file beside it (README of tokenwell, "Bundlers").',
      `\`npm view ${packageName}@${version} version\` prints the version if it is published.`,
    ].join('\n'),
  );
}

function unusable(place, found, hint = INSTALL_AGAIN) {
  return new LibraryError('the tokenwell addon cannot be used', [{ place, found }], hint);
}

function hintFor({ code, message }) {
  if (code === 'ERR_DLOPEN_DISABLED') return 'Start Node.js without --no-addons.';
  if (/failed to map segment/.test(message)) return 'The file system or a security policy forbids to execute files there: install the program elsewhere.';
  if (/version `GLIBC_/.test(message)) return 'The C library of this system is too old: use a newer system or container image.';
  return INSTALL_AGAIN;
}

/** The directory of an installed package, or undefined. */
function folderOf(packageName) {
  const manifest = resolved(`${packageName}/package.json`);
  return manifest === undefined ? undefined : path.dirname(manifest);
}

module.exports = { loadAddon };
