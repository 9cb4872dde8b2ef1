// The claims about the Node package that need much time, many threads or other versions of Node.
//
//   main.mjs [NODE...]     each NODE is a program on which workers end at random moments
//
// Prints one line for each claim, with its figures, and the closing line. SHORT=1 shortens them.
import { apiClients } from './api_clients.mjs';
import { callers } from './callers.mjs';
import { contexts } from './contexts.mjs';
import { ends } from './ends.mjs';
import { memory } from './memory.mjs';
import { hungServers } from './hung_servers.mjs';

const only = process.env.ONLY ? new RegExp(process.env.ONLY) : /./;
const short = Boolean(process.env.SHORT);
let passed = 0;
let failed = 0;

for (const claims of [callers, hungServers, memory, ends, contexts, apiClients]) {
  for (const [name, prove] of Object.entries(claims({ short, programs: process.argv.slice(2), jest: process.env.JEST, apiClient: process.env.API_CLIENT, heap: process.env.HEAP }))) {
    if (only.test(name)) await show(name, prove);
  }
}
console.log(`node: ${passed} passed, ${failed} failed, ${process.env.SKIPPED || 0} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

async function show(name, prove) {
  const cleanups = [];
  try {
    const figures = await prove({ after: (cleanup) => cleanups.push(cleanup) });
    passed += 1;
    console.log(`ok ${name}: ${figures}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack}`);
  }
  for (const cleanup of cleanups.reverse()) await cleanup();
}
