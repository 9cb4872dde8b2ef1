import type { Client } from '../index.js';

/**
 * Returns a function for the properties OIDC_CALLBACK and OIDC_HUMAN_CALLBACK of
 * `authMechanismProperties` of the package mongodb, 6.7 or later. A MongoClient calls it again only
 * after the server rejected the token, so a repeated call invalidates the token that it returned
 * before. Each MongoClient must have its own.
 */
export function oidcCallback(client: Client): (parameters: { timeoutContext: AbortSignal }) => Promise<{ accessToken: string; expiresInSeconds: number }>;
