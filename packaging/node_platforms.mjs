// Prints what depends on the list of platforms of the Node packages, which is in node_platforms.json.
//
//   node_platforms.mjs name TRIPLE              the name of a platform, for example linux-x64-gnu
//   node_platforms.mjs staged NAME VERSION      lib/platforms.js for a tree with the addon in _lib
//   node_platforms.mjs published VERSION        lib/platforms.js of the package tokenwell
//   node_platforms.mjs command VERSION          platforms.js of the package @tokenwell/cli
//   node_platforms.mjs manifest PACKAGE FILE    the package.json of a package, made from that of the source tree
//   node_platforms.mjs manifests FILE           the package.json of each package by name, in the order in which they are published
//
// From the environment: NODE_PLATFORMS, another list, for tests.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const COMMAND = '@tokenwell/cli';
const list = process.env.NODE_PLATFORMS || fileURLToPath(new URL('node_platforms.json', import.meta.url));
const platforms = JSON.parse(readFileSync(list, 'utf8'));
if (!Array.isArray(platforms) || platforms.length === 0) fail(`${list} lists no platform`);

const [mode, ...rest] = process.argv.slice(2);
const print = {
  name: (triple) => `${platformWith('triple', triple).name}\n`,
  staged: (name, version) => loader(version, [{ name, file: '../_lib/tokenwell.node' }]),
  published: (version) => {
    const entries = platforms.map(({ name }) => ({ name, packageName: addonPackage(name), file: `${addonPackage(name)}/tokenwell.node` }));
    return loader(version, entries);
  },
  command: (version) => table(version, platforms.map(({ name }) => ({ name, packageName: commandPackage(name), file: `${commandPackage(name)}/tokenwell` }))),
  manifest: (packageName, file) => `${JSON.stringify(manifest(packageName, JSON.parse(readFileSync(file, 'utf8'))), null, 2)}\n`,
  manifests: (file) => {
    const names = [...platforms.flatMap(({ name }) => [addonPackage(name), commandPackage(name)]), 'tokenwell', COMMAND];
    const source = JSON.parse(readFileSync(file, 'utf8'));
    return JSON.stringify(Object.fromEntries(names.map((name) => [name, manifest(name, source)])));
  },
}[mode];
if (!print) fail('the beginning of this file lists the arguments');
process.stdout.write(print(...rest));

function addonPackage(name) {
  return `@tokenwell/${name}`;
}

function commandPackage(name) {
  return `${COMMAND}-${name}`;
}

function platformWith(field, value) {
  const found = platforms.find((each) => each[field] === value);
  if (!found) fail(`${list} has no platform ${value}, only ${platforms.map((each) => each[field]).join(', ')}`);
  return found;
}

function manifest(packageName, { scripts, devDependencies, ...fields }) {
  const { version, license, repository, keywords, engines } = fields;
  if (packageName === 'tokenwell') return { ...fields, optionalDependencies: everyPlatform(addonPackage, version) };
  if (packageName === COMMAND) {
    return {
      name: COMMAND,
      version,
      description: 'The command tokenwell, which gets OAuth 2.0 access tokens for MongoDB Atlas service accounts and shares them between processes',
      license,
      repository,
      keywords,
      engines,
      bin: { tokenwell: './tokenwell.js' },
      optionalDependencies: everyPlatform(commandPackage, version),
    };
  }
  const ofCommand = packageName.startsWith(`${COMMAND}-`);
  const name = packageName.slice(ofCommand ? commandPackage('').length : addonPackage('').length);
  const { os, cpu, libc } = platformWith('name', name);
  return {
    name: packageName,
    version,
    description: ofCommand ? `The command tokenwell for ${name}` : `The addon of the package tokenwell for ${name}`,
    license,
    repository,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    preferUnplugged: true,
    ...(ofCommand ? {} : { main: './tokenwell.node' }),
  };
}

function everyPlatform(packageName, version) {
  return Object.fromEntries(platforms.map(({ name }) => [packageName(name), version]));
}

/** Where the file of each platform is. */
function table(version, entries) {
  const lines = entries.map(({ name, packageName, file }) => `  '${name}': { ${packageName ? `packageName: '${packageName}', ` : ''}file: '${file}' },\n`);
  return `'use strict';

// Made by packaging/node_platforms.mjs: where the file of each platform is.

exports.version = '${version}';

exports.platforms = {
${lines.join('')}};
`;
}

/** The literal `require` of each platform is what bundlers follow; inside `try`, one that is not installed is no error for them. */
function loader(version, entries) {
  const cases = entries.map(({ name, file }) => `      case '${name}':\n        return require('${file}');\n`);
  return `${table(version, entries)}
exports.load = (platform) => {
  try {
    switch (platform) {
${cases.join('')}    }
  } catch (error) {
    throw error;
  }
};
`;
}

function fail(problem) {
  process.stderr.write(`node_platforms: ${problem}\n`);
  process.exit(1);
}
