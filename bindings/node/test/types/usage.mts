// Compiled, never run: valid calls, and calls that the types reject.
import { ApiError, ApiResponse, Client, LibraryError, RateLimitedError, Secret, ServiceAccounts, Token, TokenwellError, libraryVersion } from 'tokenwell';
import type { AccessListEntry, CallOptions, CreatedAccount, NewServiceAccount, ServiceAccount } from 'tokenwell';

const client: Client = new Client({
  clientId: 'mdb_sa_id_0123456789abcdef01234567',
  clientSecret: new Uint8Array(50),
  timeoutMs: 5000,
  authMethod: 'client_secret_basic',
  cache: false,
  profile: process.env.A_PROFILE,
  settings: { a_setting_of_a_later_library: 'on' },
});
const fromEnvironment: Client = Client.fromEnv();

const token: Token = await client.token({ minTtlMs: 60_000, deadlineMs: 500n, forceRefresh: true, signal: AbortSignal.timeout(50) });
const same: Token = await client.token({ minTtlMs: undefined, deadlineMs: undefined, forceRefresh: undefined, signal: undefined });
await client.revoke({ deadlineMs: undefined, signal: null });
const value: string = token.value;
const expiresAt: Date = token.expiresAt;
const scope: string | null = token.scope;
const header: string = await client.authorization();
const peek: string | undefined = client.authorizationIfFresh();
await client.invalidate(token);
await client.invalidate(value);
await client.revoke({ deadlineMs: 1000 });
const response: ApiResponse = await client.request('POST', '/api/atlas/v2/orgs', {
  version: '2025-03-12',
  query: { itemsPerPage: 5, tag: ['a', 'b'] },
  body: { name: 'a' },
  maxBody: 1000,
  deadlineMs: 500n,
  signal: AbortSignal.timeout(50),
});
await client.request('GET', '/api/atlas/v2/orgs', { query: [['a', 'b']] });
const retryAfter: string | undefined = response.headers['retry-after'];
const parts: [number, boolean, Uint8Array, string] = [response.status, response.ok, response.body, response.text()];
const mints: number = client.stats().mints + client.generation - token.generation;
const baseUrl: string | null = client.baseUrl;
const source: string | undefined = client.sources['client_secret'];
const accounts = new ServiceAccounts(client, { organization: '0123456789abcdef01234567' });
const attributes: NewServiceAccount = { name: 'deploy', description: 'Deploys', roles: ['ORG_MEMBER'] as const, secretExpiresAfterHours: 8 };
const limits: CallOptions = { deadlineMs: 500n, signal: AbortSignal.timeout(50) };
const created: CreatedAccount = await accounts.create(attributes, limits);
const secret: Secret = created.secret;
const secretValue: string = secret.value;
for await (const account of accounts.list()) {
  const read: ServiceAccount = account;
  const last: string | undefined = read.secrets[0]?.lastUsedAt;
  const later: unknown = read['aFieldOfALaterVersion'];
  console.log(read.clientId, read.roles.length, last, later);
}
await accounts.update(created.account.clientId, { roles: ['ORG_OWNER'], name: undefined });
const added: AccessListEntry[] = await accounts.addAccess(created.account.clientId, ['192.0.2.1']);
await accounts.delete(created.account.clientId).catch((error: unknown) => {
  if (error instanceof ApiError) console.log(error.status, error.errorCode, error.retryAfterMs, error.parameters.length);
});
console.log(secretValue, added);
client.advanceClock(1000);
client.close();

try {
  using scoped = Client.fromEnv({ baseUrl: 'https://cloud.mongodbgov.com' });
  await scoped.token();
} catch (error) {
  if (error instanceof RateLimitedError) {
    const wait: number | null = error.retryAfterMs;
    const status: number = error.status;
    console.log(wait, error.httpStatus, error.hint, status);
  } else if (error instanceof TokenwellError) {
    const code: string = error.code;
    const oauthCode: string | null = error.oauthCode;
    const age: number = error.isRemembered ? error.ageMs : error.attempts;
    console.log(code, oauthCode, age);
  } else if (error instanceof LibraryError) {
    console.log(error.places.map((each) => each.found));
  }
}

// @ts-expect-error: a duration is a number
client.token({ minTtlMs: '60s' });
// @ts-expect-error: no such option
client.token({ timeoutMs: 1 });
// @ts-expect-error: no such authentication method
new Client({ authMethod: 'digest' });
// @ts-expect-error: a setting is not a list
new Client({ scope: ['a', 'b'] });
// @ts-expect-error: a misspelled name, which an index signature would accept
new Client({ clientID: 'mdb_sa_id_0123456789abcdef01234567' });
// @ts-expect-error: cache is a boolean
new Client({ cache: 'off' });
// @ts-expect-error: not a method of the API
client.request('get', '/');
// @ts-expect-error: no such option
client.request('GET', '/', { timeout: 1 });
// @ts-expect-error: a response cannot be changed
response.headers['a'] = 'b';
// @ts-expect-error: only a client creates tokens
new Token('value');
// @ts-expect-error: a token cannot be changed
token.value = 'another';
// @ts-expect-error: the sources cannot be changed
client.sources['client_id'] = 'another';
// @ts-expect-error: the result may be undefined
const sure: string = client.authorizationIfFresh();

console.log(retryAfter, parts, same, fromEnvironment, expiresAt, scope, header, peek, mints, sure, baseUrl, source, libraryVersion());
// @ts-expect-error: exactly one level
new ServiceAccounts(client, { organization: 'a', project: 'b' });
// @ts-expect-error: all attributes are required
accounts.create({ name: 'deploy' });
// @ts-expect-error: roles are a list
accounts.invite('mdb_sa_id_0123456789abcdef01234567', 'GROUP_OWNER');
// @ts-expect-error: an account cannot be changed
created.account.name = 'another';
