// tokenwell/mongodb with the driver, against a server that rejects tokens.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { MongoClient } from 'mongodb';
import { rejection } from './api.mjs';
import { startMongod } from './mongod.mjs';
import { PACKAGE, startEmulator, tokenwell, until } from './support.mjs';

const { oidcCallback } = await import(pathToFileURL(path.join(PACKAGE, 'lib/mongodb.js')));

for (const property of ['OIDC_CALLBACK', 'OIDC_HUMAN_CALLBACK']) {
  test(`the_driver_gets_another_token_after_the_server_rejected_one, ${property}`, async (t) => {
    const { client } = await startIssuer(t);
    const mongod = await startMongod(t);
    const driver = new MongoClient(mongod.uri, { authMechanism: 'MONGODB-OIDC', authMechanismProperties: { [property]: oidcCallback(client) } });
    t.after(() => driver.close());

    const before = await driver.db('test').command({ ping: 1 });
    const first = await client.token();
    mongod.rejected.add(first.value);
    const after = await driver.db('test').command({ ping: 1 });
    const second = await client.token();

    assert.deepEqual([before.from, after.from], ['ping', 'ping']);
    assert.notEqual(second.value, first.value);
    assert.deepEqual([...new Set(mongod.presented)], [first.value, second.value]);
    assert.equal(client.stats().invalidations, 1);
    assert.equal(client.stats().mints, 2);
  });
}

test('the_first_call_returns_the_cached_token_and_a_repeated_call_another', async (t) => {
  const { client } = await startIssuer(t);
  const cached = await client.token();
  const callback = oidcCallback(client);
  const parameters = { version: 1, timeoutContext: new AbortController().signal };

  const first = await callback(parameters);
  const second = await callback(parameters);
  const ofAnotherDriver = await oidcCallback(client)(parameters);

  assert.deepEqual(Object.keys(first), ['accessToken', 'expiresInSeconds']);
  assert.equal(first.accessToken, cached.value);
  assert.ok(first.expiresInSeconds > 3500 && first.expiresInSeconds <= 3600 && Number.isInteger(first.expiresInSeconds), String(first.expiresInSeconds));
  assert.notEqual(second.accessToken, first.accessToken);
  assert.equal(ofAnotherDriver.accessToken, second.accessToken);
  assert.equal(client.stats().invalidations, 1);
});

test('a_token_that_was_replaced_in_the_meantime_is_not_invalidated_again', async (t) => {
  const { client } = await startIssuer(t);
  const callback = oidcCallback(client);
  const parameters = { version: 1, timeoutContext: new AbortController().signal };

  const { accessToken } = await callback(parameters);
  await client.invalidate(accessToken);
  const current = await client.token();
  const second = await callback(parameters);

  assert.equal(second.accessToken, current.value);
  assert.equal(client.stats().mints, 2);
});

test('the_timeout_of_the_driver_ends_the_wait_and_errors_reach_it', async (t) => {
  const { client, emulator } = await startIssuer(t);
  const callback = oidcCallback(client);
  const controller = new AbortController();
  const reason = new Error('the driver does not wait any longer');

  await emulator.faults([{ path: '/generic/oauth/token', delay_ms: 20_000, then_serve: true }]);
  const waiting = rejection(callback({ version: 1, timeoutContext: controller.signal }));
  await until(async () => (await emulator.counters()).token_requests === 1);
  controller.abort(reason);
  assert.equal(await waiting, reason);

  await emulator.faults([{ path: '/generic/oauth/token', status: 401, body: { error: 'invalid_client' } }]);
  const other = new tokenwell.Client({ ...emulator.genericOptions });
  const error = await rejection(oidcCallback(other)({ version: 1, timeoutContext: new AbortController().signal }));
  assert.ok(error instanceof tokenwell.CredentialRejectedError, String(error));
});

test('a_driver_without_a_timeout_is_named_as_too_old', async (t) => {
  const { client } = await startIssuer(t);

  const error = await rejection(oidcCallback(client)(undefined));

  assert.match(error.message, /requires version 6\.7 or later of the package mongodb/);
});

/** A client of an authorization server other than Atlas, whose tokens clusters accept. */
async function startIssuer(t) {
  const emulator = await startEmulator(t);
  const { baseUrl, ...options } = emulator.options;
  emulator.genericOptions = { ...options, tokenUrl: `${baseUrl}/generic/oauth/token` };
  const client = new tokenwell.Client(emulator.genericOptions);
  t.after(() => client.close());
  return { emulator, client };
}
