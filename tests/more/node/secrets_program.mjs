// Creates many clients, ends them, and counts the copies of their secret in the memory of this
// process. The secret comes masked from standard input, and is passed on masked.
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const MASK = 0x5a;
const CLIENTS = 60;
// The end of the secret: free() overwrites the beginning of a block.
const TAIL = 24;
const options = JSON.parse(process.env.TEST_OPTIONS);
const { Client } = createRequire(import.meta.url)(process.env.TEST_PACKAGE);

if (isMainThread) await main(process.env.HOW);
else await worker(workerData);

async function main(how) {
  const [line] = await once(process.stdin, 'data');
  process.stdin.destroy();
  const masked = Buffer.from(String(line).trim(), 'hex');
  const searched = masked.subarray(-TAIL);

  const inWorkers = how === 'workers' || how === 'terminated';
  const things = [];
  for (let i = 0; i < CLIENTS; i += 1) things.push(inWorkers ? await startWorker(masked) : await clientWithToken(masked));
  const during = copies(searched);
  if (how === 'workers') {
    await Promise.all(things.map((each) => (each.postMessage('end'), once(each, 'exit'))));
  } else if (how === 'terminated') {
    await Promise.all(things.map((each) => each.terminate()));
  } else if (how === 'closed') {
    things.forEach((client) => client.close());
  } else if (how === 'collected') {
    things.length = 0;
  }
  // A refresh that has ended may be wiping its memory. Clients are collected in several steps.
  let after = copies(searched);
  for (let i = 0; i < 100 && after > 0 && how !== 'kept'; i += 1) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
    after = copies(searched);
  }
  console.log(JSON.stringify({ clients: CLIENTS, during, after }));
  if (how === 'kept') things.forEach((client) => client.close());
}

async function worker(masked) {
  const client = await clientWithToken(masked);
  parentPort.postMessage('ready');
  await once(parentPort, 'message');
  // The client is neither closed nor collected.
  globalThis.kept = client;
  parentPort.close();
}

async function startWorker(masked) {
  const started = new Worker(new URL(import.meta.url), { workerData: Buffer.from(masked) });
  await once(started, 'message');
  return started;
}

async function clientWithToken(masked) {
  // Not in the heap of V8, which would leave copies when it moves the array.
  const clientSecret = new Uint8Array(new ArrayBuffer(masked.length));
  masked.forEach((byte, i) => (clientSecret[i] = byte ^ MASK));
  const client = new Client({ ...options, clientSecret });
  clientSecret.fill(0);
  await client.token();
  return client;
}

/** Counts the places in writable memory that contain the searched bytes, which are masked. */
function copies(searched) {
  const window = Buffer.alloc(1 << 22);
  const words = new Uint32Array(window.buffer, window.byteOffset, window.length / 4);
  const mask = 0x01010101 * MASK;
  const memory = openSync('/proc/self/mem', 'r');
  let found = 0;
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, begin, end] = /^([0-9a-f]+)-([0-9a-f]+) .w/.exec(line) ?? [];
    if (begin === undefined || line.includes('[v')) continue;
    for (let at = BigInt(`0x${begin}`); at + BigInt(TAIL) <= BigInt(`0x${end}`); at += BigInt(window.length - TAIL + 1)) {
      const left = Number(BigInt(`0x${end}`) - at);
      let got;
      try {
        got = readSync(memory, window, 0, Math.min(window.length, left), at);
      } catch {
        // A thread has unmapped it meanwhile.
        break;
      }
      // Masked in place, so that this window is never found as a copy.
      for (let i = 0; i < words.length; i += 1) words[i] ^= mask;
      for (let place = window.indexOf(searched); place >= 0 && place < got; place = window.indexOf(searched, place + 1)) found += 1;
      window.fill(0);
    }
  }
  closeSync(memory);
  return found;
}
