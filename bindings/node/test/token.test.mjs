import assert from 'node:assert/strict';
import test from 'node:test';
import { format, inspect } from 'node:util';
import { startEmulator, tokenwell } from './support.mjs';

test('i21_no_way_of_printing_a_token_or_a_client_shows_a_secret', async (t) => {
  const emulator = await startEmulator(t);
  const client = new tokenwell.Client(emulator.options);
  const token = await client.token();

  const printed = [token, { token }, [token], client, { client }].flatMap((each) => [
    inspect(each, { depth: 9, showHidden: true }),
    format('%s %o %O %j', each, each, each, each),
    JSON.stringify(each),
    String(each),
  ]);

  for (const output of printed) {
    assert.ok(!output.includes(token.value), output);
    assert.ok(!output.includes(emulator.options.clientSecret), output);
  }
  assert.equal(`${token}`, `[Token redacted, expires ${token.expiresAt.toISOString()}]`);
  assert.equal(JSON.stringify({ token }), `{"token":"${token}"}`);
  assert.equal(inspect(token), String(token));
});

test('a_token_has_its_value_header_expiry_and_scope', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient();
  const now = await emulator.now();

  const token = await client.token();

  assert.equal(token.authorization, `Bearer ${token.value}`);
  assert.equal(await client.authorization(), token.authorization);
  assert.ok(Math.abs(token.expiresAt.getTime() - now - 3_600_000) <= 60_000, String(token.expiresAt));
  assert.equal(token.scope, null);
  assert.equal(token.generation, client.generation);
});

test('changing_the_returned_date_does_not_change_the_token', async (t) => {
  const emulator = await startEmulator(t);
  const token = await new tokenwell.Client(emulator.options).token();
  const before = token.expiresAt.getTime();

  token.expiresAt.setFullYear(1970);

  assert.equal(token.expiresAt.getTime(), before);
});
