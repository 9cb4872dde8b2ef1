// Workers and processes that end at random moments of a get, and processes that exit as soon as they
// have a token.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { COMMAND, startEmulator } from '../../../bindings/node/test/support.mjs';
import { start } from './programs.mjs';

export const ends = ({ short, programs }) => ({
  ...Object.fromEntries(
    programs.map((node) => {
      const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
      return [`workers_end_at_random_moments_on_${version}`, (t) => workersEnd(t, node, short ? 60 : 200)];
    }),
  ),

  async processes_end_at_random_moments(t) {
    const emulator = await startEmulator(t);
    await emulator.unlimited();
    const rounds = short ? 10 : 200;
    let slowest = 0;
    const codes = { exit: 7, reallyExit: 7, exception: 7, return: 0, kill: null };
    for (const how of Object.keys(codes)) {
      for (let round = 0; round < rounds; round += 1) {
        await emulator.slow(round % 2 === 0 ? 10 : 60_000);
        const delayMs = Math.random() * 30;
        const begun = performance.now();
        const outcome = await end(emulator, how, delayMs);
        slowest = Math.max(slowest, performance.now() - begun);
        assert.deepEqual(outcome, how === 'kill' ? { code: null, signal: 'SIGTERM' } : { code: codes[how], signal: null }, `${how} after ${delayMs} ms`);
      }
    }
    assert.ok(slowest < 30_000, `${slowest} ms`);
    return `${rounds} processes each that end by ${Object.keys(codes).join(', ')}: no crash, the slowest took ${Math.round(slowest)} ms in all`;
  },

  async a_process_that_exits_with_a_cold_token_leaves_it_to_the_next(t) {
    const emulator = await startEmulator(t);
    await emulator.unlimited();
    const rounds = short ? 12 : 100;
    const directory = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-exits-'));
    t.after(() => rmSync(directory, { recursive: true }));
    for (let round = 0; round < rounds; round += 1) {
      const env = { ...emulator.environment, TOKENWELL_CACHE: 'on', TOKENWELL_CACHE_DIR: path.join(directory, String(round)) };
      const before = (await emulator.counters()).token_requests;
      await start('cold_exit_program.mjs', { env }).result;
      await promisify(execFile)(COMMAND, ['token'], { env: { ...process.env, ...env } });
      const sent = (await emulator.counters()).token_requests - before;
      assert.equal(sent, 1, `round ${round}: ${sent} requests`);
    }
    return `${rounds} of ${rounds} rounds: one request by the first process, none by the next`;
  },

  async b1_variables_may_be_set_while_clients_are_created(t) {
    const emulator = await startEmulator(t);
    const seconds = short ? 5 : 60;
    const told = await start('environment_program.mjs', { env: { ...emulator.environment, SECONDS: String(seconds) } }).result;

    assert.ok(told.set > 1000 && told.created > 100, JSON.stringify(told));
    return `${seconds} s, ${told.set} variables set, ${told.created} clients created, no crash`;
  },
});

async function workersEnd(t, node, count) {
  const emulator = await startEmulator(t);
  await emulator.unlimited();
  await emulator.faults([{ path: '/api/oauth/token', delay_ms: 40, then_serve: true }]);
  const told = await start('workers_program.mjs', { options: emulator.options, env: { COUNT: String(count) }, node }).result;

  assert.equal(told.ended, count);
  assert.ok(told.served, 'the main thread got no token afterwards');
  assert.ok(told.settled > 0 && told.settled < told.begun, JSON.stringify(told));
  return `${told.ended} workers, ${told.begun} gets begun, ${told.settled} of them settled, no crash`;
}

function end(emulator, how, delayMs) {
  const program = start('end_program.mjs', { options: emulator.options, env: { HOW: how, DELAY_MS: String(delayMs) } });
  return new Promise((resolve) => program.child.on('exit', (code, signal) => resolve({ code, signal })));
}
