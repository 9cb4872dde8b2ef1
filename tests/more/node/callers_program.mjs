// Many concurrent gets of one cold client. Prints "idle", waits for a line, and prints what became of
// them.
import { once } from 'node:events';
import { createRequire } from 'node:module';

const { Client, DeadlineError } = createRequire(import.meta.url)(process.env.TEST_PACKAGE);
const { HOW: how } = process.env;
const [callers, deadlines] = [Number(process.env.CALLERS), Number(process.env.DEADLINES)];
const client = new Client(JSON.parse(process.env.TEST_OPTIONS));

console.log('idle');
await once(process.stdin, 'data');
process.stdin.unref();

if (how === 'rounds') await rounds();
const controllers = how === 'abort' ? Array.from({ length: callers }, () => new AbortController()) : [];
gc();
const before = process.memoryUsage();
const outcomes = Promise.all(Array.from({ length: callers }, (_, i) => get(i)));
gc();
const during = process.memoryUsage();
if (how === 'abort') {
  for (const controller of controllers.slice(0, -1)) controller.abort();
}
const each = await outcomes;

const served = each.filter(({ token }) => token);
const exceeded = each.filter(({ error }) => error instanceof DeadlineError);
const lateness = exceeded.map(({ tookMs, deadlineMs }) => tookMs - deadlineMs);
console.log(
  JSON.stringify({
    served: served.length,
    tokens: new Set(served.map(({ token }) => token)).size,
    aborted: each.filter(({ error }) => error?.name === 'AbortError').length,
    exceeded: exceeded.length,
    early: Math.ceil(-Math.min(...lateness, Infinity)),
    late: Math.ceil(Math.max(...lateness, 0)),
    heap: Math.round((during.heapUsed + during.external - before.heapUsed - before.external) / callers),
    all: Math.round((during.rss - before.rss) / callers),
  }),
);
process.exit(0);

/**
 * Begins and cancels gets in many rounds, and exits. Each round says how many bytes of the heaps of C and of V8 are in
 * use; the least of several counts, because either may be at work on something else at the moment.
 */
async function rounds() {
  const heap = createRequire(import.meta.url)(process.env.HEAP);
  const [count, lost] = [Number(process.env.ROUNDS), Number(process.env.LOST_BYTES)];
  const used = [];
  for (let round = 0; round < count; round += 1) {
    const controller = new AbortController();
    const gets = Array.from({ length: callers }, () => client.token({ signal: controller.signal }).catch(() => lost && heap.lose(lost)));
    controller.abort();
    await Promise.all(gets);
    gc();
    used.push({ c: heap.bytesInUse(), v8: process.memoryUsage().heapUsed });
  }
  const least = (which, from, to) => Math.min(...used.slice(from, to).map((bytes) => bytes[which]));
  const grown = (which) => least(which, -4) - least(which, 2, 6);
  // The middle of the first four of these is as far from that of the last four.
  const measured = (count - 6) * callers;
  console.log(JSON.stringify({ canceled: count * callers, measured, c: grown('c') / measured, v8: grown('v8') / measured }));
  process.exit(0);
}

/** One get, with one of many deadlines. */
async function get(i) {
  const deadlineMs = (how === 'deadlines' ? 1000 : 30_000) + (i % deadlines);
  const started = performance.now();
  try {
    return { token: await client.token({ deadlineMs, ...(how === 'abort' ? { signal: controllers[i].signal } : {}) }) };
  } catch (error) {
    return { error, deadlineMs, tookMs: performance.now() - started };
  }
}
