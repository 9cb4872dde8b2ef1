// Helpers for the tests: the emulator, clients of it, and programs in separate processes.
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const DIST = process.env.DIST || fileURLToPath(new URL('../../../dist', import.meta.url));
// The package as it is installed: the addon is not in the source tree. TOKENWELL_NODE_PACKAGE is a
// package that was installed from a registry, with its addon in the package of this platform.
export const INSTALLED = process.env.TOKENWELL_NODE_PACKAGE !== undefined;
export const PACKAGE = process.env.TOKENWELL_NODE_PACKAGE ?? path.join(DIST, 'node');
export const ADDON = addonOf(PACKAGE);
/** The shared library, which is used only if TOKENWELL_LIBRARY names it. */
export const LIBRARY = process.env.TOKENWELL_LIBRARY || path.join(DIST, 'lib/libtokenwell.so.0');
export const COMMAND = process.env.TOKENWELL_BIN || path.join(DIST, 'bin/tokenwell');

for (const file of INSTALLED ? [ADDON, COMMAND] : [ADDON, LIBRARY, COMMAND]) {
  if (!existsSync(file)) throw new Error(`${file} is missing: build it with make library`);
}

// Tests must not see the configuration of the machine or the tokens of another run. They use the
// library in the addon.
for (const name of Object.keys(process.env)) {
  if (/^(MONGODB_ATLAS_|MCLI_)/.test(name) || (name.startsWith('TOKENWELL_') && name !== 'TOKENWELL_BIN')) delete process.env[name];
}
const home = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-node-home-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
// Tests must not share tokens through the cache.
Object.assign(process.env, { TOKENWELL_CACHE: 'off', HOME: home, XDG_CONFIG_HOME: path.join(home, 'config'), XDG_CACHE_HOME: path.join(home, 'cache') });

export const tokenwell = await import(pathToFileURL(path.join(PACKAGE, 'index.mjs')));

/** Copies the package with its addon to a directory. Returns the path of the copy. */
export function copyPackage(directory) {
  const copy = path.join(directory, 'node_modules/tokenwell');
  cpSync(PACKAGE, copy, { recursive: true });
  if (INSTALLED) cpSync(path.join(PACKAGE, '../@tokenwell'), path.join(copy, '../@tokenwell'), { recursive: true });
  return copy;
}

/** Starts the Atlas emulator for one test. */
export async function startEmulator(t, flags = []) {
  const child = spawn(COMMAND, ['emulator', '--until-stdin-closes', ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  t.after(async () => {
    child.stdin.end();
    await ended;
  });

  const environment = await Promise.race([
    assignments(child.stdout),
    ended.then((code) => {
      throw new Error(`the emulator exited with code ${code} before it was ready`);
    }),
  ]);
  // Tests do not share tokens, unless they set a cache directory of their own.
  delete environment.TOKENWELL_CACHE_DIR;
  const baseUrl = environment.MONGODB_ATLAS_BASE_URL;

  const control = async (method, what, body) => {
    const reply = await fetch(`${baseUrl}/_emulator/${what}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const content = await reply.text();
    if (!reply.ok) throw new Error(`the emulator answered ${what} with ${reply.status}: ${content}`);
    return content === '' ? undefined : JSON.parse(content);
  };

  const options = {
    baseUrl,
    clientId: environment.MONGODB_ATLAS_CLIENT_ID,
    clientSecret: environment.MONGODB_ATLAS_CLIENT_SECRET,
    timeoutMs: 60_000,
  };
  return {
    environment,
    options,
    counters: () => control('GET', 'counters'),
    faults: (list) => control('POST', 'faults', list),
    settings: (values) => control('POST', 'settings', values),
    /** For tests that request many tokens. */
    unlimited: () => control('POST', 'settings', { rate_limit: null, token_cap: 1_000_000 }),
    now: async () => (await control('GET', 'clock')).now_ms,
    advance: (ms) => control('POST', 'clock', { advance_ms: ms }),
    /** Delays the replies to token requests. */
    slow: (delayMs) => control('POST', 'faults', [{ path: '/api/oauth/token', delay_ms: delayMs, then_serve: true }]),
    /** Creates a client with a manual clock at the emulator's time. */
    manualClient: async (more = {}) => new tokenwell.Client({ ...options, manualClockMs: (await control('GET', 'clock')).now_ms, ...more }),
  };
}

/** Resolves to the assignments that the emulator prints when it is ready. */
function assignments(stdout) {
  const read = {};
  return new Promise((resolve) => {
    createInterface({ input: stdout }).on('line', (line) => {
      if (line === '# ready') return resolve(read);
      const [name, value] = line.split(/=(.*)/s, 2);
      read[name] = value;
    });
  });
}

/**
 * Runs a program, which can use `tokenwell` and `options`, in a separate process. Resolves to its
 * result.
 */
export function runProgram(body, { options = {}, env = {}, nodeFlags = [] } = {}) {
  const program = `
    const tokenwell = require(${JSON.stringify(PACKAGE)});
    const options = ${JSON.stringify({ ...options, clientSecret: undefined })};
    if (process.env.TEST_CLIENT_SECRET) options.clientSecret = process.env.TEST_CLIENT_SECRET;
    ${body}`;
  const allEnv = { ...process.env, TEST_CLIENT_SECRET: options.clientSecret ?? '', ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [...nodeFlags, '--eval', program], { env: allEnv, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, signal: error?.signal ?? null, stdout, stderr });
    });
  });
}

/**
 * Resolves when `condition` no longer resolves to false. The test runner's timeout limits the wait.
 */
export async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

function addonOf(directory) {
  const loader = path.join(directory, 'lib/platforms.js');
  const require = createRequire(loader);
  const { platforms } = require(loader);
  const file = Object.values(platforms)
    .map((platform) => platform.file)
    .find((each) => {
      try {
        return require.resolve(each);
      } catch {
        return false;
      }
    });
  return file === undefined ? path.join(directory, '_lib/tokenwell.node') : require.resolve(file);
}

