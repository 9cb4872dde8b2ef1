// What remains in memory after the workers and clients that had it.
import assert from 'node:assert/strict';
import { startEmulator } from '../../../bindings/node/test/support.mjs';
import { start } from './programs.mjs';

const MASK = 0x5a;

export const memory = () => ({
  r13_ended_workers_leave_no_secret: (t) => secretsAfter(t, 'workers'),
  r13_terminated_workers_leave_no_secret: (t) => secretsAfter(t, 'terminated'),
  r13_closed_clients_leave_no_secret: (t) => secretsAfter(t, 'closed'),
  r13_collected_clients_leave_no_secret: (t) => secretsAfter(t, 'collected'),

  async a_secret_that_is_kept_is_found(t) {
    const { during, after } = await search(t, 'kept');

    assert.ok(after > 0, 'the search found no copy of a client that is not closed');
    return `${after} of ${during} copies of the clients that were kept`;
  },
});

async function secretsAfter(t, how) {
  const { clients, during, after } = await search(t, how);

  assert.ok(during > 0, 'the search found no copy while the clients existed');
  assert.equal(after, 0);
  return `${after} copies after the end of ${clients} clients, ${during} before`;
}

async function search(t, how) {
  const emulator = await startEmulator(t);
  await emulator.unlimited();
  const { clientSecret, ...options } = emulator.options;
  const program = start('secrets_program.mjs', { options, flags: ['--expose-gc'], env: { HOW: how } });
  // The program must not keep a copy of its own.
  program.say(Buffer.from(clientSecret).map((byte) => byte ^ MASK).toString('hex'));
  return program.result;
}
