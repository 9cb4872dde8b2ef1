// Exits in the first moment in which it has a token.
import { createRequire } from 'node:module';

const { Client } = createRequire(import.meta.url)(process.env.TEST_PACKAGE);
await Client.fromEnv().token();
process.exit(0);
