// Compiled, never run: the CommonJS entry point has the same types.
import tokenwell = require('tokenwell');

async function header(): Promise<string> {
  const client: tokenwell.Client = tokenwell.Client.fromEnv({ timeoutMs: 1000 });
  const error: typeof tokenwell.TokenwellError = tokenwell.TlsError;
  console.log(error);
  return client.authorization();
}

void header();
