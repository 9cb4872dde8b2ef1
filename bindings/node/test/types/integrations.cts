// Compiled, never run: CommonJS has the same types.
import tokenwell = require('tokenwell');
import mongodb = require('tokenwell/mongodb');
import mcp = require('tokenwell/mongodb-mcp-server');
import undici = require('tokenwell/undici');

const client: tokenwell.Client = tokenwell.Client.fromEnv();
console.log(undici.interceptor(client), mongodb.oidcCallback(client), mcp.apiClientAuth(client), client.fetch);
