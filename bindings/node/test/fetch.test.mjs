// client.fetch against the emulator.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { ACCEPT, ORGS, REJECTED, rejection, startApi, startForeignServer } from './api.mjs';
import { tokenwell, until } from './support.mjs';

test('fetch_calls_the_api_before_and_after_its_token_is_revoked_with_one_replay', async (t) => {
  const api = await startApi(t);

  const before = await api.client.fetch(ORGS, { headers: ACCEPT });
  const { results } = await before.json();
  assert.deepEqual(await api.counts(), [1, 1]);
  await api.revokeToken();
  const after = await api.client.fetch(new URL(api.url(ORGS)), { headers: ACCEPT });

  assert.equal(before.status, 200);
  assert.equal(after.status, 200);
  assert.deepEqual((await after.json()).results, results);
  assert.deepEqual(await api.counts(), [3, 2]);
  assert.equal(api.client.stats().invalidations, 1);
});

const BODIES = {
  string: () => 'name=a',
  URLSearchParams: () => new URLSearchParams({ name: 'a' }),
  Uint8Array: () => new TextEncoder().encode('name=a'),
  ArrayBuffer: () => new TextEncoder().encode('name=a').buffer,
  Blob: () => new Blob(['name=a']),
};

test('a_replay_has_the_method_the_headers_and_the_body_of_the_request', async (t) => {
  const api = await startApi(t);
  for (const [name, create] of Object.entries(BODIES)) {
    const client = api.newClient();
    await api.reject(1);
    const first = await client.authorization();

    const reply = await client.fetch(REJECTED, { method: 'PUT', headers: { 'x-mark': name }, body: create() });

    const { method, headers, body } = await api.lastRequest();
    assert.equal(reply.status, 200, name);
    assert.deepEqual([method, headers['x-mark'], body], ['PUT', name, 'name=a'], name);
    assert.notEqual(headers.authorization, first, name);
    assert.equal(headers.authorization, await client.authorization(), name);
  }
  assert.deepEqual(await api.counts(), [2 * Object.keys(BODIES).length, 2 * Object.keys(BODIES).length]);
});

test('a_form_is_replayed', async (t) => {
  const api = await startApi(t);
  await api.reject(1);
  const body = new FormData();
  body.set('name', 'a');

  const reply = await api.client.fetch(REJECTED, { method: 'POST', body });

  assert.equal(reply.status, 200);
  assert.match((await api.lastRequest()).body, /name="name"\r\n\r\na\r\n/);
});

const STREAMS = {
  // Not that of a Blob: the fetch of Node 20.4 never sends it.
  ReadableStream: () => Readable.toWeb(Readable.from([Buffer.from('name=a')])),
  async *generator() {
    yield 'name=a';
  },
  Readable: () => Readable.from(['name=a']),
};

test('a_stream_is_not_replayed_but_its_token_is_invalidated', async (t) => {
  const api = await startApi(t);
  for (const [name, create] of Object.entries(STREAMS)) {
    const client = api.newClient();
    await api.reject(1);
    const token = await client.authorization();
    const [before] = await api.counts();

    const reply = await client.fetch(REJECTED, { method: 'POST', body: create(), duplex: 'half' });

    assert.equal(reply.status, 401, name);
    assert.deepEqual(await reply.json(), { error: 401 }, name);
    assert.equal((await api.lastRequest()).body, 'name=a', name);
    assert.equal((await api.counts())[0], before + 1, name);
    assert.notEqual(await client.authorization(), token, name);
  }
});

test('a_request_object_is_replayed_only_without_a_body', async (t) => {
  const api = await startApi(t);
  await api.reject(1);
  const withoutBody = await api.client.fetch(new Request(api.url(REJECTED), { headers: { 'x-mark': 'kept' } }));
  const { headers } = await api.lastRequest();

  const other = api.newClient();
  await api.reject(1);
  const withBody = await other.fetch(new Request(api.url(REJECTED), { method: 'POST', body: 'name=a' }));

  assert.equal(withoutBody.status, 200);
  assert.equal(headers['x-mark'], 'kept');
  assert.equal(withBody.status, 401);
  assert.deepEqual(await api.counts(), [3, 3]);
});

test('the_second_argument_may_override_or_be_a_request', async (t) => {
  const api = await startApi(t);
  await api.reject(0);

  await api.client.fetch(new Request(api.url(REJECTED), { headers: { 'x-mark': 'replaced' } }), { method: 'DELETE', headers: { 'x-mark': 'new' } });
  const overridden = await api.lastRequest();
  await api.client.fetch(REJECTED, new Request(api.url('/other'), { method: 'PATCH', body: 'inherited' }));
  const inherited = await api.lastRequest();

  assert.deepEqual([overridden.method, overridden.headers['x-mark']], ['DELETE', 'new']);
  assert.deepEqual([inherited.method, inherited.body], ['PATCH', 'inherited']);
  assert.equal(inherited.headers.authorization, await api.client.authorization());
});

