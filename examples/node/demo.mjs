// The Node program of the demo: gets a token, calls the Admin API with it, gets the token 10,000
// more times and prints one line of JSON.
import { Client } from 'tokenwell';

const GETS = 10_000;
const base = process.env.MONGODB_ATLAS_BASE_URL ?? 'https://cloud.mongodb.com';

const client = Client.fromEnv();
const start = performance.now();
const authorization = await client.authorization();
const firstTokenMs = performance.now() - start;

const reply = await fetch(`${base}/api/atlas/v2/orgs`, {
  headers: { Authorization: authorization, Accept: 'application/vnd.atlas.2024-08-05+json' },
});
await reply.arrayBuffer();

const loop = performance.now();
for (let i = 0; i < GETS; i += 1) await client.authorization();
const nsPerGet = ((performance.now() - loop) * 1e6) / GETS;

console.log(
  JSON.stringify({
    language: 'Node',
    api_status: reply.status,
    gets: GETS,
    ns_per_get: Math.round(nsPerGet),
    first_token_ms: Number(firstTokenMs.toFixed(1)),
  }),
);
client.close();
process.exitCode = reply.ok ? 0 : 1;
