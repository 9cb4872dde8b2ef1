import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { PACKAGE, runProgram, startEmulator, tokenwell, until } from './support.mjs';

const { Client } = tokenwell;
const HOUR_MS = 3_600_000;

for (const count of [100, 1000]) {
  test(`${count}_promises_on_a_new_client_send_one_token_request`, async (t) => {
    const emulator = await startEmulator(t);
    const client = new Client(emulator.options);
    await emulator.slow(200);

    const tokens = await Promise.all(Array.from({ length: count }, () => client.token()));

    assert.equal(new Set(tokens.map((token) => token.value)).size, 1);
    assert.equal((await emulator.counters()).token_requests, 1);
  });
}

test('callers_with_different_options_still_send_one_token_request', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(200);

  const values = await Promise.all(Array.from({ length: 40 }, (_, i) => client.authorization({ minTtlMs: i * 1000, deadlineMs: 50_000 + i })));

  assert.equal(new Set(values).size, 1);
  assert.equal((await emulator.counters()).token_requests, 1);
});

test('ten_thousand_gets_across_three_expiries_send_four_token_requests', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient();
  const values = new Set();

  for (let expiries = 0; expiries <= 3; expiries += 1) {
    if (expiries > 0) {
      await emulator.advance(HOUR_MS);
      client.advanceClock(HOUR_MS);
    }
    for (let gets = 0; gets < 2500; gets += 1) values.add((await client.token()).value);
  }

  assert.equal(values.size, 4);
  assert.equal((await emulator.counters()).token_requests, 4);
});

test('a_valid_token_is_returned_while_its_refresh_runs', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient();
  const first = await client.token();
  await emulator.slow(60_000);
  await emulator.advance(51 * 60_000);
  client.advanceClock(51 * 60_000);

  const second = await client.token();

  assert.equal(second.value, first.value);
  assert.equal(client.stats().mints, 1);
  client.close();
});

test('r12_the_event_loop_and_the_threads_of_libuv_remain_free_during_a_slow_token_request', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(3000);
  let ticks = 0;
  const interval = setInterval(() => (ticks += 1), 5);
  t.after(() => clearInterval(interval));

  // Many different calls, which would occupy every thread of libuv if each needed one.
  let minted = false;
  const gets = Promise.all(Array.from({ length: 20 }, (_, i) => client.token({ minTtlMs: i * 1000 }))).then(() => (minted = true));
  await readFile(new URL(import.meta.url));
  const mintedBeforeTheFileWasRead = minted;
  await gets;

  assert.equal(mintedBeforeTheFileWasRead, false);
  assert.ok(ticks >= 10, `${ticks} ticks`);
});

test('an_aborted_caller_is_rejected_immediately_and_the_token_request_continues', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(1000);
  const controller = new AbortController();

  let minted = false;
  const aborted = client.token({ signal: controller.signal });
  const patient = client.token().finally(() => (minted = true));
  controller.abort(new Error('changed my mind'));
  await assert.rejects(aborted, /changed my mind/);
  const mintedBeforeTheRejection = minted;

  assert.equal(mintedBeforeTheRejection, false);
  assert.match((await patient).value, /./);
  assert.equal((await emulator.counters()).token_requests, 1);
  await assert.rejects(client.token({ signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a_caller_with_a_short_deadline_times_out_and_the_token_request_continues', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(3000);

  const patient = client.token();
  await assert.rejects(client.token({ deadlineMs: 50 }), (error) => error instanceof tokenwell.DeadlineError && error.code === 'DEADLINE');

  assert.equal(client.stats().mints, 0);
  assert.match((await patient).value, /./);
  assert.equal((await emulator.counters()).token_requests, 1);
});

test('many_gets_may_have_the_same_signal', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const warnings = [];
  const onWarning = (warning) => warnings.push(warning.name);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const { signal } = new AbortController();
  const listeners = () => getEventListeners(signal, 'abort').length;

  const waiting = Array.from({ length: 20 }, () => client.token({ signal }));
  const during = listeners();
  await Promise.all(waiting);
  await new Promise(setImmediate);

  assert.deepEqual({ warnings, during, after: listeners() }, { warnings: [], during: 1, after: 0 });
});

test('an_abort_after_the_end_has_no_effect', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const controller = new AbortController();

  const token = await client.token({ signal: controller.signal });
  const again = await client.token({ signal: controller.signal, forceRefresh: true });
  controller.abort();

  assert.notEqual(again.value, token.value);
  assert.match((await client.token()).value, /./);
});

