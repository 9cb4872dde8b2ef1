// Sends a command to a cluster with the MongoDB driver (`npm install mongodb`). Reads the address of
// the cluster from MONGODB_URI. The token is that of the cluster's own identity provider: reads
// TOKENWELL_TOKEN_URL, TOKENWELL_CLIENT_ID and TOKENWELL_CLIENT_SECRET.
import { MongoClient } from 'mongodb';
import { Client } from 'tokenwell';
import { oidcCallback } from 'tokenwell/mongodb';

const client = Client.fromEnv();
const driver = new MongoClient(process.env.MONGODB_URI, {
  authMechanism: 'MONGODB-OIDC',
  authMechanismProperties: { OIDC_CALLBACK: oidcCallback(client) },
});
console.log(await driver.db('admin').command({ ping: 1 }));
await driver.close();
client.close();
