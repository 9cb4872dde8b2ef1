// MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET say who asks. In a source tree: make library, then npm install here.
import { Client } from 'tokenwell';

const client = Client.fromEnv();
const token = await client.token();
console.log(`a token of ${token.value.length} characters, good until ${token.expiresAt.toISOString()}`);
client.close();
