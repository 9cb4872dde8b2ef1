import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { inspect } from 'node:util';
import { PACKAGE, startEmulator, tokenwell } from './support.mjs';

const { Client, TokenwellError } = tokenwell;
const { notWellFormed } = createRequire(PACKAGE)(`${PACKAGE}/lib/errors.js`);

test('an_error_has_code_status_hint_http_status_and_the_time_to_retry_after', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.faults([
    { path: '/api/oauth/token', status: 429, headers: { 'Retry-After': '30' }, body: { error: 'rate_limited', error_description: 'slow down' } },
  ]);
  const client = await emulator.manualClient();

  const error = await client.token().catch((reason) => reason);

  assert.ok(error instanceof tokenwell.RateLimitedError && error instanceof TokenwellError && error instanceof Error);
  assert.equal(error.name, 'RateLimitedError');
  assert.equal(error.code, 'RATE_LIMITED');
  assert.equal(error.status, 5);
  assert.equal(error.httpStatus, 429);
  assert.ok(error.retryAfterMs >= 30_000 && error.retryAfterMs <= 60_000, String(error.retryAfterMs));
  assert.match(error.message, /rate limit exceeded/);
  assert.notEqual(error.hint, '');
  assert.match(inspect(error), /RateLimitedError: .*hint:/s);
});

test('an_error_has_the_code_of_the_server_and_the_number_of_requests', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client({ ...emulator.options, clientSecret: 'wrong' });

  const error = await client.token().catch((reason) => reason);

  const { oauthCode, isRemembered, ageMs, attempts } = error;
  assert.deepEqual({ oauthCode, isRemembered, ageMs, attempts }, { oauthCode: 'invalid_client', isRemembered: false, ageMs: 0, attempts: 1 });
});

test('a_remembered_error_has_its_age', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient({ clientSecret: 'wrong' });
  await client.token().catch(() => {});
  client.advanceClock(7000);

  const error = await client.token().catch((reason) => reason);

  const { oauthCode, isRemembered, ageMs, attempts } = error;
  assert.deepEqual({ oauthCode, isRemembered, ageMs, attempts }, { oauthCode: 'invalid_client', isRemembered: true, ageMs: 7000, attempts: 1 });
  assert.equal((await emulator.counters()).token_requests, 1);
});

test('an_error_that_needed_no_request_has_no_code_of_a_server', () => {
  const error = (() => {
    try {
      return new Client({ color: 'blue' });
    } catch (reason) {
      return reason;
    }
  })();

  const { oauthCode, isRemembered, ageMs, attempts } = error;
  assert.deepEqual({ oauthCode, isRemembered, ageMs, attempts }, { oauthCode: null, isRemembered: false, ageMs: 0, attempts: 0 });
});

test('the_stack_of_an_error_names_the_caller', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.faults([{ path: '/api/oauth/token', delay_ms: 100, status: 401, body: { error: 'invalid_client' } }]);
  async function functionOfTheCaller() {
    return await new Client(emulator.options).token();
  }

  const error = await functionOfTheCaller().catch((reason) => reason);

  assert.match(error.stack, /functionOfTheCaller/);
});

test('a_rejected_secret_is_never_shown', async (t) => {
  const emulator = await startEmulator(t);
  const clientSecret = 'mdb_sa_sk_canary_that_no_message_may_hold_1234567890';
  const client = new Client({ ...emulator.options, clientSecret });

  const error = await client.token().catch((reason) => reason);

  assert.ok(error instanceof tokenwell.CredentialRejectedError, inspect(error));
  assert.equal(error.httpStatus, 401);
  assert.equal(error.retryAfterMs === null || error.retryAfterMs > 0, true);
  assert.ok(!inspect(error).includes('canary'));
});

test('without_a_reply_there_is_no_http_status', async () => {
  const client = new Client({ baseUrl: 'http://127.0.0.1:1', clientId: 'a', clientSecret: 'b', timeoutMs: 2000 });

  const error = await client.token().catch((reason) => reason);

  assert.ok(error instanceof tokenwell.NetworkError || error instanceof tokenwell.DeadlineError, inspect(error));
  assert.equal(error.httpStatus, null);
});

test('a_setting_the_library_does_not_know_is_rejected_by_the_library', () => {
  assert.throws(() => new Client({ clientId: 'a', clientSecret: 'b', noSuchSetting: 'x' }), (error) => {
    assert.ok(error instanceof tokenwell.InvalidArgumentError);
    assert.match(error.message, /no_such_setting/);
    return true;
  });
});

