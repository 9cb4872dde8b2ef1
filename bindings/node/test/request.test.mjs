// Requests to the Admin API with client.request. The shared vectors test what the library decides.
import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { startApi, ORGS } from './api.mjs';
import { runProgram, tokenwell, until } from './support.mjs';

const HANGS = { path: ORGS, delay_ms: 120_000, then_serve: true };

test('a_request_resolves_to_the_response', async (t) => {
  const { client, lastRequest } = await startApi(t);

  const response = await client.request('GET', ORGS, { version: '2025-03-12', query: { itemsPerPage: 5, pretty: true, tag: ['a', 'b'] } });

  assert.ok(response instanceof tokenwell.ApiResponse);
  assert.equal(response.status, 200);
  assert.equal(response.ok, true);
  assert.equal(response.json().totalCount, 1);
  assert.match(response.headers['content-type'], /^application\/vnd\.atlas\./);
  const sent = await lastRequest(ORGS);
  assert.equal(sent.query, 'itemsPerPage=5&pretty=true&tag=a&tag=b');
  assert.equal(sent.headers.accept, 'application/vnd.atlas.2025-03-12+json');
});

for (const [body, expected] of [
  [{ name: 'é' }, '{"name":"é"}'],
  [[1], '[1]'],
  ['{"a":1}', '{"a":1}'],
  [new Uint8Array([0x5b, 0x5d]), '[]'],
  [null, 'null'],
  [0, '0'],
]) {
  test(`a_body_is_json_${inspect(body)}`, async (t) => {
    const { client, emulator, lastRequest } = await startApi(t);
    await emulator.faults([{ path: ORGS, status: 204 }]);

    const response = await client.request('POST', ORGS, { body });

    assert.equal(response.status, 204);
    assert.equal(response.body.length, 0);
    assert.equal((await lastRequest(ORGS)).body, expected);
  });
}

test('an_error_of_the_api_is_a_response_that_shows_no_secret', async (t) => {
  const { client, emulator } = await startApi(t);
  await emulator.faults([{ path: ORGS, status: 429, headers: { 'Retry-After': '7', 'X-Two': ['a', 'b'] }, body: { secret: 'canary' } }]);

  const response = await client.request('GET', ORGS);

  assert.equal(response.status, 429);
  assert.equal(response.ok, false);
  assert.deepEqual(response.json(), { secret: 'canary' });
  assert.equal(response.headers['retry-after'], '7');
  assert.equal(response.headers['x-two'], 'a, b');
  assert.deepEqual(response.headerList.filter(([name]) => name === 'x-two'), [['x-two', 'a'], ['x-two', 'b']]);
  assert.throws(() => (response.headers.a = 'b'), TypeError);
  for (const shown of [String(response), JSON.stringify(response), inspect(response, { depth: 9, showHidden: true })]) assert.doesNotMatch(shown, /canary/);
});

test('a_wrong_argument_is_named_and_nothing_is_sent', async (t) => {
  const { client, emulator } = await startApi(t);
  const { InvalidArgumentError, RefusedError } = tokenwell;
  const wrong = [
    [RefusedError, /path/, 'GET', 'https://evil.example/'],
    [RefusedError, /path/, 'GET', '/a/../b'],
    [InvalidArgumentError, /method/, 'get', ORGS],
    [InvalidArgumentError, /body/, 'POST', ORGS, { body: '{' }],
    [InvalidArgumentError, /path/, 'GET', '/\ud800'],
    [InvalidArgumentError, /version/, 'GET', ORGS, { version: '2025/03' }],
    [InvalidArgumentError, /name/, 'GET', ORGS, { query: { '': 'x' } }],
    [TypeError, /method/, 1, ORGS],
    [TypeError, /path/, 'GET', new URL('https://a.example/')],
    [TypeError, /version/, 'GET', ORGS, { version: 2025 }],
    [TypeError, /query a/, 'GET', ORGS, { query: { a: {} } }],
    [TypeError, /maxBody/, 'GET', ORGS, { maxBody: '1' }],
    [RangeError, /maxBody/, 'GET', ORGS, { maxBody: -1 }],
    [RangeError, /deadlineMs/, 'GET', ORGS, { deadlineMs: -1 }],
    [TypeError, /body/, 'POST', ORGS, { body: () => {} }],
    [TypeError, /unknown option timeout/, 'GET', ORGS, { timeout: 1 }],
  ];
  for (const [type, message, ...call] of wrong) {
    await assert.rejects(client.request(...call), (error) => error instanceof type && message.test(error.message), `${call}`);
  }
  assert.equal((await emulator.counters()).requests, 0);
});

test('a_request_has_its_own_deadline_and_limit', async (t) => {
  const { client, emulator } = await startApi(t);
  await emulator.faults([{ ...HANGS, times: 1 }]);
  await assert.rejects(client.request('GET', ORGS, { deadlineMs: 300 }), tokenwell.DeadlineError);
  await assert.rejects(client.request('GET', ORGS, { maxBody: 1n }), tokenwell.ProtocolError);
});

test('an_aborted_request_ends', async (t) => {
  const { client, emulator } = await startApi(t);
  await emulator.faults([HANGS]);
  const controller = new AbortController();

  const pending = [1, 2].map(() => client.request('GET', ORGS, { signal: controller.signal }));
  await until(async () => (await emulator.counters()).api_requests === 2);
  controller.abort(new Error('changed my mind'));

  for (const each of pending) await assert.rejects(each, /changed my mind/);
  await assert.rejects(client.request('GET', ORGS, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal((await emulator.counters()).api_requests, 2);
});

test('close_ends_a_request', async (t) => {
  const { client, emulator } = await startApi(t);
  await emulator.faults([HANGS]);
  const pending = client.request('GET', ORGS);
  await until(async () => (await emulator.counters()).api_requests === 1);

  client.close();

  await assert.rejects(pending, tokenwell.ClosedError);
  await assert.rejects(client.request('GET', ORGS), tokenwell.ClosedError);
});

test('a_program_stays_alive_for_its_request_and_exits_after_it', async (t) => {
  const { emulator } = await startApi(t);
  await emulator.faults([{ path: ORGS, delay_ms: 300, then_serve: true }]);

  const { code, stdout, stderr } = await runProgram(
    `new tokenwell.Client(options).request('GET', ${JSON.stringify(ORGS)}).then((response) => console.log(response.status));`,
    { options: emulator.options },
  );

  assert.equal(stderr, '');
  assert.equal(stdout, '200\n');
  assert.equal(code, 0);
});
