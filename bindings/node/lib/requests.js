'use strict';

// What the integrations have in common: to which requests a token is added, and which of them can
// be sent again.

const { isAnyArrayBuffer } = require('node:util/types');
const { errorFor } = require('./errors.js');

/**
 * Returns the origin of the API. Only requests for it get a token.
 *
 * @throws {NotConfiguredError} The client has none, because its server was set by tokenUrl.
 */
function apiOrigin(client) {
  if (client.baseUrl !== null) return new URL(client.baseUrl).origin;
  throw errorFor({
    status: 2,
    code: 'NOT_CONFIGURED',
    message: 'the client has no base URL, so it is not known which server may receive its tokens',
    hint: 'Set baseUrl instead of tokenUrl, or set the Authorization header with client.authorization().',
  });
}

/**
 * Returns whether a Host header, which may select another site on the same server, is that of the
 * origin. Most requests have none.
 */
function isHostOf(origin, host) {
  if (host === undefined || host === null) return true;
  const { protocol } = new URL(origin);
  return URL.canParse(`${protocol}//${host}`) && new URL(`${protocol}//${host}`).origin === origin;
}

/** Returns whether a body can be sent a second time. A stream and a generator cannot. */
function isReplayable(body) {
  if (body === undefined || body === null || typeof body === 'string') return true;
  if (isAnyArrayBuffer(body) || ArrayBuffer.isView(body)) return true;
  // Not `instanceof`: libraries and vm contexts have classes of their own.
  return ['[object Blob]', '[object File]', '[object FormData]', '[object URLSearchParams]'].includes(Object.prototype.toString.call(body));
}

/**
 * Returns whether a request that was redirected may be sent again from its start. Another request
 * may have had its effect before the redirect.
 */
function isSafe(method) {
  return ['GET', 'HEAD'].includes(method.toUpperCase());
}

module.exports = { apiOrigin, isHostOf, isReplayable, isSafe };