test('another_origin_gets_no_token_directly_or_after_a_redirect', async (t) => {
  const api = await startApi(t);
  const foreign = await startForeignServer(t, (_request, response) => response.writeHead(401).end());
  await api.emulator.faults([{ path: '/away', redirect: `${foreign.url}/landed` }]);

  const direct = await api.client.fetch(`${foreign.url}/direct`);
  const withoutRequest = await api.counts();
  const redirected = await api.client.fetch('/away');
  const { headers } = await api.lastRequest('/away');

  assert.deepEqual([direct.status, redirected.status], [401, 401]);
  assert.deepEqual(withoutRequest, [0, 0]);
  assert.equal(headers.authorization, await api.client.authorization());
  assert.equal(foreign.received.length, 2);
  for (const received of foreign.received) assert.equal(received.authorization, undefined);
  // Its 401 does not concern the token.
  assert.equal(api.client.stats().invalidations, 0);
  assert.deepEqual(await api.counts(), [1, 1]);
});

test('no_server_of_a_chain_of_redirects_gets_the_token_of_another', async (t) => {
  const api = await startApi(t);
  const targets = { '/to-foreign': '/landed', '/to-api': api.url(REJECTED) };
  const foreign = await startForeignServer(t, ({ url }, response) => response.writeHead(targets[url] ? 307 : 401, { location: targets[url] ?? '' }).end());

  for (const path of Object.keys(targets)) {
    await api.emulator.faults([{ path: '/away', redirect: foreign.url + path }, { path: REJECTED, status: 401 }]);
    assert.equal((await api.client.fetch('/away')).status, 401);
    assert.equal((await api.lastRequest('/away')).headers.authorization, await api.client.authorization());
  }

  // fetch does not report the servers of a chain: the 401 of the API ends one that is repeated from its start.
  assert.deepEqual(foreign.received.map(({ authorization }) => authorization), [undefined, undefined, undefined, undefined]);
  assert.equal((await api.lastRequest()).headers.authorization, undefined);
});

test('a_host_header_of_another_site_gets_no_token', async (t) => {
  const api = await startApi(t);
  await api.reject(0);

  await api.client.fetch(REJECTED, { headers: { host: 'localhost' } });

  // Not every version of Node sends the header of the program.
  assert.equal((await api.lastRequest()).headers.authorization, undefined);
});

test('a_redirect_within_the_api_keeps_the_token_and_only_a_get_is_replayed_from_its_start', async (t) => {
  const api = await startApi(t);
  const redirected = { path: '/moved', redirect: api.url(REJECTED), redirect_status: 303 };
  const rejected = [{ path: REJECTED, times: 1, status: 401 }, { path: REJECTED, status: 200 }];

  await api.emulator.faults([redirected, ...rejected]);
  const get = await api.client.fetch('/moved');
  assert.deepEqual(await api.counts(), [4, 2]);
  const other = api.newClient();
  await api.emulator.faults([redirected, ...rejected]);
  const post = await other.fetch('/moved', { method: 'POST', body: 'once' });

  assert.equal(get.status, 200);
  assert.equal(post.status, 401);
  assert.equal((await api.counts())[0], 6);
  assert.equal(other.stats().invalidations, 1);
});

test('an_authorization_header_of_the_program_is_left_alone', async (t) => {
  const api = await startApi(t);
  await api.client.token();
  for (const init of [{ headers: { Authorization: 'Digest own' } }, { headers: [['authorization', 'Digest own']] }, { headers: new Headers({ authorization: 'Digest own' }) }]) {
    await api.reject(1);

    const reply = await api.client.fetch(REJECTED, init);

    assert.equal(reply.status, 401);
    assert.equal((await api.lastRequest()).headers.authorization, 'Digest own');
  }
  assert.deepEqual(await api.counts(), [3, 1]);
  assert.equal(api.client.stats().invalidations, 0);
});

test('a_403_is_not_replayed', async (t) => {
  const api = await startApi(t);
  await api.emulator.faults([{ path: REJECTED, status: 403 }]);

  assert.equal((await api.client.fetch(REJECTED)).status, 403);

  assert.deepEqual(await api.counts(), [1, 1]);
  assert.equal(api.client.stats().invalidations, 0);
});

