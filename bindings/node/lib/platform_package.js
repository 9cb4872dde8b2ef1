'use strict';

// Finds the file for this platform, for the addon and for the command. A reason why there is none that
// can be used says what was found (`problem`, `places`) and what to do (`hint`).

const { createRequire } = require('node:module');
const path = require('node:path');
const { candidates } = require('./platform.js');
// Made by packaging/node_platforms.mjs.
const { platforms, version } = require('./platforms.js');

/** Returns the names of the platforms that have a package and may run in this process, or the reason why there is none. */
function supported() {
  const names = candidates();
  const known = names.filter((name) => Object.hasOwn(platforms, name));
  if (known.length > 0) return { known };
  const available = Object.keys(platforms).join(', ');
  const reason = {
    problem: `tokenwell ${version} is not available for ${names[0]}`,
    places: [{ place: names[0], found: `only ${available} is supported` }],
    hint: `Use Node.js for ${available}.`,
  };
  return { known, reason };
}

/** Returns the path of the file of a platform, or undefined. */
function fileOf(name) {
  return resolved(platforms[name].file);
}

/**
 * Returns the reason why the file of a platform does not exist.
 *
 * @param {string} name
 * @param {(place: string, found: string) => object} unusable Returns the reason if the package is installed.
 * @param {string} notPublishedHint What to do if no package is installed.
 */
function reasonForMissing(name, unusable, notPublishedHint) {
  const { packageName, file } = platforms[name];
  if (packageName === undefined) return unusable(path.resolve(__dirname, file), 'does not exist');
  const folder = folderOf(packageName);
  if (folder !== undefined) return unusable(folder, `contains no ${path.basename(file)}`);

  const others = Object.values(platforms).filter((other) => other.packageName !== packageName && folderOf(other.packageName) !== undefined);
  if (others.length > 0) {
    return {
      problem: `tokenwell ${version} for ${name} is not installed, only for another platform`,
      places: [
        { place: packageName, found: 'not installed' },
        ...others.map((other) => ({ place: other.packageName, found: `installed in ${folderOf(other.packageName)}` })),
      ],
      hint: `Delete node_modules and run \`npm install\` on this system, with the Node.js for ${name} that runs the program.`,
    };
  }
  return {
    problem: `tokenwell ${version} for ${name} is not installed: it may not have been published yet`,
    places: [{ place: packageName, found: 'not installed' }],
    hint: `${notPublishedHint}\n\`npm view ${packageName}@${version} version\` prints the version if it is published.`,
  };
}

/** The path that `require` finds for a name, or undefined. */
function resolved(name) {
  try {
    return createRequire(__filename).resolve(name);
  } catch {
    return undefined;
  }
}

/** The directory of an installed package, or undefined. */
function folderOf(packageName) {
  const manifest = resolved(`${packageName}/package.json`);
  return manifest === undefined ? undefined : path.dirname(manifest);
}

module.exports = { fileOf, reasonForMissing, supported };
