// Workers that end at random moments: terminated, by process.exit() or by themselves, while their gets
// are pending, ending and canceled. Prints how many ended and what became of their gets.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker, isMainThread, workerData } from 'node:worker_threads';

const AT_A_TIME = 8;
const { Client } = createRequire(import.meta.url)(process.env.TEST_PACKAGE);
const options = JSON.parse(process.env.TEST_OPTIONS);
const counts = isMainThread ? new Int32Array(new SharedArrayBuffer(8)) : workerData;

if (isMainThread) await main();
else work();

async function main() {
  const total = Number(process.env.COUNT);
  let begun = 0;
  let ended = 0;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (begun < total) {
        begun += 1;
        await oneWorker(begun);
        ended += 1;
      }
    }),
  );
  const client = new Client(options);
  const served = (await client.token()).value.length > 0;
  console.log(JSON.stringify({ ended, served, begun: counts[0], settled: counts[1] }));
}

async function oneWorker(number) {
  const worker = new Worker(new URL(import.meta.url), { workerData: counts, env: process.env });
  const exited = once(worker, 'exit');
  // Some are terminated while they start.
  if (number % 10 !== 0) await Promise.race([once(worker, 'online'), exited]);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
  if (number % 3 !== 0) await worker.terminate();
  await exited;
}

function work() {
  const client = new Client(options);
  const begin = () => {
    const controller = new AbortController();
    for (let i = 0; i < 20; i += 1) {
      Atomics.add(counts, 0, 1);
      const settled = () => Atomics.add(counts, 1, 1);
      client.token({ forceRefresh: i === 0, minTtlMs: i, deadlineMs: 5 + i * 5, signal: i % 4 === 0 ? controller.signal : undefined }).then(settled, settled);
    }
    setTimeout(() => controller.abort(), Math.random() * 20);
  };
  begin();
  const again = setInterval(begin, 3);
  setTimeout(() => {
    if (Math.random() < 0.5) process.exit(0);
    clearInterval(again);
    if (Math.random() < 0.5) client.close();
  }, Math.random() * 80);
}
