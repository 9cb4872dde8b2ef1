// Compiled, never run: the integrations fit the types of the libraries that they are for.
import { MongoClient } from 'mongodb';
import { Client } from 'tokenwell';
import { type Emulator, startEmulator } from 'tokenwell/emulator';
import { oidcCallback } from 'tokenwell/mongodb';
import { type AuthProvider, apiClientAuth } from 'tokenwell/mongodb-mcp-server';
import { interceptor } from 'tokenwell/undici';
import { Agent, interceptors, setGlobalDispatcher } from 'undici';
import * as undici7 from 'undici-7';

const client: Client = Client.fromEnv();

const { fetch } = client;
const reply: Response = await fetch('/api/atlas/v2/orgs', { method: 'POST', body: '{}', signal: AbortSignal.timeout(1000) });
await client.fetch(new Request('https://cloud.mongodb.com/api/atlas/v2/orgs'));
const global: typeof globalThis.fetch = client.fetch;

setGlobalDispatcher(new Agent().compose(interceptor(client), interceptors.redirect({ maxRedirections: 3 })));
undici7.setGlobalDispatcher(new undici7.Agent().compose(interceptor(client), undici7.interceptors.retry()));

new MongoClient('mongodb+srv://cluster.example/', { authMechanism: 'MONGODB-OIDC', authMechanismProperties: { OIDC_CALLBACK: oidcCallback(client) } });
new MongoClient('mongodb+srv://cluster.example/', { authMechanism: 'MONGODB-OIDC', authMechanismProperties: { OIDC_HUMAN_CALLBACK: oidcCallback(client) } });

const { authProvider, httpClient } = apiClientAuth(client);
const provider: AuthProvider = authProvider;
const valid: boolean = await provider.validate();
const headers: Record<string, string> | undefined = await provider.getAuthHeaders();
const viaHttpClient: typeof globalThis.fetch = httpClient.fetch;

// @ts-expect-error: fetch cannot be replaced
client.fetch = globalThis.fetch;
// @ts-expect-error: an interceptor needs a client
interceptor('https://cloud.mongodb.com');
// @ts-expect-error: the driver passes an object with a signal
oidcCallback(client)({ timeoutContext: 1000 });
// @ts-expect-error: not a part of the package
await import('tokenwell/lib/client.js');

const emulator: Emulator = await startEmulator({ flags: ['--no-rate-limit'] });
const ofTheEmulator: Client = new Client(emulator.options);
const requests: number = (await emulator.counters()).token_requests;
await emulator.faults({ path: '/api/oauth/token', times: 1, status: 503 });

console.log(reply, global, valid, headers, viaHttpClient, ofTheEmulator, requests);
