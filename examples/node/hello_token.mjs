// Reads MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET. In a source tree, run
// `make library` and then `npm install` in this directory.
import { Client } from 'tokenwell';

const client = Client.fromEnv();
const token = await client.token();
console.log(`a token of ${token.value.length} characters, valid until ${token.expiresAt.toISOString()}`);
client.close();
