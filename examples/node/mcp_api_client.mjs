// Lists organizations with the API client of mongodb-mcp-server
// (`npm install @mongodb-js/mcp-atlas-api-client`). Reads MONGODB_ATLAS_CLIENT_ID and
// MONGODB_ATLAS_CLIENT_SECRET.
import { ApiClient } from '@mongodb-js/mcp-atlas-api-client';
import { Client } from 'tokenwell';
import { apiClientAuth } from 'tokenwell/mongodb-mcp-server';

const client = Client.fromEnv();
const { authProvider, httpClient } = apiClientAuth(client);
const logger = console;
const api = new ApiClient({ options: { baseUrl: client.baseUrl, userAgent: 'example', httpClient }, logger, authProvider });
const { results } = await api.listOrgs();
for (const { id, name } of results) console.log(id, name);
await api.close();
client.close();
