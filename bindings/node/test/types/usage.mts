// Compiled, never run: what a caller may write, and what the types refuse.
import { Client, LoadError, RateLimitedError, Token, TokenwellError, version } from 'tokenwell';

const client: Client = new Client({
  clientId: 'mdb_sa_id_0123456789abcdef01234567',
  clientSecret: new Uint8Array(50),
  timeoutMs: 5000,
  authMethod: 'client_secret_basic',
  aSettingOfALaterLibrary: true,
});
const fromEnvironment: Client = Client.fromEnv();

const token: Token = await client.token({ minTtlMs: 60_000, deadlineMs: 500n, forceRefresh: true, signal: AbortSignal.timeout(50) });
const value: string = token.value;
const expiresAt: Date = token.expiresAt;
const scope: string | null = token.scope;
const header: string = await client.authorization();
const peek: string | undefined = client.authorizationIfFresh();
client.invalidate(token);
client.invalidate(value);
await client.revoke({ deadlineMs: 1000 });
const mints: number = client.stats().mints + client.generation;
client.advanceClock(1000);
client.close();

try {
  using scoped = Client.fromEnv({ baseUrl: 'https://cloud.mongodbgov.com' });
  await scoped.token();
} catch (error) {
  if (error instanceof RateLimitedError) {
    const wait: number | null = error.retryAfterMs;
    console.log(wait, error.httpStatus, error.hint, error.code);
  } else if (error instanceof TokenwellError) {
    const name: string = error.statusName;
    console.log(name);
  } else if (error instanceof LoadError) {
    console.log(error.places.map((each) => each.found));
  }
}

// @ts-expect-error: a duration is a number
client.token({ minTtlMs: '60s' });
// @ts-expect-error: no such option
client.token({ timeoutMs: 1 });
// @ts-expect-error: no such method of authentication
new Client({ authMethod: 'digest' });
// @ts-expect-error: a setting is not a list
new Client({ scope: ['a', 'b'] });
// @ts-expect-error: tokens come from a client
new Token('text');
// @ts-expect-error: a token cannot be changed
token.value = 'another';
// @ts-expect-error: a peek may find nothing
const sure: string = client.authorizationIfFresh();

console.log(fromEnvironment, expiresAt, scope, header, peek, mints, sure, version());
