// Lists organizations with undici (`npm install undici`). Reads MONGODB_ATLAS_CLIENT_ID and
// MONGODB_ATLAS_CLIENT_SECRET.
import { Client } from 'tokenwell';
import { interceptor } from 'tokenwell/undici';
import { Agent, request } from 'undici';

const client = Client.fromEnv();
const dispatcher = new Agent().compose(interceptor(client));
const { body } = await request(`${client.baseUrl}/api/atlas/v2/orgs`, { dispatcher, headers: { Accept: 'application/vnd.atlas.2024-08-05+json' } });
const { results } = await body.json();
for (const { id, name } of results) console.log(id, name);
await dispatcher.close();
client.close();
