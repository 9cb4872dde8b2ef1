import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { PACKAGE, runProgram, startEmulator, tokenwell, until } from './support.mjs';

const { Client, ClosedError } = tokenwell;

test('every_call_after_close_is_a_closed_error_except_close', async (t) => {
  const emulator = await startEmulator(t);
  const client = await emulator.manualClient();
  const token = await client.token();

  client.close();
  client.close();

  const code = (error) => error instanceof ClosedError && error.status === 12 && error.code === 'CLOSED';
  await assert.rejects(client.token(), code);
  await assert.rejects(client.authorization({ forceRefresh: true }), code);
  await assert.rejects(client.revoke(), code);
  await assert.rejects(client.invalidate(token), code);
  assert.equal(client.authorizationIfFresh(), undefined);
  assert.match(token.value, /./);
});

test('r13_what_a_closed_client_knows_remains_readable_although_it_is_freed', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  const { generation } = await client.token();
  const before = client.stats();

  client.close();

  assert.notEqual(client.generation, generation);
  assert.equal(client.generation, client.generation);
  assert.deepEqual({ ...client.stats(), hits: 0 }, { ...before, hits: 0 });
  assert.equal(client.authorizationIfFresh(), undefined);
});

test('close_wakes_the_callers_that_wait', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await emulator.slow(60_000);

  const waiting = [client.token(), client.token({ minTtlMs: 1000 }), ...Array.from({ length: 10 }, (_, i) => client.token({ deadlineMs: 50_000 + i }))];
  const outcomes = Promise.allSettled(waiting);
  await until(async () => (await emulator.counters()).token_requests === 1);
  client.close();

  for (const outcome of await outcomes) assert.ok(outcome.reason instanceof ClosedError, String(outcome.reason));
});

test('using_closes_the_client_at_the_end_of_its_block', async (t) => {
  const emulator = await startEmulator(t);
  const client = new Client(emulator.options);
  await client.token();

  client[Symbol.dispose]();

  await assert.rejects(client.token(), ClosedError);
});

test('a_client_from_the_environment_needs_no_options_and_options_override_it', async (t) => {
  const emulator = await startEmulator(t);
  const body = `
    (async () => {
      const token = await tokenwell.Client.fromEnv().token();
      const other = await tokenwell.Client.fromEnv({ clientId: 'another', clientSecret: 'wrong' }).token().catch((error) => error.code);
      console.log(token.value.length > 0, other);
    })();`;

  const { stdout, stderr } = await runProgram(body, { env: emulator.environment });

  assert.equal(stdout.trim(), 'true CREDENTIAL_REJECTED', stderr);
});

test('process_exit_during_a_token_request_exits_immediately_and_cleanly', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.slow(60_000);
  const body = `
    const client = new tokenwell.Client(options);
    client.token().catch(() => {});
    client.token({ minTtlMs: 1000 }).catch(() => {});
    setTimeout(() => process.exit(7), 300);`;
  const begun = performance.now();

  const { code, signal, stderr } = await runProgram(body, { options: emulator.options });

  assert.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: '' });
  assert.ok(performance.now() - begun < 10_000);
});

test('an_idle_client_and_an_aborted_get_do_not_keep_the_process_alive', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.slow(60_000);
  const body = `
    const client = new tokenwell.Client(options);
    const controller = new AbortController();
    client.token({ signal: controller.signal }).catch((error) => console.log(error.name));
    setTimeout(() => controller.abort(), 50);`;
  const begun = performance.now();

  const { code, stdout } = await runProgram(body, { options: emulator.options });

  assert.deepEqual({ code, stdout: stdout.trim() }, { code: 0, stdout: 'AbortError' });
  assert.ok(performance.now() - begun < 10_000);
});

test('a_process_does_not_exit_while_a_get_is_pending', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.slow(500);

  const { code, stdout } = await runProgram(`new tokenwell.Client(options).token().then((token) => console.log(token.value.length > 0));`, { options: emulator.options });

  assert.equal(code, 0);
  assert.equal(stdout.trim(), 'true');
});

