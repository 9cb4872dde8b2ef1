import type { Client } from '../index.js';

/** The AuthProvider of mongodb-mcp-server 3. */
export interface AuthProvider {
  /** Resolves to true if there is a valid token. */
  validate(): Promise<boolean>;
  getAuthHeaders(): Promise<Record<string, string>>;
  /** Does nothing: other processes use the same token. `client.revoke()` revokes it. */
  revoke(): Promise<void>;
}

/** The HttpClient of mongodb-mcp-server 3. */
export interface HttpClient {
  fetch: typeof globalThis.fetch;
  Request: typeof globalThis.Request;
}

/**
 * Returns an AuthProvider and an HttpClient for an ApiClient of mongodb-mcp-server. The HttpClient
 * replaces a token that the API rejects, which an AuthProvider alone cannot do: it does not see the
 * reply.
 */
export function apiClientAuth(client: Client): { authProvider: AuthProvider; httpClient: HttpClient };
