'use strict';

// tokenwell/mongodb-mcp-server: the parts of an ApiClient of mongodb-mcp-server that authenticate.
// That package itself is not loaded.

/**
 * Returns an AuthProvider and an HttpClient for an ApiClient. The HttpClient replaces a token that
 * the API rejects, which an AuthProvider alone cannot do: it does not see the reply.
 *
 * @param {Client} client
 */
function apiClientAuth(client) {
  let issued;
  const authProvider = {
    async validate() {
      await client.token();
      return true;
    },
    async getAuthHeaders() {
      issued = await client.authorization();
      return { Authorization: issued };
    },
    // An ApiClient calls this when it is closed, but other processes use the same token.
    async revoke() {},
  };

  const httpClient = {
    fetch(input, init) {
      const { Request } = globalThis;
      // client.fetch does not replace an Authorization header that the program has set.
      if (init === undefined && input instanceof Request && input.headers.get('authorization') === issued) input.headers.delete('authorization');
      return client.fetch(input, init);
    },
    Request: globalThis.Request,
  };
  return { authProvider, httpClient };
}

module.exports = { apiClientAuth };
