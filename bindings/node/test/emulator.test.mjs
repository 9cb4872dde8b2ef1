// tokenwell/emulator: the emulator as a helper for the tests of programs that use tokenwell.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { COMMAND, PACKAGE, tokenwell } from './support.mjs';

const HELPER = path.join(PACKAGE, 'lib/emulator.js');
const { startEmulator } = await import(pathToFileURL(HELPER));

async function started(t, flags = []) {
  const emulator = await startEmulator({ flags, command: COMMAND });
  t.after(() => emulator.stop());
  return emulator;
}

test('an_emulator_serves_and_is_controlled', async (t) => {
  const emulator = await started(t);
  const client = new tokenwell.Client(emulator.options);
  t.after(() => client.close());

  await client.token();
  assert.equal((await emulator.counters()).token_requests, 1);
  assert.equal((await emulator.lastRequest('/api/oauth/token')).method, 'POST');
  await emulator.configure({ token_lifetime_s: 60 });
  const before = await emulator.now();
  await emulator.advance(7_200_000);
  assert.ok((await emulator.now()) - before >= 7_200_000);
  assert.equal((await emulator.counters()).live_tokens, 0);
  await emulator.faults({ path: '/api/oauth/token', status: 401, body: { error: 'invalid_client' } });
  await assert.rejects(new tokenwell.Client(emulator.options).token(), { code: 'CREDENTIAL_REJECTED' });
  await emulator.reset();
  assert.equal((await emulator.counters()).token_requests, 0);
  await assert.rejects(emulator.configure({ no_such_setting: 1 }), /no_such_setting/);
});

test('two_emulators_are_independent_and_tls_works', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const plain = await started(t);
  const secure = await started(t, ['--tls', '--ca-file', path.join(directory, 'ca.pem')]);

  const client = new tokenwell.Client(secure.options);
  t.after(() => client.close());
  await client.token();

  assert.ok(secure.baseUrl.startsWith('https://') && plain.baseUrl !== secure.baseUrl);
  assert.deepEqual([(await plain.counters()).token_requests, (await secure.counters()).token_requests], [0, 1]);
});

test('a_failure_is_one_clear_message', async () => {
  await assert.rejects(startEmulator({ command: COMMAND, flags: ['--no-such-flag'] }), /exited with code 2: .*--no-such-flag/s);
  await assert.rejects(startEmulator({ command: '/nonexistent/tokenwell' }), /cannot start \/nonexistent\/tokenwell: .*TOKENWELL_BIN/);
});

test('the_emulator_does_not_keep_the_process_alive_and_ends_with_it', async () => {
  const program = `
    require(${JSON.stringify(HELPER)}).startEmulator({ command: ${JSON.stringify(COMMAND)} }).then(({ baseUrl, environment }) => console.log(JSON.stringify({ baseUrl, environment })));`;
  const stdout = await new Promise((resolve, reject) => {
    execFile(process.execPath, ['--eval', program], { timeout: 60_000 }, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
  const { baseUrl } = JSON.parse(stdout);

  const refused = async () => {
    try {
      await fetch(`${baseUrl}/_emulator/health`);
      return false;
    } catch {
      return true;
    }
  };
  while (!(await refused())) await new Promise((resolve) => setTimeout(resolve, 5));
});

// Came with Node.js 20.6.
const [MAJOR, MINOR] = process.versions.node.split('.').map(Number);
const NO_ENV_FILE = MAJOR === 20 && MINOR < 6 && 'this Node.js has no --env-file';

test('node_reads_the_assignments_with_env_file', { skip: NO_ENV_FILE }, async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), "tokenwell node's "));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'emulator.env');
  const lines = await new Promise((resolve, reject) => {
    const flags = ['emulator', '--background', '--until-pid', String(process.pid), '--format', 'dotenv', '--tls', '--ca-file', path.join(directory, 'ca.pem')];
    execFile(COMMAND, flags, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
  writeFileSync(file, `${lines}# ready\n`);

  const read = await new Promise((resolve, reject) => {
    const script = 'console.log(JSON.stringify(process.env))';
    execFile(process.execPath, [`--env-file=${file}`, '--eval', script], { env: { PATH: process.env.PATH } }, (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout)),
    );
  });

  t.after(() => process.kill(Number(read.TOKENWELL_EMULATOR_PID)));
  assert.match(read.MONGODB_ATLAS_BASE_URL, /^https:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(read.TOKENWELL_CA_FILE, path.join(directory, 'ca.pem'));
  assert.match(read.MONGODB_ATLAS_CLIENT_ID, /^mdb_sa_id_[0-9a-f]{24}$/);
  assert.equal(lines.trim().split('\n').length, 8);
});