test('a_signal_that_is_null_is_no_signal', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);

  assert.match((await client.token({ signal: null })).value, /./);
  await client.revoke({ signal: null });

  assert.equal(client.authorizationIfFresh(), undefined);
});

test('what_is_not_an_abort_signal_is_rejected_and_begins_no_token_request', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const signal = { throwIfAborted() {} };

  for (let i = 0; i < 2; i += 1) await assert.rejects(client.token({ signal }), TypeError);

  assert.equal(client.stats().waits, 0);
});

test('a_signal_aborts_later_gets_after_a_program_has_dispatched_its_event', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(1000);
  const controller = new AbortController();

  const first = client.token({ signal: controller.signal });
  controller.signal.dispatchEvent(new Event('abort'));
  const second = client.token({ signal: controller.signal });
  controller.abort();

  assert.equal((await Promise.allSettled([first]))[0].status, 'rejected');
  await assert.rejects(second, { name: 'AbortError' });
});

test('an_abort_while_the_event_loop_is_blocked_loses_no_other_get', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(200);
  const controller = new AbortController();

  const waiting = Array.from({ length: 100 }, (_, i) => client.token(i % 2 === 0 ? { signal: controller.signal } : {}));
  // The token arrives while no JavaScript can run, so all operations have ended at the abort.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  controller.abort(new Error('changed my mind'));
  const outcomes = await Promise.allSettled(waiting);

  outcomes.forEach((outcome, i) => (i % 2 === 0 ? assert.match(outcome.reason?.message, /changed my mind/) : assert.match(outcome.value?.value, /./)));
  assert.equal(new Set(outcomes.map((outcome) => outcome.value).filter(Boolean)).size, 1, 'callers that waited together share one Token');
});

test('a_caller_that_joins_late_does_not_share_the_deadline_of_the_first', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(5500);

  const first = client.token({ deadlineMs: 4000 });
  first.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const late = client.token({ deadlineMs: 30_000 });

  await assert.rejects(first, tokenwell.DeadlineError);
  assert.match((await late).value, /./);
});

test('the_local_copy_is_returned_without_a_call', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  assert.equal(client.authorizationIfFresh(), undefined);
  const token = await client.token();
  const before = client.stats();

  for (let i = 0; i < 1000; i += 1) assert.equal(await client.token(), token);

  assert.equal(client.authorizationIfFresh(), token.authorization);
  assert.equal(client.authorization(), client.authorization());
  assert.deepEqual(client.stats(), before);
});

test('without_buffers_over_the_memory_of_the_library_the_counter_is_read_by_a_call', async (t) => {
  const emulator = await startEmulator(t);
  // Electron does not allow such buffers. The addon then leaves the counter out.
  const require = createRequire(import.meta.url);
  const library = require(`${PACKAGE}/lib/library.js`);
  const functions = library.load();
  const { load } = library;
  t.after(() => (library.load = load));
  library.load = () => ({ ...functions, newClient: (...args) => ({ ...functions.newClient(...args), counter: undefined }) });
  delete require.cache[`${PACKAGE}/lib/client.js`];
  const client = new (require(`${PACKAGE}/lib/client.js`).Client)(emulator.options);
  const token = await client.token();

  assert.equal(client.authorizationIfFresh(), token.authorization);
  await client.invalidate(token);
  assert.equal(client.authorizationIfFresh(), undefined);
  client.close();
  await assert.rejects(client.token(), tokenwell.ClosedError);
});

