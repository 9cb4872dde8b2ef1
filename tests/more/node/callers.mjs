// Ten thousand callers of a cold client behind a slow server.
import assert from 'node:assert/strict';
import { startEmulator } from '../../../bindings/node/test/support.mjs';
import { sampleThreads, start, threadsOf } from './programs.mjs';

const CALLERS = 10_000;
const DEADLINES = 1000;
// The smallest block of malloc is 32 bytes: less than this is left if fewer than one caller in four loses one.
const LEAST_LEAK = 8;

export const callers = ({ short, heap }) => ({
  async callers_with_many_deadlines_share_one_request(t) {
    const { emulator, requests, threads, told } = await run(t, 'serve', 3000);

    assert.equal(told.served, CALLERS);
    assert.equal(told.tokens, 1);
    assert.equal(requests, 1);
    assert.ok(threads <= 4, `${threads} threads above idle`);
    await emulator.faults([]);
    return `${told.served} of ${CALLERS} served, ${DEADLINES} deadlines, ${requests} request, ${threads} threads above idle, ${told.heap} bytes of heap and ${told.all} of all memory for each`;
  },

  async canceling_all_callers_but_one_serves_that_one(t) {
    const { requests, threads, told } = await run(t, 'abort', 3000);

    assert.equal(told.aborted, CALLERS - 1);
    assert.equal(told.served, 1);
    assert.equal(requests, 1);
    assert.ok(threads <= 4, `${threads} threads above idle`);
    return `${told.aborted} canceled, ${told.served} served, ${requests} request, ${threads} threads above idle, ${told.heap} bytes of heap for each`;
  },

  // Not the size of the process: it keeps memory that was freed, sometimes 10 MB of it, however many rounds there are.
  async canceled_callers_leave_no_memory(t) {
    const { told, requests } = await leftOver(t, heap, { ROUNDS: short ? 16 : 160 });

    assert.ok(told.c < LEAST_LEAK && told.v8 < LEAST_LEAK, `${told.c} bytes of C's heap and ${told.v8} of V8's are left for each`);
    assert.equal(requests, 1);
    return `${told.canceled} canceled while the server hung, ${told.c.toFixed(2)} bytes of C's heap and ${told.v8.toFixed(2)} of V8's are left for each`;
  },

  async a_planted_leak_of_one_byte_for_each_canceled_caller_is_found(t) {
    const { told } = await leftOver(t, heap, { ROUNDS: 10, LOST_BYTES: 1 });

    assert.ok(told.c > LEAST_LEAK, `${told.c} bytes of C's heap are left for each`);
    return `${told.c.toFixed(2)} bytes of C's heap are left for each`;
  },

  async each_caller_has_its_own_deadline(t) {
    const { requests, threads, told } = await run(t, 'deadlines', 60_000);

    assert.equal(told.exceeded, CALLERS);
    // The clock of the library is up to one tick of the kernel behind.
    assert.ok(told.early <= 5, `${told.early} ms early`);
    assert.ok(told.late <= 1000, `${told.late} ms late`);
    assert.equal(requests, 1);
    assert.ok(threads <= 4, `${threads} threads above idle`);
    return `${told.exceeded} deadlines exceeded, at most ${Math.max(told.early, 0)} ms early and ${told.late} ms late, ${requests} request, ${threads} threads above idle`;
  },
});

function leftOver(t, heap, env) {
  return run(t, 'rounds', 60_000, { HEAP: heap, LOST_BYTES: 0, ...env });
}

async function run(t, how, delayMs, env = {}) {
  const emulator = await startEmulator(t);
  await emulator.slow(delayMs);
  const program = start('callers_program.mjs', { options: emulator.options, flags: ['--expose-gc'], env: { HOW: how, CALLERS, DEADLINES, ...env } });
  assert.equal(await program.line(), 'idle');
  const idle = threadsOf(program.child.pid);
  const sampled = sampleThreads(program.child.pid);
  program.say('go');
  const told = await program.result;
  const threads = sampled.stop() - idle;
  return { emulator, told, threads, requests: (await emulator.counters()).token_requests };
}
