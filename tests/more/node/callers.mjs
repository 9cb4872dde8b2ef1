// Ten thousand callers of a cold client behind a slow server.
import assert from 'node:assert/strict';
import { startEmulator } from '../../../bindings/node/test/support.mjs';
import { sampleThreads, start, threadsOf } from './programs.mjs';

const CALLERS = 10_000;
const DEADLINES = 1000;

export const callers = () => ({
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

  async canceled_callers_leave_no_memory(t) {
    const { told, requests } = await run(t, 'rounds', 60_000);

    // 45 bytes for each: the library needs about 200 while an operation is pending, and the addon 100.
    assert.ok(told.grown < 10e6, `${told.grown} bytes more`);
    assert.equal(requests, 1);
    return `${told.canceled} canceled while the server hung, ${told.grown} bytes more than after the first third`;
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

async function run(t, how, delayMs) {
  const emulator = await startEmulator(t);
  await emulator.slow(delayMs);
  const program = start('callers_program.mjs', { options: emulator.options, flags: ['--expose-gc'], env: { HOW: how, CALLERS, DEADLINES } });
  assert.equal(await program.line(), 'idle');
  const idle = threadsOf(program.child.pid);
  const sampled = sampleThreads(program.child.pid);
  program.say('go');
  const told = await program.result;
  const threads = sampled.stop() - idle;
  return { emulator, told, threads, requests: (await emulator.counters()).token_requests };
}
