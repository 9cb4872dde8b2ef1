// What happens to the addon while processes run: workers, other versions of Node, Jest, upgrades.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { VERSION, installed, succeed } from './support.mjs';

export const processes = async ({ short, tools }) => ({
  ...Object.fromEntries(
    versionsOfNode(tools).map(([version, node]) => [
      `k1_the_addon_is_loaded_only_by_workers_that_end_during_a_refresh_on_node_${version}`,
      async (t) => {
        const user = await installed(t, 'tokenwell', { node });
        await user.works();
        await user.emulator.faults([{ path: '/api/oauth/token', delay_ms: 40, then_serve: true }]);
        writeFileSync(user.path('workers.mjs'), WORKERS);
        const rounds = short ? 20 : 200;

        const { code, signal, stdout, stderr } = await user.run(node, ['workers.mjs', String(rounds)]);

        assert.deepEqual([code, signal, stderr], [0, null, '']);
        const { inFlight, mapped } = JSON.parse(stdout);
        assert.equal(mapped, true, 'the addon was unloaded');
        assert.ok(inFlight >= rounds * 0.9, `only ${inFlight} of ${rounds} workers ended during a refresh`);
        return `${inFlight} of ${rounds} workers ended during a refresh, exit code 0`;
      },
    ]),
  ),

  async k12_under_jest_after_libraries_that_fill_the_space_for_thread_local_data(t) {
    const jest = path.join(tools, 'jest@30/node_modules/jest/bin/jest.js');
    if (!existsSync(jest)) return { missing: 'npm cannot install Jest' };
    const user = await installed(t);
    for (let number = 1; number <= 30; number += 1) {
      // Every second one takes space of the fixed size that the loader keeps for such data.
      const model = number % 2 === 0 ? 'initial-exec' : 'global-dynamic';
      const source = `__thread char data[120] __attribute__((tls_model("${model}"))) = {1};
        void *napi_register_module_v1(void *env, void *exports) { (void)env; return data[0] ? exports : 0; }`;
      await succeed(process.env.CC || 'cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', user.path(`tls_${number}.node`)], { input: source });
    }
    writeFileSync(user.path('package.json'), JSON.stringify({ jest: { testEnvironment: 'node', transform: {} }, dependencies: { tokenwell: VERSION } }));
    // Several files, each in a realm of its own, in one process.
    for (const name of ['first', 'second']) writeFileSync(user.path(`${name}.test.js`), LATE);

    for (const workers of ['--runInBand', '--maxWorkers=2']) {
      const { code, stderr } = await user.run('node', [jest, workers], { CI: 'true' });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /Tests: +4 passed, 4 total/);
      assert.doesNotMatch(stderr, /did not exit|failed to exit/);
    }
    return '30 libraries, 2 test files, in one process and in two';
  },

  async an_upgrade_and_an_uninstallation_do_not_disturb_a_running_process(t) {
    const user = await installed(t);
    writeFileSync(user.path('running.mjs'), RUNNING);
    const child = spawn('node', ['running.mjs'], { cwd: user.directory, env: user.env, stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const another = async () => {
      child.stdin.write('get\n');
      const { value } = await lines.next();
      assert.match(value ?? 'the process has ended', /^Bearer ey/);
    };
    await another();

    await user.npm('install', '--force', 'tokenwell');
    await another();
    // npm replaces the files of a newer version; the running process keeps what it has loaded.
    await user.npm('install', '--install-links', path.join(process.env.DIST, 'node'));
    await another();
    await user.npm('uninstall', 'tokenwell');
    assert.ok(!existsSync(user.path('node_modules/tokenwell')));
    await another();

    child.stdin.end();
    assert.deepEqual(await ended, [0, null]);
  },

  async workers_and_the_main_thread_share_one_addon(t) {
    const user = await installed(t);
    writeFileSync(user.path('both.mjs'), BOTH);

    const { code, stdout, stderr } = await user.run('node', ['both.mjs']);

    assert.deepEqual([code, stderr, stdout], [0, '', '5 tokens, 1 file\n']);
  },
});

function versionsOfNode(tools) {
  const versions = readdirSync(tools).filter((name) => name.startsWith('node@'));
  return versions
    .map((name) => [name.slice('node@'.length), path.join(tools, name, 'node_modules/node/bin/node')])
    .filter(([, node]) => existsSync(node));
}

const WORKERS = `
  import { readFileSync } from 'node:fs';
  import { once } from 'node:events';
  import { Worker, isMainThread, parentPort } from 'node:worker_threads';

  if (isMainThread) {
    let inFlight = 0;
    for (let round = 0; round < Number(process.argv[2]); round += 1) {
      const worker = new Worker(new URL(import.meta.url), { env: process.env });
      const messages = [];
      worker.on('message', (message) => messages.push(message));
      await once(worker, 'message');
      await worker.terminate();
      if (!messages.includes('settled')) inFlight += 1;
    }
    // Nothing has unloaded it: its code is still mapped, although no environment uses it.
    console.log(JSON.stringify({ inFlight, mapped: readFileSync('/proc/self/maps', 'utf8').includes('tokenwell.node') }));
  } else {
    const { Client } = await import('tokenwell');
    const client = Client.fromEnv();
    client.token().then(() => parentPort.postMessage('settled'), () => parentPort.postMessage('settled'));
    parentPort.postMessage('begun');
  }
`;

const LATE = `
  test('thirty other addons', () => {
    const refused = [];
    for (let number = 1; number <= 30; number += 1) {
      try {
        require('./tls_' + number + '.node');
      } catch (error) {
        refused.push(error.message);
      }
    }
    // The space of the loader is full now: what needs any of it cannot be loaded.
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(10);
    for (const message of refused) expect(message).toMatch('cannot allocate memory in static TLS block');
  });
  test('a token', async () => {
    const { Client, Token } = require('tokenwell');
    const client = Client.fromEnv();
    expect(await client.token()).toBeInstanceOf(Token);
    client.close();
  });
`;

const RUNNING = `
  import { Client } from 'tokenwell';
  import { createInterface } from 'node:readline';
  const client = Client.fromEnv();
  for await (const line of createInterface({ input: process.stdin })) console.log(await client.authorization({ forceRefresh: true }));
  client.close();
`;

const BOTH = `
  import { readFileSync } from 'node:fs';
  import { Worker, isMainThread, parentPort } from 'node:worker_threads';
  import { Client } from 'tokenwell';

  const client = Client.fromEnv();
  const { value } = await client.token();
  client.close();
  if (isMainThread) {
    const values = await Promise.all(Array.from({ length: 4 }, () => new Promise((resolve) => new Worker(new URL(import.meta.url)).on('message', resolve))));
    const files = new Set(readFileSync('/proc/self/maps', 'utf8').match(/\\S+tokenwell\\S*\\.node$/gm));
    console.log(new Set([value, ...values]).size + ' tokens, ' + files.size + ' file');
  } else {
    parentPort.postMessage(value);
  }
`;