test('a_misspelled_setting_is_answered_with_a_suggestion', () => {
  assert.throws(() => new Client({ clientID: 'a' }), (error) => error instanceof tokenwell.InvalidArgumentError && /Did you mean client_id/.test(error.hint));
});

test('a_setting_can_be_given_by_its_name_in_the_library', async (t) => {
  const emulator = await startEmulator(t);
  const { clientId, clientSecret, baseUrl } = emulator.options;

  const client = new Client({ clientId, clientSecret, settings: { base_url: baseUrl, timeout_ms: '60000', client_id: 'another' } });

  assert.match((await client.token()).authorization, /^Bearer ./);
});

test('a_string_with_a_lone_surrogate_is_rejected', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);

  assert.throws(() => new Client({ ...emulator.options, clientSecret: 'half \ud83d' }), (error) => {
    assert.ok(error instanceof tokenwell.InvalidArgumentError);
    assert.equal(error.code, 'INVALID_ARGUMENT');
    assert.match(error.message, /^clientSecret: .*lone surrogate/);
    return !error.message.includes('half');
  });
  await assert.rejects(client.invalidate('\udc00'), tokenwell.InvalidArgumentError);
});

test('a_secret_may_be_bytes_and_the_library_rejects_invalid_utf8', async (t) => {
  const emulator = await startEmulator(t);

  const client = new Client({ ...emulator.options, clientSecret: new TextEncoder().encode(emulator.options.clientSecret) });

  assert.match((await client.token()).authorization, /^Bearer ./);
  assert.throws(() => new Client({ ...emulator.options, clientSecret: Uint8Array.of(0x61, 0xff) }), tokenwell.InvalidArgumentError);
});

test('the_library_rejects_a_nul_in_a_setting', async (t) => {
  const emulator = await startEmulator(t);

  assert.throws(() => new Client({ ...emulator.options, clientId: 'a\0b' }), tokenwell.InvalidArgumentError);
});

test('durations_that_are_negative_or_not_finite_are_range_errors_that_name_the_argument', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);

  for (const wrong of [-1, -1n, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(client.token({ minTtlMs: wrong }), { name: 'RangeError', message: /minTtlMs/ });
    await assert.rejects(client.authorization({ deadlineMs: wrong }), { name: 'RangeError', message: /deadlineMs/ });
    await assert.rejects(client.revoke({ deadlineMs: wrong }), { name: 'RangeError', message: /deadlineMs/ });
    assert.throws(() => client.advanceClock(wrong), { name: 'RangeError', message: /ms/ });
    assert.throws(() => new Client({ ...emulator.options, timeoutMs: wrong }), { name: 'RangeError', message: /timeoutMs/ });
  }
  await assert.rejects(client.token({ minTtlMs: '5' }), { name: 'TypeError', message: /minTtlMs/ });
  await assert.rejects(client.token({ timeoutMs: 5 }), { name: 'TypeError', message: /timeoutMs.*deadlineMs/ });
});

test('a_duration_too_large_for_the_library_is_limited_and_not_wrapped', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient();

  const token = await client.token({ deadlineMs: 2n ** 70n });

  assert.match(token.value, /./);
  await assert.rejects(client.token({ minTtlMs: 2n ** 70n }), tokenwell.InvalidArgumentError);
});

test('n15_the_string_form_of_an_error_is_punctuated', async () => {
  const wrong = /\.\.|\.;|\.,|\. \(|undefined|null|\[object/;
  for (const options of [{}, { color: 'blue' }, { clientId: 'a\0' }, { baseUrl: 'http://atlas.example' }, { clientId: '\ud83d' }]) {
    const error = await (async () => new Client(options).token())().catch((error) => error);

    assert.ok(error instanceof tokenwell.TokenwellError);
    assert.equal(String(error), `${error.constructor.name}: ${error.message}`);
    assert.match(error.message, /[^.]$/, 'a message has no final period');
    assert.match(error.hint, /\.$/, 'a hint has a final period');
    assert.doesNotMatch(`${error.message}. ${error.hint}`, wrong);
  }
});

test('n15_messages_and_hints_of_this_package_join_to_sentences', () => {
  const error = notWellFormed('clientId');

  assert.match(error.message, /[^.]$/);
  assert.match(error.hint, /^[A-Z].*\.$/);
});
