// tokenwell/undici with the versions of undici that it supports, against the emulator.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { ACCEPT, ORGS, REJECTED, rejection, startApi, startForeignServer } from './api.mjs';
import { PACKAGE, tokenwell, until } from './support.mjs';

const require = createRequire(import.meta.url);
const { interceptor } = await import(pathToFileURL(path.join(PACKAGE, 'lib/undici.js')));

for (const name of ['undici', 'undici-7', 'undici-8']) {
  const { engines, version } = require(`${name}/package.json`);
  if (isOlderThan(engines.node)) {
    test(`undici ${version}`, { skip: `it requires Node ${engines.node}` }, () => {});
    continue;
  }
  const undici = require(name);
  const each = (title, body) =>
    test(`${title}, undici ${version}`, async (t) => {
      const api = await startApi(t);
      const compose = (client, ...others) => {
        const agent = new undici.Agent();
        t.after(() => agent.destroy());
        return agent.compose(interceptor(client), ...others);
      };
      const request = (dispatcher, url, options = {}) => undici.request(url.startsWith('/') ? api.url(url) : url, { dispatcher, ...options });
      await body({ t, api, compose, request, dispatcher: compose(api.client) });
    });

  each('the_interceptor_calls_the_api_before_and_after_its_token_is_revoked_with_one_replay', async ({ api, dispatcher, request }) => {
    const before = await request(dispatcher, ORGS, { headers: ACCEPT });
    const { results } = await before.body.json();
    assert.deepEqual(await api.counts(), [1, 1]);
    await api.revokeToken();
    const after = await request(dispatcher, ORGS, { headers: ACCEPT });

    assert.equal(before.statusCode, 200);
    assert.equal(after.statusCode, 200);
    assert.equal(after.headers['content-type'], before.headers['content-type']);
    assert.deepEqual((await after.body.json()).results, results);
    assert.deepEqual(await api.counts(), [3, 2]);
    assert.equal(api.client.stats().invalidations, 1);
  });

  each('a_replay_has_the_method_the_headers_and_the_body_of_the_request', async ({ api, compose, request }) => {
    const form = new undici.FormData();
    form.set('name', 'a');
    const bodies = ['name=a', Buffer.from('name=a'), new Blob(['name=a']), form];
    const headers = [{ 'x-mark': 'm' }, ['x-mark', 'm'], new Map([['x-mark', 'm']]), { 'X-Mark': ['m'] }];
    for (const [index, body] of bodies.entries()) {
      const client = api.newClient();
      await api.reject(1);
      const first = await client.authorization();

      const reply = await request(compose(client), REJECTED, { method: 'PUT', headers: headers[index], body });

      assert.equal(reply.statusCode, 200);
      assert.deepEqual(await reply.body.json(), { ok: true });
      const last = await api.lastRequest();
      assert.equal(last.method, 'PUT');
      assert.equal(last.headers['x-mark'], 'm');
      assert.match(last.body, body === form ? /name="name"\r\n\r\na\r\n/ : /^name=a$/);
      assert.notEqual(last.headers.authorization, first);
      assert.equal(last.headers.authorization, await client.authorization());
    }
    assert.deepEqual(await api.counts(), [8, 8]);
  });

  each('a_stream_is_not_replayed_but_its_token_is_invalidated', async ({ api, compose, request }) => {
    async function* generator() {
      yield 'name=a';
    }
    for (const body of [generator(), Readable.from(['name=a'])]) {
      const client = api.newClient();
      await api.reject(1);
      const token = await client.authorization();
      const [before] = await api.counts();

      const reply = await request(compose(client), REJECTED, { method: 'POST', body });

      assert.equal(reply.statusCode, 401);
      assert.deepEqual(await reply.body.json(), { error: 401 });
      assert.equal((await api.lastRequest()).body, 'name=a');
      assert.equal((await api.counts())[0], before + 1);
      assert.notEqual(await client.authorization(), token);
    }
  });

  each('a_long_401_reaches_the_caller_whole', async ({ api, dispatcher, request }) => {
    const body = 'x'.repeat(1_000_000);
    await api.reject(2, REJECTED, { body });
    const token = await api.client.authorization();

    const reply = await request(dispatcher, REJECTED);

    assert.equal(reply.statusCode, 401);
    await until(() => api.client.stats().invalidations === 1);
    assert.equal(await reply.body.text(), body);
    assert.deepEqual(await api.counts(), [1, 1]);
    assert.notEqual(await api.client.authorization(), token);
  });

  each('another_origin_gets_no_token', async ({ t, api, dispatcher, request }) => {
    const foreign = await startForeignServer(t, (_request, response) => response.writeHead(401).end('foreign'));
    await api.reject(0);

    const reply = await request(dispatcher, `${foreign.url}/direct`);
    assert.deepEqual(await api.counts(), [0, 0]);
    await request(dispatcher, REJECTED, { headers: { Host: 'localhost' } });
    const otherHost = await api.lastRequest();

    assert.equal(reply.statusCode, 401);
    assert.equal(await reply.body.text(), 'foreign');
    assert.equal(foreign.received[0].authorization, undefined);
    assert.equal(otherHost.headers.authorization, undefined);
    assert.deepEqual(await api.counts(), [1, 0]);
  });

  each('a_request_for_a_proxy_gets_no_token', async ({ t, api }) => {
    const foreign = await startForeignServer(t);
    const agent = new undici.Agent();
    t.after(() => agent.destroy());
    const sent = [];
    const record = (dispatch) => (options, handler) => {
      sent.push(options.headers);
      return dispatch(options, handler);
    };
    const dispatcher = agent.compose(record, interceptor(api.client));

    await dispatcher.request({ origin: api.emulator.options.baseUrl, path: `${foreign.url}/x`, method: 'GET', headers: ['x-mark', 'm'] });

    assert.deepEqual(sent, [['x-mark', 'm']]);
    assert.deepEqual((await api.counts())[1], 0);
  });

  each('a_redirect_to_another_origin_has_no_token_in_either_order_of_interceptors', async ({ t, api, compose, request }) => {
    const foreign = await startForeignServer(t, (_request, response) => response.writeHead(401).end());
    await api.emulator.faults([{ path: '/away', redirect: `${foreign.url}/landed` }]);
    const redirect = undici.interceptors.redirect({ maxRedirections: 3 });
    const agent = new undici.Agent();
    t.after(() => agent.destroy());

    for (const dispatcher of [compose(api.client, redirect), agent.compose(redirect, interceptor(api.client))]) {
      const reply = await request(dispatcher, '/away');

      assert.equal(reply.statusCode, 401);
      assert.equal((await api.lastRequest('/away')).headers.authorization, await api.client.authorization());
      assert.equal(foreign.received.pop().authorization, undefined);
    }
    assert.deepEqual(await api.counts(), [2, 1]);
    assert.equal(api.client.stats().invalidations, 0);
  });

  each('no_server_of_a_chain_of_redirects_gets_the_token_of_another', async ({ t, api, compose, request }) => {
    const targets = { '/to-foreign': '/landed', '/to-api': api.url(REJECTED) };
    const foreign = await startForeignServer(t, ({ url }, response) => response.writeHead(targets[url] ? 307 : 401, { location: targets[url] ?? '' }).end());
    const redirect = undici.interceptors.redirect({ maxRedirections: 3 });
    const agent = new undici.Agent();
    t.after(() => agent.destroy());

    for (const [order, dispatcher] of [['inside', compose(api.client, redirect)], ['outside', agent.compose(redirect, interceptor(api.client))]]) {
      for (const path of Object.keys(targets)) {
        await api.emulator.faults([{ path: '/away', redirect: foreign.url + path }, { path: REJECTED, status: 401 }]);
        assert.equal((await request(dispatcher, '/away')).statusCode, 401, `${order} ${path}`);
      }
      assert.deepEqual(foreign.received.splice(0).map(({ authorization }) => authorization), [undefined, undefined, undefined], order);
    }
  });

  each('a_redirect_within_the_api_is_replayed_and_a_post_only_from_its_last_request', async ({ t, api, request }) => {
    const redirect = undici.interceptors.redirect({ maxRedirections: 3 });
    const agent = new undici.Agent();
    t.after(() => agent.destroy());
    const moved = [
      { path: '/moved', redirect: '/rejected', redirect_status: 303 },
      { path: '/rejected', times: 1, status: 401 },
      { path: '/rejected', status: 200 },
    ];

    const outcomes = [];
    for (const method of ['GET', 'POST']) {
      for (const order of ['inside', 'outside']) {
        const client = api.newClient();
        const ours = interceptor(client);
        await api.emulator.faults(moved);
        const [before] = await api.counts();
        const { statusCode } = await request(agent.compose(order === 'inside' ? [redirect, ours] : [ours, redirect]), '/moved', { method });
        outcomes.push([method, order, statusCode, (await api.counts())[0] - before]);
        assert.equal(client.stats().invalidations, 1);
      }
    }

    assert.deepEqual(outcomes, [
      ['GET', 'inside', 200, 4],
      ['GET', 'outside', 200, 3],
      ['POST', 'inside', 401, 2],
      ['POST', 'outside', 200, 3],
    ]);
  });

  each('an_authorization_header_of_the_program_is_left_alone', async ({ api, dispatcher, request }) => {
    await api.client.token();
    for (const headers of [{ Authorization: 'Digest own' }, ['authorization', 'Digest own'], new Map([['AUTHORIZATION', 'Digest own']])]) {
      await api.reject(1);

      const reply = await request(dispatcher, REJECTED, { headers });

      assert.equal(reply.statusCode, 401);
      assert.equal((await api.lastRequest()).headers.authorization, 'Digest own');
    }
    assert.deepEqual(await api.counts(), [3, 1]);
    assert.equal(api.client.stats().invalidations, 0);
  });

  each('a_403_and_a_second_401_reach_the_caller', async ({ api, dispatcher, request }) => {
    await api.emulator.faults([{ path: '/forbidden', status: 403 }]);
    const forbidden = await request(dispatcher, '/forbidden');
    assert.deepEqual(await api.counts(), [1, 1]);

    await api.reject(5);
    const rejected = await request(dispatcher, REJECTED);

    assert.deepEqual([forbidden.statusCode, rejected.statusCode], [403, 401]);
    assert.deepEqual(await rejected.body.json(), { error: 401 });
    assert.deepEqual(await api.counts(), [3, 2]);
    assert.equal(api.client.stats().invalidations, 1);
  });

  each('concurrent_401s_invalidate_the_token_once', async ({ api, dispatcher, request }) => {
    await api.revokeToken();

    const replies = await Promise.all(Array.from({ length: 40 }, () => request(dispatcher, ORGS, { headers: ACCEPT })));

    assert.ok(replies.every(({ statusCode }) => statusCode === 200));
    assert.deepEqual(await api.counts(), [80, 2]);
    assert.equal(api.client.stats().invalidations, 1);
  });

  each('the_401_is_returned_if_there_is_no_other_token_and_then_the_error', async ({ api, dispatcher, request }) => {
    await api.client.token();
    await api.emulator.faults([
      { path: REJECTED, status: 401, body: 'the first reply' },
      { path: '/api/oauth/token', status: 401, body: { error: 'invalid_client' } },
    ]);

    const reply = await request(dispatcher, REJECTED);

    assert.equal(reply.statusCode, 401);
    assert.equal(await reply.body.text(), 'the first reply');
    const requests = await api.counts();
    assert.ok((await rejection(request(dispatcher, REJECTED))) instanceof tokenwell.CredentialRejectedError);
    const viaFetch = await rejection(undici.fetch(api.url(REJECTED), { dispatcher }));
    assert.ok(viaFetch.cause instanceof tokenwell.CredentialRejectedError, String(viaFetch.cause));
    assert.deepEqual(await api.counts(), requests);
  });

  each('a_signal_ends_the_wait_for_a_token_at_any_time', async ({ api, compose, dispatcher, request }) => {
    const reason = new Error('enough');
    const slow = { path: '/api/oauth/token', delay_ms: 20_000, then_serve: true };

    await api.emulator.faults([slow]);
    const controller = new AbortController();
    const first = rejection(request(dispatcher, REJECTED, { signal: controller.signal }));
    const viaFetch = rejection(undici.fetch(api.url(REJECTED), { dispatcher, signal: controller.signal }));
    await until(async () => (await api.emulator.counters()).token_requests === 1);
    controller.abort(reason);
    assert.equal(await first, reason);
    assert.equal(await viaFetch, reason);
    assert.equal(await rejection(request(dispatcher, REJECTED, { signal: AbortSignal.abort(reason) })), reason);
    assert.equal((await api.counts())[0], 0);

    const other = api.newClient();
    await api.emulator.faults([]);
    await other.token();
    await api.emulator.faults([{ path: REJECTED, status: 401 }, slow]);
    const again = new AbortController();
    const second = rejection(request(compose(other), REJECTED, { signal: again.signal }));
    await until(async () => (await api.emulator.counters()).token_requests === 3);
    again.abort(reason);
    assert.equal(await second, reason);
  });

  each('a_signal_ends_a_request_that_has_been_sent', async ({ api, dispatcher, request }) => {
    const reason = new Error('enough');
    await api.emulator.faults([{ path: REJECTED, delay_ms: 20_000, then_serve: true }]);
    const controller = new AbortController();

    const sent = rejection(request(dispatcher, REJECTED, { signal: controller.signal }));
    await until(async () => (await api.counts())[0] === 1);
    controller.abort(reason);

    assert.equal(await sent, reason);
  });

  each('both_kinds_of_fetch_are_replayed', async ({ api, compose }) => {
    // An Agent of undici 8 does not serve the fetch of a Node that contains undici 6 or 7.
    for (const fetch of name === 'undici-8' ? [undici.fetch] : [undici.fetch, globalThis.fetch]) {
      const client = api.newClient();
      await api.reject(1);
      const [before] = await api.counts();

      const reply = await fetch(api.url(REJECTED), { dispatcher: compose(client) });

      assert.equal(reply.status, 200);
      assert.deepEqual(await reply.json(), { ok: true });
      assert.equal((await api.counts())[0], before + 2);
    }
  });

  each('a_slow_reader_gets_a_reply_whole_after_a_replay', async ({ api, dispatcher }) => {
    const times = 3_000_000;
    await api.emulator.faults([{ path: '/long', times: 1, status: 401 }, { path: '/long', status: 200, body_repeat: { text: 'y', times } }]);
    const sink = new PassThrough({ highWaterMark: 100 });
    const content = text(sink);

    await dispatcher.stream({ origin: api.emulator.options.baseUrl, path: '/long', method: 'GET' }, () => sink);

    assert.equal(await content, 'y'.repeat(times));
    assert.deepEqual(await api.counts(), [2, 2]);
  });

  each('a_reply_that_is_not_read_stops', async ({ api, dispatcher, request }) => {
    await api.emulator.faults([{ path: '/long', status: 200, body_repeat: { text: 'y', times: 8_000_000 } }]);

    const { body } = await request(dispatcher, '/long');
    await until(() => body.readableLength > 0);
    for (let round = 0; round < 50; round += 1) await api.counts();
    const kept = body.readableLength;
    body.on('error', () => {}).destroy();

    assert.ok(kept < 500_000, `${kept} bytes were received`);
  });

  each('a_request_without_an_origin_is_refused', async ({ t, api }) => {
    const pool = new undici.Pool(api.emulator.options.baseUrl);
    t.after(() => pool.destroy());
    // From undici 8, a Pool adds its own origin.
    const withoutOrigin = (dispatch) => (options, handler) => dispatch({ ...options, origin: options.headers.origin }, handler);
    const composed = pool.compose(interceptor(api.client), withoutOrigin);
    await api.reject(0);

    const error = await rejection(composed.request({ path: REJECTED, method: 'GET', headers: {} }));
    const reply = await composed.request({ path: REJECTED, method: 'GET', headers: { origin: api.emulator.options.baseUrl } });

    assert.ok(error instanceof tokenwell.InvalidArgumentError, String(error));
    assert.match(error.hint, /Agent/);
    assert.equal(reply.statusCode, 200);
    assert.equal((await api.lastRequest()).headers.authorization, await api.client.authorization());
  });
}

test('an_interceptor_needs_a_client_with_a_base_url', async (t) => {
  const api = await startApi(t);
  const { baseUrl, ...options } = api.emulator.options;
  const client = new tokenwell.Client({ ...options, tokenUrl: `${baseUrl}/generic/oauth/token` });

  assert.throws(() => interceptor(client), tokenwell.NotConfiguredError);
});

function isOlderThan(range) {
  const [needed, own] = [range.replace(/[^\d.]/g, ''), process.versions.node].map((each) => each.split('.').map(Number));
  const index = needed.findIndex((part, place) => part !== own[place]);
  return index !== -1 && own[index] < needed[index];
}
