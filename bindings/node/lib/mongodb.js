'use strict';

// tokenwell/mongodb: the OIDC callback of the MongoDB driver. The driver itself is not loaded.

/**
 * Returns a function for the properties OIDC_CALLBACK and OIDC_HUMAN_CALLBACK of
 * authMechanismProperties. A MongoClient calls it again only after the server rejected the token, so
 * a repeated call invalidates the token that it returned before. Each MongoClient must have its own.
 *
 * @param {Client} client
 */
function oidcCallback(client) {
  let returned;
  return async (parameters) => {
    const timeoutContext = parameters?.timeoutContext;
    if (timeoutContext === undefined) {
      throw new Error('tokenwell/mongodb requires version 6.7 or later of the package mongodb, which passes `timeoutContext` to the callback');
    }
    if (returned !== undefined) await client.invalidate(returned);
    const token = await client.token({ signal: timeoutContext });
    returned = token;
    // The driver rejects an object with more properties.
    return { accessToken: token.value, expiresInSeconds: Math.max(0, Math.floor((token.expiresAt - Date.now()) / 1000)) };
  };
}

module.exports = { oidcCallback };
