// Lists organizations with client.fetch. Reads MONGODB_ATLAS_CLIENT_ID and
// MONGODB_ATLAS_CLIENT_SECRET.
import { Client } from 'tokenwell';

const client = Client.fromEnv();
const reply = await client.fetch('/api/atlas/v2/orgs', { headers: { Accept: 'application/vnd.atlas.2024-08-05+json' } });
const { results } = await reply.json();
for (const { id, name } of results) console.log(id, name);
client.close();