test('the_local_copy_does_not_keep_the_process_alive', async (t) => {
  const emulator = await startEmulator(t);

  const { code, signal } = await runProgram('new tokenwell.Client(options).token();', { options: emulator.options });

  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('a_failed_call_that_all_callers_have_left_causes_no_unhandled_rejection', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.faults([{ path: '/api/oauth/token', delay_ms: 3000, status: 401, body: { error: 'invalid_client' } }]);
  const body = `
    const client = new tokenwell.Client(options);
    (async () => {
      const outcomes = await Promise.allSettled([
        client.token({ signal: AbortSignal.timeout(50) }),
        client.token({ deadlineMs: 50 }),
        client.revoke({ signal: AbortSignal.timeout(1) }),
      ]);
      console.log(outcomes.slice(0, 2).map((each) => each.reason.name).join(' '));
    })();`;

  const { code, stdout, stderr } = await runProgram(body, { options: emulator.options, nodeFlags: ['--unhandled-rejections=strict'] });

  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), 'TimeoutError DeadlineError');
});

test('unreachable_clients_are_freed_but_not_during_a_call', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.settings({ rate_limit: null });
  const body = `
    (async () => {
      let collected = 0;
      const registry = new FinalizationRegistry(() => { collected += 1; });
      const make = () => { const client = new tokenwell.Client(options); registry.register(client); return client.token(); };
      const pending = Array.from({ length: 20 }, make);
      for (let i = 0; i < 10; i += 1) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
      const values = await Promise.all(pending);
      while (collected < 15) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
      console.log(new Set(values.map((token) => token.value)).size > 0, 'collected');
    })();`;

  const { code, stdout, stderr } = await runProgram(body, { options: emulator.options, nodeFlags: ['--expose-gc'] });

  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), 'true collected');
});

test('each_worker_has_its_own_client_and_its_exit_does_not_affect_the_others', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.settings({ rate_limit: null });
  const body = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Client } = require(workerData.package);
    (async () => {
      const client = new Client(workerData.options);
      const values = await Promise.all(Array.from({ length: 25 }, () => client.authorization()));
      if (workerData.index === 0) { client.close(); }
      else for (let i = 0; i < 1000; i += 1) values.push(await client.authorization());
      parentPort.postMessage({ distinct: new Set(values).size, count: values.length });
    })();`;

  const results = await Promise.all(
    Array.from({ length: 4 }, (_, index) => {
      const worker = new Worker(body, { eval: true, workerData: { package: PACKAGE, options: emulator.options, index } });
      return new Promise((resolve, reject) => {
        let message;
        worker.on('message', (value) => (message = value));
        worker.on('error', reject);
        worker.on('exit', (code) => resolve({ ...message, code }));
      });
    }),
  );

  assert.deepEqual(
    results,
    [25, 1025, 1025, 1025].map((count) => ({ distinct: 1, count, code: 0 })),
  );
});

test('the_addon_of_a_worker_that_has_ended_remains_loaded', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.slow(60_000);
  // A thread of the library may be in a callback of the addon when the worker ends.
  const body = `
    const { Worker } = require('node:worker_threads');
    const isLoaded = () => process.report.getReport().sharedObjects.some((file) => file.endsWith('tokenwell.node'));
    const inWorker = \`
      const { parentPort, workerData } = require('node:worker_threads');
      new (require(workerData.package).Client)(workerData.options).token().catch(() => {});
      parentPort.postMessage('waiting');\`;
    const before = isLoaded();
    const worker = new Worker(inWorker, { eval: true, workerData: { package: ${JSON.stringify(PACKAGE)}, options } });
    worker.on('message', async () => {
      await worker.terminate();
      console.log(before, isLoaded());
    });`;

  const { code, stdout, stderr } = await runProgram(body, { options: emulator.options });

  assert.deepEqual({ code, stdout: stdout.trim(), stderr }, { code: 0, stdout: 'false true', stderr: '' });
});

test('r12_a_worker_is_terminated_immediately_during_a_token_request', async (t) => {
  const emulator = await startEmulator(t);
  await emulator.slow(60_000);
  const body = `
    const { workerData } = require('node:worker_threads');
    const { Client } = require(workerData.package);
    new Client(workerData.options).token().catch(() => {});`;
  const worker = new Worker(body, { eval: true, workerData: { package: PACKAGE, options: emulator.options } });
  await until(async () => (await emulator.counters()).token_requests === 1);

  const begun = performance.now();
  const code = await worker.terminate();
  const tookMs = performance.now() - begun;
  await emulator.faults([]);

  assert.equal(code, 1);
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  assert.match((await new Client(emulator.options).token()).value, /./);
});
