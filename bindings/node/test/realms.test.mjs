// Several copies of the package, of the addon and of the JavaScript world in one process, as test
// runners and bundlers make them.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import vm from 'node:vm';
import { ADDON, PACKAGE, copyPackage, runProgram, startEmulator, tokenwell } from './support.mjs';

const require = createRequire(import.meta.url);

test('the_addon_works_when_it_is_loaded_again_into_one_environment', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.settings({ rate_limit: null });
  const first = freshCopy();
  const second = freshCopy();
  assert.notEqual(first.Client, second.Client);

  const clients = [first, second, tokenwell].map(({ Client }) => new Client(emulator.options));
  const values = await Promise.all(clients.flatMap((client) => Array.from({ length: 20 }, () => client.authorization())));

  assert.equal(new Set(values).size, 3);
  clients[0].close();
  await assert.rejects(clients[0].token(), first.ClosedError);
  assert.match(await clients[1].authorization({ forceRefresh: true }), /^Bearer ./);
});

test('two_copies_of_the_package_work_in_one_process', async (t) => {
  const emulator = await startEmulator(t);
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-copy-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const copy = require(copyPackage(directory));

  // The copy uses a library of its own.
  const { stdout, code, stderr } = await runProgram(
    `const copy = require(${JSON.stringify(path.join(directory, 'node_modules/tokenwell'))});
     Promise.all([tokenwell, copy].map(({ Client }) => new Client(options).token())).then((tokens) => {
       console.log(tokens[0].value !== tokens[1].value, tokens[0] instanceof tokenwell.Token, tokens[1] instanceof tokenwell.Token, tokens[1] instanceof copy.Token);
     });`,
    { options: emulator.options },
  );

  assert.deepEqual({ stdout: stdout.trim(), code, stderr }, { stdout: 'true true false true', code: 0, stderr: '' });
  assert.equal(copy.libraryVersion(), tokenwell.libraryVersion());
});

test('in_another_context_promises_and_errors_belong_to_that_context', async (t) => {
  const emulator = await startEmulator(t);
  const context = vm.createContext({ process, setTimeout, clearTimeout, performance });
  const { Client, ClosedError } = loadInto(context);
  const realm = vm.runInContext('({ Promise, Error, Object, Date, RangeError, Uint8Array })', context);
  assert.notEqual(realm.Promise, Promise);

  const secret = realm.Uint8Array.from(Buffer.from(emulator.options.clientSecret));
  const client = new Client({ ...emulator.options, clientSecret: secret });
  const pending = client.token();
  const token = await pending;
  const controller = new AbortController();
  await emulator.slow(60_000);
  const aborted = client.token({ forceRefresh: true, signal: controller.signal });
  controller.abort();

  assert.ok(pending instanceof realm.Promise);
  assert.ok(token.expiresAt instanceof realm.Date);
  assert.ok(client.stats() instanceof realm.Object);
  assert.ok(client.sources instanceof realm.Object);
  await assert.rejects(aborted, { name: 'AbortError' });
  await assert.rejects(client.token({ minTtlMs: -1 }), realm.RangeError);
  client.close();
  await assert.rejects(client.token(), (error) => error instanceof ClosedError && error instanceof realm.Error && !(error instanceof Error));
});

test('in_a_context_with_the_timers_of_a_browser_the_local_copy_works', async (t) => {
  const emulator = await startEmulator(t);
  // As in jsdom and Electron, a timer is a number.
  const { Client } = loadInto(vm.createContext({ process, setTimeout: () => 1, clearTimeout: () => {} }));
  const client = new Client(emulator.options);

  const token = await client.token();

  assert.equal(client.authorizationIfFresh(), token.authorization);
  client.close();
});

/** Loads the package and the addon again, as after jest.resetModules(). */
function freshCopy() {
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(PACKAGE) || file === ADDON) delete require.cache[file];
  }
  const loaded = require(PACKAGE);
  loaded.libraryVersion();
  assert.ok(require.cache[ADDON], 'the addon was loaded again');
  return loaded;
}

/** Loads the package as Jest does: its JavaScript into a context, the addon with Node's require. */
function loadInto(context) {
  const modules = new Map();
  const load = (file) => {
    if (file.endsWith('.node')) return require(file);
    if (!modules.has(file)) {
      const module = { exports: {} };
      modules.set(file, module);
      const requireFrom = (name) => (name.startsWith('node:') ? require(name) : load(createRequire(file).resolve(name)));
      const names = ['require', 'module', 'exports', '__dirname', '__filename'];
      vm.compileFunction(readFileSync(file, 'utf8'), names, { filename: file, parsingContext: context })(requireFrom, module, module.exports, path.dirname(file), file);
    }
    return modules.get(file).exports;
  };
  return load(path.join(PACKAGE, 'index.js'));
}
