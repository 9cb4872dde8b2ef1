// Packages for more platforms than are built, projects of users, and programs in them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmulator } from '../../../bindings/node/test/support.mjs';
import { startRegistry } from './registry.mjs';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const DIST = process.env.DIST;
export const WORK = process.env.WORK;
export const PLATFORM = 'x86_64-linux-gnu';
export const NAME = 'linux-x64-gnu';
export const VERSION = JSON.parse(await run('cat', ['bindings/node/package.json'], { cwd: ROOT }).then(({ stdout }) => stdout)).version;
export const PACKAGES = path.join(WORK, 'packages');

/** A list with platforms that are not built yet. */
const MORE_PLATFORMS = [
  { name: NAME, triple: PLATFORM, os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: 'linux-x64-musl', triple: 'x86_64-linux-musl', os: 'linux', cpu: 'x64', libc: 'musl' },
  { name: 'darwin-arm64', triple: 'aarch64-macos', os: 'darwin', cpu: 'arm64' },
  { name: 'darwin-x64', triple: 'x86_64-macos', os: 'darwin', cpu: 'x64' },
];

/** The environment of a user: nothing of this repository, no cargo, and no settings of the library. */
export function userEnvironment(more = {}) {
  const home = path.join(WORK, 'home');
  mkdirSync(home, { recursive: true });
  return {
    PATH: process.env.USER_PATH,
    HOME: home,
    TMPDIR: WORK,
    npm_config_cache: path.join(WORK, 'npm'),
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    TOKENWELL_CACHE: 'off',
    ...more,
  };
}