test('the_local_copy_is_not_returned_to_a_get_with_options', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const first = await client.token();

  const forced = await client.token({ forceRefresh: true });

  assert.notEqual(forced.value, first.value);
  assert.equal(client.authorizationIfFresh(), forced.authorization);
  await assert.rejects(client.token({ minTtlMs: 24 * HOUR_MS }), tokenwell.InvalidArgumentError);
});

test('i33_the_local_copy_is_dropped_when_the_wall_clock_steps_back_or_far_ahead', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await client.token();
  const now = Date.now;
  t.after(() => (Date.now = now));

  Date.now = () => now() - HOUR_MS;
  const whenBack = client.authorizationIfFresh();
  Date.now = () => now() + HOUR_MS;
  const whenAhead = client.authorizationIfFresh();
  Date.now = now;

  assert.equal(whenBack, undefined);
  assert.equal(whenAhead, undefined);
  assert.notEqual(client.authorizationIfFresh(), undefined);
});

test('i33_the_local_copy_is_dropped_in_time_when_the_wall_clock_is_stopped', async (t) => {
  const emulator = await startEmulator(t, ['--token-lifetime', '5']);
  const client = new Client(emulator.options);
  await client.token();
  const now = Date.now;
  t.after(() => (Date.now = now));
  const frozen = now();

  Date.now = () => frozen;
  await until(() => client.authorizationIfFresh() === undefined);

  // The test passes if the loop ends: by the wall clock alone it never would.
  assert.equal(Date.now(), frozen);
});

test('invalidate_drops_that_token_and_no_other', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const first = await client.token();

  await client.invalidate('another');
  assert.equal((await client.token()).value, first.value);
  const generation = client.generation;
  await client.invalidate(first);

  assert.notEqual(client.generation, generation);
  assert.equal(client.authorizationIfFresh(), undefined);
  assert.notEqual((await client.token()).value, first.value);
  assert.equal(client.stats().invalidations, 1);
  await assert.rejects(client.invalidate(undefined), TypeError);
});

test('invalidate_waits_for_another_process_without_blocking_the_event_loop', async (t) => {
  const emulator = await startEmulator(t);
  const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-cache-'));
  t.after(() => rmSync(cacheDir, { recursive: true }));
  const options = { ...emulator.options, cache: true, cacheDir };
  const client = new Client(options);
  const first = await client.token();
  // The other process has the lock of the shared cache while it waits for the server.
  await emulator.slow(2000);
  const other = runProgram('new tokenwell.Client(options).token({ forceRefresh: true });', { options });
  await until(async () => (await emulator.counters()).token_requests === 2);
  let over = false;

  const call = client.invalidate(first).then(() => (over = true));
  const current = client.generation;
  await new Promise((resolve) => setTimeout(resolve, 50));
  const overSoon = over;
  await call;

  assert.notEqual(current, first.generation, 'the token is dropped in this process immediately');
  assert.equal(overSoon, false);
  assert.equal(client.stats().invalidations, 1);
  assert.equal((await other).code, 0);
});

test('the_cache_is_switched_by_a_boolean', async (t) => {
  const emulator = await startEmulator(t);
  const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-cache-'));
  t.after(() => rmSync(cacheDir, { recursive: true }));
  const get = async (cache) => (await new Client({ ...emulator.options, cache, cacheDir }).token()).value;

  const [first, second, alone] = [await get(true), await get(true), await get(false)];

  assert.equal(second, first);
  assert.notEqual(alone, first);
});

test('a_get_after_an_invalidate_does_not_join_an_earlier_call', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient();
  const first = await client.token();

  const before = client.token();
  await client.invalidate(first);
  const after = client.token();

  assert.notEqual((await after).value, first.value);
  await before;
});

test('revoke_revokes_the_token_at_the_server', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const first = await client.token();

  await client.revoke({ deadlineMs: 30_000 });

  assert.equal((await emulator.counters()).live_tokens, 0);
  assert.notEqual((await client.token()).value, first.value);
});
