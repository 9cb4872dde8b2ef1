// tokenwell/mongodb-mcp-server, with requests like those of its ApiClient. `make test-more
// SUITES=node` uses the ApiClient itself, which is a download of more than 100 MB.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { ACCEPT, ORGS, REJECTED, rejection, startApi, startForeignServer } from './api.mjs';
import { PACKAGE, tokenwell } from './support.mjs';

const { apiClientAuth } = await import(pathToFileURL(path.join(PACKAGE, 'lib/mongodb-mcp-server.js')));

test('a_token_that_the_api_rejects_is_replaced_with_one_replay', async (t) => {
  const api = await startApi(t);
  const send = sender(apiClientAuth(api.client));

  const before = await send(api.url(ORGS));
  assert.deepEqual(await api.counts(), [1, 1]);
  await api.revokeToken();
  const after = await send(api.url(ORGS));

  assert.deepEqual([before.status, after.status], [200, 200]);
  assert.deepEqual(await after.json(), await before.json());
  assert.deepEqual(await api.counts(), [3, 2]);
});

test('closing_an_api_client_does_not_revoke_the_token_of_other_processes', async (t) => {
  const api = await startApi(t);
  const { authProvider } = apiClientAuth(api.client);
  const { Authorization } = await authProvider.getAuthHeaders();

  await authProvider.revoke();

  assert.deepEqual(await authProvider.getAuthHeaders(), { Authorization });
  assert.equal((await api.emulator.counters()).revoke_requests, 0);
});

test('validation_reports_why_there_is_no_token', async (t) => {
  const api = await startApi(t);
  const { authProvider } = apiClientAuth(api.client);

  assert.equal(await authProvider.validate(), true);
  api.client.close();
  assert.ok((await rejection(authProvider.validate())) instanceof tokenwell.ClosedError);
  assert.ok((await rejection(authProvider.getAuthHeaders())) instanceof tokenwell.ClosedError);
});

test('another_origin_gets_no_token_and_another_header_is_left_alone', async (t) => {
  const api = await startApi(t);
  const foreign = await startForeignServer(t);
  const auth = apiClientAuth(api.client);
  await api.reject(1);

  await sender(auth)(foreign.url);
  const { fetch, Request } = auth.httpClient;
  const reply = await fetch(new Request(api.url(REJECTED), { headers: { Authorization: 'Digest own' } }));

  assert.equal(foreign.received[0].authorization, undefined);
  assert.equal(reply.status, 401);
  assert.equal((await api.lastRequest()).headers.authorization, 'Digest own');
  assert.equal(api.client.stats().invalidations, 0);
});

/** Sends requests as an ApiClient does. */
function sender({ authProvider, httpClient }) {
  return async (url) => {
    const request = new httpClient.Request(url, { headers: ACCEPT });
    for (const [name, value] of Object.entries(await authProvider.getAuthHeaders())) request.headers.set(name, value);
    return httpClient.fetch(request, undefined);
  };
}
