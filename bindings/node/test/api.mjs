// Helpers for the tests of the integrations: requests to the emulator's API, and another server.
import { createServer } from 'node:http';
import { startEmulator, tokenwell } from './support.mjs';

export const ORGS = '/api/atlas/v2/orgs';
export const ACCEPT = { accept: 'application/vnd.atlas.2024-08-05+json' };
/** A path that replies with 401 until its faults are replaced. */
export const REJECTED = '/api/atlas/v2/rejected';

/** Starts the emulator and creates a client of it. */
export async function startApi(t, options = {}) {
  const emulator = await startEmulator(t);
  await emulator.unlimited();
  const client = new tokenwell.Client({ ...emulator.options, ...options });
  t.after(() => client.close());
  const { baseUrl, clientId, clientSecret } = emulator.options;
  return {
    emulator,
    client,
    url: (path) => `${baseUrl}${path}`,
    newClient: () => new tokenwell.Client(emulator.options),
    /** Revokes the current token without the knowledge of the client, so that the API rejects it. */
    async revokeToken() {
      const token = await client.token();
      const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
      const reply = await fetch(`${baseUrl}/api/oauth/revoke`, { method: 'POST', headers: { authorization }, body: new URLSearchParams({ token: token.value }) });
      if (!reply.ok) throw new Error(`the emulator did not revoke the token: ${reply.status}`);
    },
    /** Lets a path reply with 401 so often, and then with 200. */
    reject: (times, path = REJECTED, reply = {}) => emulator.faults([{ path, times, status: 401, body: { error: 401 }, ...reply }, { path, status: 200, body: { ok: true } }]),
    lastRequest: async (path = REJECTED) => (await fetch(`${baseUrl}/_emulator/last_request?path=${path}`)).json(),
    /** Resolves to how many requests the API and the token endpoint received, in this order. */
    async counts() {
      const { requests, token_requests, revoke_requests } = await emulator.counters();
      return [requests - token_requests - revoke_requests, token_requests];
    },
  };
}

/** Starts a server that is not the API. It records the headers that it receives. */
export async function startForeignServer(t, reply = (_request, response) => response.end('foreign')) {
  const received = [];
  const server = createServer((request, response) => {
    received.push(request.headers);
    reply(request, response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, received };
}

/** Resolves to the error of a promise that is rejected. */
export function rejection(promise) {
  return promise.then(
    (value) => {
      throw new Error(`it resolved to ${value}`);
    },
    (error) => error,
  );
}
