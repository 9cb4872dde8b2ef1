import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { startEmulator, tokenwell, until } from './support.mjs';

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

test('the_event_loop_and_a_worker_thread_remain_free_during_a_slow_token_request', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(3000);
  let ticks = 0;
  const interval = setInterval(() => (ticks += 1), 5);
  t.after(() => clearInterval(interval));

  // Many different calls, which could otherwise occupy every worker thread.
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

test('invalidate_does_not_block_the_event_loop', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const first = await client.token();
  let over = false;

  const call = client.invalidate(first).then(() => (over = true));
  for (let turn = 0; turn < 100; turn += 1) await null;

  assert.equal(over, false, 'a call on a worker thread completes in a later turn of the event loop');
  await call;
  assert.equal(client.stats().invalidations, 1);
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
