'use strict';

// client.fetch: the global fetch with a token, for the API of the client only.

const { apiOrigin, isHostOf, isReplayable, isSafe } = require('./requests.js');

/**
 * Sends a request with the global fetch, and with the Authorization header if it is for the API and
 * has none. If the server replies with 401, the token is invalidated, and the request is sent once
 * more with another token if its body can be sent again.
 */
async function fetchWithToken(client, input, init) {
  const origin = apiOrigin(client);
  if (typeof globalThis.fetch !== 'function') throw new TypeError('client.fetch requires a global fetch, and this environment has none');
  const request = requestOf(input, init, origin);
  if (!request.needsToken) return globalThis.fetch(request.target, request.init);

  const token = await tokenFor(client, request);
  const response = await request.send(token);
  if (response.status !== 401 || !isReplyOf(origin, response)) return response;

  const another = await tokenAfter(client, token, request, response);
  if (another === undefined) return response;
  // Frees the connection. The request does not depend on it.
  response.body?.cancel().catch(() => {});
  return request.send(another);
}

function requestOf(input, init, origin) {
  const isRequest = input instanceof globalThis.Request;
  let target = isRequest ? input : new URL(String(input), origin);
  let source = isRequest ? input : undefined;
  if (init !== undefined && init !== null && !isPlain(init)) {
    // For example a Request: its properties are inherited, so a copy of it would not have them.
    target = source = new globalThis.Request(target, init);
    init = undefined;
  }

  const headers = new globalThis.Headers(init?.headers ?? source?.headers);
  const body = init?.body ?? source?.body;
  return {
    target,
    init,
    needsToken: new URL(source?.url ?? target).origin === origin && !headers.has('authorization') && isHostOf(origin, headers.get('host')),
    method: init?.method ?? source?.method ?? 'GET',
    body,
    signal: init?.signal === undefined ? source?.signal : init.signal,
    send(token) {
      headers.set('authorization', token.authorization);
      return globalThis.fetch(target, { ...init, headers });
    },
  };
}

function isPlain(object) {
  const prototype = Object.getPrototypeOf(object);
  // Each vm context has its own Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

async function tokenFor(client, { signal, body }) {
  try {
    return await client.token({ signal });
  } catch (error) {
    discard(body, error);
    throw error;
  }
}

/** Ends a stream that is not going to be read, as fetch does if a request fails. */
function discard(body, error) {
  if (typeof body?.cancel === 'function') body.cancel(error).catch(() => {});
  if (typeof body?.destroy === 'function') body.on('error', () => {}).destroy(error);
}

/**
 * Returns whether the reply comes from the API. fetch removes the Authorization header from a
 * request that it redirects to another origin.
 */
function isReplyOf(origin, response) {
  return !response.redirected || new URL(response.url).origin === origin;
}

/**
 * Invalidates the token. Returns another one, or undefined if the caller gets the reply that was
 * received: if there is no other token, the next request reports why.
 */
async function tokenAfter(client, token, { method, body, signal }, response) {
  try {
    await client.invalidate(token);
    if (!isReplayable(body) || (response.redirected && !isSafe(method))) return undefined;
    return await client.token({ signal });
  } catch (error) {
    if (!signal?.aborted) return undefined;
    response.body?.cancel().catch(() => {});
    throw error;
  }
}

module.exports = { fetchWithToken };
