import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, open, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { ADDON, INSTALLED, LIBRARY, PACKAGE, copyPackage, runProgram, startEmulator, tokenwell } from './support.mjs';

const PRINT_LOAD_ERROR = `
  try { new tokenwell.Client(); console.log('loaded'); }
  catch (error) { console.log(JSON.stringify({ name: error.name, message: error.message, places: error.places, hint: error.hint })); }`;

test('only_one_file_reads_the_environment', async () => {
  const readers = [];
  for (const name of await readdir(path.join(PACKAGE, 'lib'))) {
    if (/process\.env|\benv\b.*process/.test(await readFile(path.join(PACKAGE, 'lib', name), 'utf8'))) readers.push(name);
  }

  assert.deepEqual(readers, ['environment.js']);
});

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

test('the_library_in_the_addon_is_used_without_any_other_file', async (t) => {
  const { LD_LIBRARY_PATH, ...env } = process.env;
  const copy = copyPackage(await temporaryDirectory(t));

  const { stdout } = await runNode(
    `console.log(require(${JSON.stringify(copy)}).libraryVersion(), require('node:fs').readFileSync('/proc/self/maps', 'utf8').includes('libtokenwell'))`,
    env,
  );

  assert.equal(stdout.trim(), `${tokenwell.libraryVersion()} false`);
});

test('TOKENWELL_LIBRARY_names_another_library_which_is_used_instead', { skip: INSTALLED }, async (t) => {
  const emulator = await startEmulator(t);
  const program = `
    const client = new tokenwell.Client(options);
    client.token().then((token) => console.log(token.value.length > 0, require('node:fs').readFileSync('/proc/self/maps', 'utf8').includes(process.env.TOKENWELL_LIBRARY)));`;

  const { stdout, code } = await runProgram(program, { options: emulator.options, env: { TOKENWELL_LIBRARY: LIBRARY } });

  assert.deepEqual({ stdout: stdout.trim(), code }, { stdout: 'true true', code: 0 });
});

test('an_addon_that_is_missing_or_damaged_is_one_error_that_says_what_to_do', { skip: INSTALLED }, async (t) => {
  const { length } = await readFile(ADDON);
  const cases = {
    'does not exist': (file) => rm(file),
    'is truncated: it has only 12 bytes': (file) => truncate(file, 12),
    [`is truncated: it has ${length - 1} of ${length} bytes`]: (file) => truncate(file, length - 1),
    [`is truncated: it has 4096 of ${length} bytes`]: (file) => truncate(file, 4096),
    'is not a library for Linux: it begins with the bytes 23212f62': (file) => writeFile(file, '#!/bin/sh\n'.repeat(100)),
    'is not a library for Linux: it begins with the bytes cffaedfe': (file) => changed(file, 0, [0xcf, 0xfa, 0xed, 0xfe]),
    'is for arm64, but this Node.js runs as x64': (file) => changed(file, 18, [183, 0]),
    'cannot be loaded: ': (file) => changed(file, 16, [9, 0]),
  };
  for (const [found, damage] of Object.entries(process.platform === 'linux' && process.arch === 'x64' ? cases : {})) {
    const copy = copyPackage(await temporaryDirectory(t));
    const file = path.join(copy, '_lib/tokenwell.node');
    await damage(file);

    const { stdout } = await runNode(`const tokenwell = require(${JSON.stringify(copy)}); ${PRINT_LOAD_ERROR}`, process.env);

    const error = JSON.parse(stdout);
    assert.equal(error.name, 'LibraryError', found);
    assert.deepEqual(error.places.map((each) => each.place), [file]);
    assert.ok(error.places[0].found.startsWith(found), `${error.places[0].found} instead of ${found}`);
    assert.match(error.hint, /npm install.*make library/);
    assert.ok(!error.message.includes('Require stack'));
  }
});

test('the_file_is_not_compared_with_a_processor_that_the_table_lacks', { skip: process.platform !== 'linux' }, async (t) => {
  const { length } = await readFile(ADDON);
  const checked = async (arch, change) => {
    const file = path.join(await temporaryDirectory(t), 'tokenwell.node');
    await copyFile(ADDON, file);
    await change?.(file);
    const program = `
      Object.defineProperty(process, 'arch', { value: '${arch}' });
      console.log(require(${JSON.stringify(path.join(PACKAGE, 'lib/binary_file.js'))}).problemOf(${JSON.stringify(file)}, 'library'));`;
    return (await runNode(program, process.env)).stdout.trim();
  };
  const riscv = (file) => changed(file, 18, [243, 0]);
  // The machine 22, and the other byte order.
  const s390 = (file) => changed(file, 5, [2]).then(() => changed(file, 18, [0, 22]));

  assert.equal(await checked('riscv64', riscv), 'undefined');
  assert.equal(await checked('s390x', s390), 'undefined');
  assert.equal(await checked('riscv64', (file) => truncate(file, 4096)), `is truncated: it has 4096 of ${length} bytes`);
  assert.match(await checked('s390x', (file) => writeFile(file, '#!/bin/sh\n'.repeat(10))), /^is not a library for Linux/);
  assert.equal(await checked('x64', riscv), 'is for the machine 243 of ELF, but this Node.js runs as x64');
});

test('an_addon_of_another_version_is_rejected_with_both_versions', { skip: INSTALLED }, async (t) => {
  const copy = copyPackage(await temporaryDirectory(t));
  const platforms = path.join(copy, 'lib/platforms.js');
  await writeFile(platforms, (await readFile(platforms, 'utf8')).replace(/version = '.*'/, "version = '99.1.2'"));

  const { stdout } = await runNode(`const tokenwell = require(${JSON.stringify(copy)}); ${PRINT_LOAD_ERROR}`, process.env);

  assert.match(JSON.parse(stdout).message, new RegExp(`has version ${tokenwell.libraryVersion()}, but version 99.1.2 is needed`));
});

test('a_platform_without_a_package_is_named_with_those_that_have_one', { skip: INSTALLED }, async () => {
  const { stdout } = await runNode(
    `Object.defineProperty(process, 'platform', { value: 'aix' }); const tokenwell = require(${JSON.stringify(PACKAGE)}); ${PRINT_LOAD_ERROR}`,
    process.env,
  );

  assert.match(JSON.parse(stdout).message, /is not available for aix-x64:\n {2}aix-x64: only linux-x64-gnu is supported\nUse Node\.js for linux-x64-gnu\./);
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
    for (const name of ['undici', 'mongodb', 'mongodb-mcp-server', 'emulator']) {
      const viaRequire = require('tokenwell/' + name);
      const viaImport = await import('tokenwell/' + name);
      loaded[name] = Object.keys(viaRequire).filter((each) => viaRequire[each] === viaImport[each]);
    }
    console.log(JSON.stringify({ loaded, others: Object.keys(require.cache).filter((file) => !file.startsWith(process.cwd())) }));`;

  const { stdout } = await runNode(program, process.env, ['--input-type=module']);

  assert.deepEqual(JSON.parse(stdout), {
    loaded: { undici: ['interceptor'], mongodb: ['oidcCallback'], 'mongodb-mcp-server': ['apiClientAuth'], emulator: ['startEmulator'] },
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

/** Replaces the bytes at a position of a file. */
async function changed(file, position, bytes) {
  const handle = await open(file, 'r+');
  await handle.write(Buffer.from(bytes), 0, bytes.length, position);
  await handle.close();
}

function runNode(program, env, flags = []) {
  return promisify(execFile)(process.execPath, [...flags, '--eval', program], { env, cwd: PACKAGE });
}