test('a_second_401_reaches_the_caller', async (t) => {
  const api = await startApi(t);
  await api.reject(5);

  const reply = await api.client.fetch(REJECTED);

  assert.equal(reply.status, 401);
  assert.deepEqual(await reply.json(), { error: 401 });
  assert.deepEqual(await api.counts(), [2, 2]);
});

test('concurrent_401s_invalidate_the_token_once', async (t) => {
  const api = await startApi(t);
  await api.revokeToken();

  const replies = await Promise.all(Array.from({ length: 40 }, () => api.client.fetch(ORGS, { headers: ACCEPT })));

  assert.ok(replies.every(({ status }) => status === 200));
  assert.deepEqual(await api.counts(), [80, 2]);
  assert.equal(api.client.stats().invalidations, 1);
});

test('the_401_is_returned_if_there_is_no_other_token', async (t) => {
  const api = await startApi(t);
  await api.client.token();
  await api.emulator.faults([
    { path: REJECTED, status: 401, body: 'the first reply' },
    { path: '/api/oauth/token', status: 401, body: { error: 'invalid_client' } },
  ]);

  const reply = await api.client.fetch(REJECTED);

  assert.equal(reply.status, 401);
  assert.equal(await reply.text(), 'the first reply');
  assert.ok((await rejection(api.client.fetch(REJECTED))) instanceof tokenwell.CredentialRejectedError);
});

test('an_error_of_tokenwell_reaches_the_caller_and_a_stream_is_ended', async (t) => {
  const api = await startApi(t);
  await api.emulator.faults([{ path: '/api/oauth/token', status: 401, body: { error: 'invalid_client' } }]);
  let canceled;
  const body = new ReadableStream({ cancel: (reason) => (canceled = reason) });
  const readable = new Readable({ read() {} });

  const error = await rejection(api.client.fetch(REJECTED, { method: 'POST', body, duplex: 'half' }));
  await rejection(api.client.fetch(REJECTED, { method: 'POST', body: readable, duplex: 'half' }));

  assert.ok(error instanceof tokenwell.CredentialRejectedError, String(error));
  assert.equal(canceled, error);
  assert.equal(readable.destroyed, true);
  assert.equal((await api.counts())[0], 0);
});

test('a_signal_ends_the_wait_for_a_token_at_any_time', async (t) => {
  const api = await startApi(t);
  const reason = new Error('enough');
  const slow = { path: '/api/oauth/token', delay_ms: 20_000, then_serve: true };

  await api.emulator.faults([slow]);
  const controller = new AbortController();
  const first = rejection(api.client.fetch(REJECTED, { signal: controller.signal }));
  await until(async () => (await api.emulator.counters()).token_requests === 1);
  controller.abort(reason);
  assert.equal(await first, reason);
  assert.equal(await rejection(api.client.fetch(new Request(api.url(REJECTED), { signal: AbortSignal.abort(reason) }))), reason);
  assert.equal((await api.counts())[0], 0);

  const other = api.newClient();
  await api.emulator.faults([]);
  await other.token();
  await api.emulator.faults([{ path: REJECTED, status: 401 }, slow]);
  const again = new AbortController();
  const second = rejection(other.fetch(REJECTED, { signal: again.signal }));
  await until(async () => (await api.emulator.counters()).token_requests === 3);
  again.abort(reason);
  assert.equal(await second, reason);
});

test('fetch_can_be_passed_on_and_uses_the_global_fetch_of_the_moment', async (t) => {
  const api = await startApi(t);
  const { fetch } = api.client;
  const original = globalThis.fetch;
  t.after(() => (globalThis.fetch = original));
  let seen;
  globalThis.fetch = async (input, init) => {
    seen = { url: String(input), authorization: init.headers.get('authorization'), next: init.next };
    return new Response(null, { status: 204 });
  };

  const reply = await fetch('orgs?a=b', { next: 'an option of this fetch only' });

  assert.equal(reply.status, 204);
  assert.deepEqual(seen, { url: api.url('/orgs?a=b'), authorization: await api.client.authorization(), next: 'an option of this fetch only' });
});

test('without_a_base_url_fetch_says_so', async (t) => {
  const api = await startApi(t);
  const { baseUrl, ...options } = api.emulator.options;
  const client = new tokenwell.Client({ ...options, tokenUrl: `${baseUrl}/generic/oauth/token` });

  const error = await rejection(client.fetch(api.url(ORGS)));

  assert.ok(error instanceof tokenwell.NotConfiguredError);
  assert.match(error.hint, /Set baseUrl/);
  assert.deepEqual(await api.counts(), [0, 0]);
});
