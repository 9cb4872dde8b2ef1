// Begins gets and ends in the given way after the given time.
import { createRequire } from 'node:module';

const { Client } = createRequire(import.meta.url)(process.env.TEST_PACKAGE);
const client = new Client(JSON.parse(process.env.TEST_OPTIONS));
const ways = {
  exit: () => process.exit(7),
  reallyExit: () => process.reallyExit(7),
  exception: () => {
    process.on('uncaughtException', () => process.exit(7));
    throw new Error('on purpose');
  },
  return: () => client.close(),
  kill: () => process.kill(process.pid, 'SIGTERM'),
};

for (let i = 0; i < 5; i += 1) client.token({ minTtlMs: i * 1000 }).catch(() => {});
setTimeout(ways[process.env.HOW], Number(process.env.DELAY_MS));
