import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { LIBRARY, PACKAGE, runProgram, tokenwell } from './support.mjs';

const PRINT_LOAD_ERROR = `
  try { new tokenwell.Client(); console.log('loaded'); }
  catch (error) { console.log(JSON.stringify({ name: error.name, message: error.message, places: error.places, hint: error.hint })); }`;

test('an_import_does_not_load_the_library', async () => {
  const { code, stdout } = await runProgram('console.log(typeof tokenwell.Client)', { env: { TOKENWELL_LIBRARY: '/nowhere/lib.so' } });

  assert.equal(code, 0);
  assert.equal(stdout.trim(), 'function');
});

test('a_wrong_TOKENWELL_LIBRARY_is_named_and_no_other_location_is_tried', async () => {
  const { stdout } = await runProgram(PRINT_LOAD_ERROR, { env: { TOKENWELL_LIBRARY: '/nowhere/libtokenwell.so.0' } });

  const error = JSON.parse(stdout);
  assert.equal(error.name, 'LibraryError');
  assert.deepEqual(error.places.map((each) => each.place), ['TOKENWELL_LIBRARY=/nowhere/libtokenwell.so.0']);
  assert.match(error.message, /\/nowhere\/libtokenwell\.so\.0/);
  assert.match(error.hint, /TOKENWELL_LIBRARY/);
});

test('a_file_that_is_not_a_library_is_rejected', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'notes.txt');
  await writeFile(file, 'no library\n');

  const { stdout } = await runProgram(PRINT_LOAD_ERROR, { env: { TOKENWELL_LIBRARY: file } });

  assert.match(JSON.parse(stdout).message, /notes\.txt/);
});

test('a_library_with_another_abi_version_is_rejected_with_both_versions', async (t) => {
  const file = await compiled(t, '#include <stdint.h>\nuint32_t tokenwell_abi_version(void) { return 999; }\n');

  const { stdout } = await runProgram(PRINT_LOAD_ERROR, { env: { TOKENWELL_LIBRARY: file } });

  assert.match(JSON.parse(stdout).message, /has ABI version 999, but this package requires 1/);
});

test('an_unrelated_library_is_rejected', async (t) => {
  const file = await compiled(t, 'int other(void) { return 1; }\n');

  const { stdout } = await runProgram(PRINT_LOAD_ERROR, { env: { TOKENWELL_LIBRARY: file } });

  assert.match(JSON.parse(stdout).message, /is not a compatible tokenwell library: it does not export tokenwell_abi_version/);
});

test('without_TOKENWELL_LIBRARY_the_package_and_the_loader_are_tried_and_named', async (t) => {
  const copy = await copyOfPackage(t);
  const { LD_LIBRARY_PATH, TOKENWELL_LIBRARY, ...env } = process.env;
  const broken = path.join(copy, '_lib', fileName());
  await writeFile(broken, 'torn');

  const { stdout } = await runNode(`const tokenwell = require(${JSON.stringify(copy)}); ${PRINT_LOAD_ERROR}`, env);

  const error = JSON.parse(stdout);
  assert.equal(error.places.length, 2);
  assert.equal(error.places[0].place, broken);
  assert.match(error.places[1].place, /dynamic loader/);
  assert.match(error.hint, /TOKENWELL_LIBRARY/);
});

test('the_library_inside_the_package_is_found', async (t) => {
  const copy = await copyOfPackage(t);
  const { TOKENWELL_LIBRARY, ...env } = process.env;
  await copyFile(LIBRARY, path.join(copy, '_lib', fileName()));

  const { stdout } = await runNode(`console.log(require(${JSON.stringify(copy)}).libraryVersion())`, env);

  assert.equal(stdout.trim(), tokenwell.libraryVersion());
});

test('a_package_without_its_addon_says_so', async (t) => {
  const copy = await copyOfPackage(t);
  const addon = path.join(copy, '_lib/tokenwell.node');
  await rm(addon);

  const { stdout } = await runNode(`const tokenwell = require(${JSON.stringify(copy)}); ${PRINT_LOAD_ERROR}`, process.env);

  const error = JSON.parse(stdout);
  assert.equal(error.name, 'LibraryError');
  assert.deepEqual(error.places.map((each) => each.place), [addon]);
  assert.match(error.hint, /Install the package again/);
  assert.ok(!error.message.includes('Require stack'));
});

test('a_library_that_lacks_a_function_is_rejected_with_its_name', async (t) => {
  const file = await compiled(t, '#include <stdint.h>\nuint32_t tokenwell_abi_version(void) { return 1; }\nvoid tokenwell_version(void) {}\n');

  const { stdout } = await runProgram(PRINT_LOAD_ERROR, { env: { TOKENWELL_LIBRARY: file } });

  assert.match(JSON.parse(stdout).message, /does not export tokenwell_status_name/);
});

test('both_module_systems_share_one_implementation', async () => {
  const program = `
    import * as viaImport from 'tokenwell';
    import { createRequire } from 'node:module';
    const viaRequire = createRequire(import.meta.url)('tokenwell');
    const names = Object.keys(viaRequire).sort();
    console.log(JSON.stringify({ same: names.every((name) => viaRequire[name] === viaImport[name]), names, imported: Object.keys(viaImport).sort() }));`;

  const { stdout } = await runNode(program, process.env, ['--input-type=module']);

  const { same, names, imported } = JSON.parse(stdout);
  assert.equal(same, true);
  assert.deepEqual(imported, names);
  assert.ok(names.includes('Client') && names.includes('RateLimitedError') && !names.includes('check') && !names.includes('errorFor'));
});

test('the_integrations_are_loaded_by_both_module_systems_without_the_libraries_that_they_are_for', async () => {
  const program = `
    import { createRequire } from 'node:module';
    const require = createRequire(process.cwd() + '/');
    const loaded = {};
    for (const name of ['undici', 'mongodb', 'mongodb-mcp-server']) {
      const viaRequire = require('tokenwell/' + name);
      const viaImport = await import('tokenwell/' + name);
      loaded[name] = Object.keys(viaRequire).filter((each) => viaRequire[each] === viaImport[each]);
    }
    console.log(JSON.stringify({ loaded, others: Object.keys(require.cache).filter((file) => !file.startsWith(process.cwd())) }));`;

  const { stdout } = await runNode(program, process.env, ['--input-type=module']);

  assert.deepEqual(JSON.parse(stdout), {
    loaded: { undici: ['interceptor'], mongodb: ['oidcCallback'], 'mongodb-mcp-server': ['apiClientAuth'] },
    others: [],
  });
});

async function temporaryDirectory(t) {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tokenwell-node-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

async function compiled(t, source) {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'fake.c'), source);
  await promisify(execFile)('cc', ['-shared', '-fPIC', '-o', 'fake.so', 'fake.c'], { cwd: directory });
  return path.join(directory, 'fake.so');
}

/** Copies the package without its library. */
async function copyOfPackage(t) {
  const copy = path.join(await temporaryDirectory(t), 'tokenwell');
  await cp(PACKAGE, copy, { recursive: true });
  await rm(path.join(copy, '_lib', fileName()));
  return copy;
}

function runNode(program, env, flags = []) {
  return promisify(execFile)(process.execPath, [...flags, '--eval', program], { env, cwd: PACKAGE });
}

function fileName() {
  return { darwin: 'libtokenwell.0.dylib', win32: 'tokenwell.dll' }[process.platform] ?? 'libtokenwell.so.0';
}
