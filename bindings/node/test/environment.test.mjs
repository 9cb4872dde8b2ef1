// The environment of the process, which is passed to the library as data, and what a client says
// about its settings.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { PACKAGE, runProgram, startEmulator, tokenwell } from './support.mjs';

const { Client } = tokenwell;

test('a_client_names_its_server_and_the_source_of_each_setting', async (t) => {
  const emulator = await startEmulator(t);
  const { clientId, clientSecret, baseUrl } = emulator.options;

  const client = new Client({ clientId, clientSecret, baseUrl, timeoutMs: 5000 });

  assert.equal(client.baseUrl, baseUrl);
  assert.equal(client.sources.client_id, 'option client_id');
  assert.equal(client.sources.client_secret, 'option client_secret');
  assert.equal(client.sources.base_url, 'option base_url');
  assert.equal(client.sources.timeout_ms, 'option timeout_ms');
  assert.equal(client.sources.auth_method, 'the default');
  assert.ok(Object.isFrozen(client.sources));
  assert.ok(!JSON.stringify(client.sources).includes(clientSecret));
  client.close();
  assert.equal(client.baseUrl, baseUrl);
});

test('a_client_with_a_token_url_has_no_base_url', () => {
  const client = new Client({ clientId: 'a', clientSecret: 'b', tokenUrl: 'https://login.example/token' });

  assert.equal(client.baseUrl, null);
  assert.equal(client.sources.token_url, 'option token_url');
});

test('sources_name_the_variable_and_the_profile', async (t) => {
  const home = temporaryDirectory(t);
  const file = path.join(home, 'config/tokenwell/config.toml');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, '[staging]\nclient_id = "mdb_sa_id_000000000000000000000000"\nclient_secret = "s"\nbase_url = "https://cloud.mongodb.com"\n', { mode: 0o600 });

  const { stdout, stderr } = await runProgram('console.log(JSON.stringify(tokenwell.Client.fromEnv().sources))', {
    env: { XDG_CONFIG_HOME: path.join(home, 'config'), TOKENWELL_PROFILE: 'staging', TOKENWELL_TIMEOUT_MS: '4000' },
  });

  assert.equal(stderr, '');
  const sources = JSON.parse(stdout);
  assert.equal(sources.client_id, `profile staging in ${file}`);
  assert.equal(sources.timeout_ms, 'environment variable TOKENWELL_TIMEOUT_MS');
});

test('b1_variables_are_those_of_process_env_at_the_creation', async (t) => {
  const emulator = await startEmulator(t);
  t.after(() => Object.keys(emulator.environment).forEach((name) => delete process.env[name]));

  assert.throws(() => Client.fromEnv(), tokenwell.NotConfiguredError);
  Object.assign(process.env, emulator.environment);
  const client = Client.fromEnv();
  process.env.MONGODB_ATLAS_CLIENT_SECRET = 'changed';

  assert.match((await client.token()).value, /./);
  assert.equal(client.sources.client_secret, 'environment variable MONGODB_ATLAS_CLIENT_SECRET');
});

test('b1_variables_of_the_host_count_without_from_env', async (t) => {
  const emulator = await startEmulator(t);
  const directory = temporaryDirectory(t);
  const { XDG_CACHE_HOME, TOKENWELL_CACHE } = process.env;
  t.after(() => Object.assign(process.env, { XDG_CACHE_HOME, TOKENWELL_CACHE }));
  Object.assign(process.env, { XDG_CACHE_HOME: directory, TOKENWELL_CACHE: 'on' });

  await new Client({ ...emulator.options, cache: true }).token();

  assert.deepEqual(readdirSync(directory), ['tokenwell']);
});

test('b1_a_worker_uses_its_own_environment', async (t) => {
  const emulator = await startEmulator(t);
  const body = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Client } = require(workerData.package);
    process.env.MONGODB_ATLAS_CLIENT_SECRET = workerData.secret;
    Client.fromEnv().token().then((token) => parentPort.postMessage(token.value.length > 0), (error) => parentPort.postMessage(error.code));`;
  const { MONGODB_ATLAS_CLIENT_SECRET: secret, ...others } = emulator.environment;
  const worker = new Worker(body, { eval: true, workerData: { package: PACKAGE, secret }, env: { ...process.env, ...others } });

  const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));

  assert.equal(answer, true);
  assert.equal(process.env.MONGODB_ATLAS_CLIENT_SECRET, undefined);
});

function temporaryDirectory(t) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}