/** Runs a program. Resolves to how it ended and what it printed. */
export function run(command, args, { cwd = WORK, env = process.env, timeout = 300_000, input } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, timeout, stdio: ['pipe', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => (output[name] += data));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** The same for a program that must succeed. Resolves to its standard output. */
export async function succeed(command, args, options) {
  const { code, signal, stdout, stderr } = await run(command, args, options);
  assert.equal(`${code} ${signal}`, '0 null', `${command} ${args.join(' ')}: exit code ${code}, signal ${signal}\n${stdout}\n${stderr}`);
  return stdout;
}

export function temporary(t, name = 'project') {
  const directory = mkdtempSync(path.join(WORK, `${name}-`));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

let built;
/** Makes a package of each platform in the longer list. Resolves to their directory. */
export function morePackages() {
  built ??= makeMorePackages();
  return built;
}

async function makeMorePackages() {
  const directory = path.join(WORK, 'more packages');
  const list = path.join(WORK, 'platforms.json');
  writeFileSync(list, JSON.stringify(MORE_PLATFORMS));
  const env = { ...process.env, NODE_PLATFORMS: list };
  await succeed('sh', ['packaging/node_packages.sh', DIST, directory], { cwd: ROOT, env });
  const musl = path.join(WORK, 'musl.node');
  await muslAddon(musl);
  const others = MORE_PLATFORMS.map((each) => each.name).filter((name) => name !== NAME);
  const manifests = JSON.parse(await succeed('node', ['packaging/node_platforms.mjs', 'manifests', 'bindings/node/package.json'], { cwd: ROOT, env }));
  for (const name of others.flatMap((each) => [each, `cli-${each}`])) {
    const content = path.join(WORK, 'content', name);
    mkdirSync(path.join(content, 'package'), { recursive: true });
    writeFileSync(path.join(content, 'package/package.json'), JSON.stringify(manifests[`@tokenwell/${name}`]));
    const binary = path.join(content, 'package', name.startsWith('cli-') ? 'tokenwell' : 'tokenwell.node');
    if (name.endsWith('musl')) cpSync(musl, binary);
    else writeFileSync(binary, Buffer.from('cffaedfe0c000001', 'hex'));
    await succeed('tar', ['-czf', path.join(directory, `tokenwell-${name}-${VERSION}.tgz`), '-C', content, 'package']);
  }
  return directory;
}

/** An addon that needs the C library of Alpine. */
async function muslAddon(file) {
  const library = path.join(WORK, 'libmusl.so');
  const cc = process.env.CC || 'cc';
  await succeed(cc, ['-shared', '-nostdlib', '-fPIC', '-x', 'c', '-', '-Wl,-soname,libc.musl-x86_64.so.1', '-o', library], { input: 'int musl(void) { return 1; }\n' });
  const source = 'int musl(void); void *napi_register_module_v1(void *env, void *exports) { (void)env; return musl() ? exports : 0; }\n';
  await succeed(cc, ['-shared', '-nostdlib', '-fPIC', '-x', 'c', '-', '-o', file, '-x', 'none', library], { input: source });
}

const templates = new Map();

/** A project with an installed package. npm installs it once, and further projects are copies of the first. */
export async function installed(t, what = 'tokenwell', options = {}) {
  const user = await project(t, options);
  const template = path.join(WORK, `template of ${what.replace('/', ' ')}`);
  const files = ['node_modules', 'package.json', 'package-lock.json'];
  if (!templates.has(what)) {
    await user.npm('install', what);
    for (const file of files) cpSync(user.path(file), path.join(template, file), { recursive: true, verbatimSymlinks: true });
    templates.set(what, user.registry.url);
    return user;
  }
  for (const file of files) cpSync(path.join(template, file), user.path(file), { recursive: true, verbatimSymlinks: true });
  const lock = user.path('package-lock.json');
  writeFileSync(lock, readFileSync(lock, 'utf8').replaceAll(templates.get(what), user.registry.url));
  return user;
}

/** An empty directory of a user, and programs for it. `name` is that of the directory. */
export async function project(t, { packages, name = 'project', node = 'node' } = {}) {
  const registry = await startRegistry(t, [packages ?? PACKAGES]);
  const emulator = await startEmulator(t, ['--no-rate-limit']);
  const directory = path.join(temporary(t), name);
  mkdirSync(directory);
  const env = userEnvironment({ npm_config_registry: registry.url, ...emulator.environment });
  writeFileSync(path.join(directory, 'package.json'), '{ "private": true, "name": "program", "version": "1.0.0" }\n');
  writeFileSync(
    path.join(directory, 'hello.mjs'),
    "import { Client } from 'tokenwell';\nconst client = Client.fromEnv();\nconsole.log(await client.authorization());\nclient.close();\n",
  );
  writeFileSync(
    path.join(directory, 'hello.cjs'),
    "const { Client } = require('tokenwell');\nconst client = Client.fromEnv();\nclient.authorization().then((value) => {\n  console.log(value);\n  client.close();\n});\n",
  );
  return {
    directory,
    registry,
    emulator,
    env,
    npm: (...args) => succeed('npm', args, { cwd: directory, env }),
    run: (command, args, more = {}) => run(command, args, { cwd: directory, env: { ...env, ...more } }),
    /** Runs both programs. Each must print a token. */
    async works() {
      for (const file of ['hello.mjs', 'hello.cjs']) {
        assert.match(await succeed(node, [file], { cwd: directory, env }), /^Bearer ey\S+\n$/, file);
      }
    },
    /** Runs both programs. Each must fail with the same error. Resolves to its message. */
    async fails(args = [], more = {}) {
      const messages = [];
      for (const file of ['hello.mjs', 'hello.cjs']) {
        const { code, stderr } = await run(node, [...args, file], { cwd: directory, env: { ...env, ...more } });
        assert.equal(code, 1, stderr);
        const errors = stderr.match(/^LibraryError: .*?(?=^ {4}at )/gms);
        assert.equal(errors?.length, 1, `not one error: ${stderr}`);
        messages.push(errors[0]);
      }
      assert.equal(messages[0], messages[1]);
      return messages[0];
    },
    installed: () => installedPackages(path.join(directory, 'node_modules')),
    path: (...parts) => path.join(directory, ...parts),
  };
}

function installedPackages(modules) {
  const scope = path.join(modules, '@tokenwell');
  try {
    return readdirSync(scope).sort();
  } catch {
    return [];
  }
}

export function sizeOf(file) {
  return statSync(file).size;
}
