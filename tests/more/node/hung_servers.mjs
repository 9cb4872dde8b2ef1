// A server that does not answer holds up nothing else.
import assert from 'node:assert/strict';
import { startEmulator } from '../../../bindings/node/test/support.mjs';
import { start } from './programs.mjs';

export const hungServers = () => ({
  async r12_files_are_read_as_fast_while_workers_wait(t) {
    const emulator = await startEmulator(t);
    await emulator.slow(60_000);

    const program = start('hung_server_program.mjs', { options: emulator.options });
    const told = JSON.parse(await program.line());
    const exiting = performance.now();
    program.say('exit');
    await program.result;
    const exitMs = Math.round(performance.now() - exiting);

    assert.ok(told.waitingMs <= told.idleMs * 2, `${told.waitingMs} ms instead of ${told.idleMs} ms`);
    // The server takes 60 s.
    assert.ok(exitMs < 10_000, `process.exit() took ${exitMs} ms`);
    return `100 reads take ${told.waitingMs} ms with 2 workers that wait for 3 tokens each, ${told.idleMs} ms without; process.exit() takes ${exitMs} ms`;
  },
});
