// The main thread sets ever new variables, while it and several workers create clients from the
// environment.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { SHARE_ENV, Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const { Client } = createRequire(import.meta.url)(process.env.TEST_PACKAGE);
const NAMES = 3000;

if (isMainThread) await main(Number(process.env.SECONDS) * 1000);
else work(workerData);

async function main(ms) {
  const until = Date.now() + ms;
  const workers = [SHARE_ENV, SHARE_ENV, process.env].map((env) => new Worker(new URL(import.meta.url), { workerData: until, env }));
  const created = workers.map((worker) => once(worker, 'message'));
  let set = 0;
  let own = 0;
  while (Date.now() < until) {
    for (let i = 0; i < 2000; i += 1) {
      set += 1;
      process.env[`VARIABLE_${set}`] = 'x'.repeat(set % 200);
      if (set > NAMES) delete process.env[`VARIABLE_${set - NAMES}`];
    }
    own += createOne();
    await new Promise(setImmediate);
  }
  const [...theirs] = await Promise.all(created);
  console.log(JSON.stringify({ set, created: theirs.reduce((sum, [count]) => sum + count, own) }));
}

function work(until) {
  let created = 0;
  while (Date.now() < until) created += createOne();
  parentPort.postMessage(created);
}

function createOne() {
  const client = Client.fromEnv();
  client.close();
  return 1;
}
