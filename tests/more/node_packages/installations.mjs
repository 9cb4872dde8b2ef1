// Installations as users make them, from a registry, and the tests of bindings/node with what was installed.
import assert from 'node:assert/strict';
import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { COMMAND } from '../../../bindings/node/test/support.mjs';
import { NAME, ROOT, installed, morePackages, project, run, succeed } from './support.mjs';

const LOCK_OPTIONS = ['--os=darwin', '--cpu=arm64'];

export const installations = ({ short, tools }) => ({
  async npm_install_in_an_empty_directory_gets_a_token_in_both_module_systems(t) {
    const user = await project(t);

    await user.npm('install', 'tokenwell');

    await user.works();
    assert.deepEqual(user.installed(), [NAME]);
    const both = `
      import * as viaImport from 'tokenwell';
      import { createRequire } from 'node:module';
      const viaRequire = createRequire(import.meta.url)('tokenwell');
      const tokens = await Promise.all([viaImport, viaRequire].map(({ Client }) => Client.fromEnv().token()));
      console.log(viaImport.Client === viaRequire.Client, tokens.every((token) => token instanceof viaRequire.Token));
      process.exit();`;
    writeFileSync(user.path('both.mjs'), both);
    assert.equal((await user.run('node', ['both.mjs'])).stdout, 'true true\n');
    const { stdout } = await user.run('sh', ['-c', 'command -v cargo; env | grep -E "TOKENWELL_LIBRARY|LD_LIBRARY_PATH"; true']);
    assert.equal(stdout, '', 'the environment is not that of a user');
  },

  async npm_with_scripts_off_and_in_a_directory_with_spaces_and_letters_of_other_languages(t) {
    const user = await project(t, { name: 'Ünï codé ☃ 日本 dir' });

    await user.npm('install', '--ignore-scripts', 'tokenwell');

    await user.works();
  },

  async read_only_node_modules(t) {
    const user = await installed(t);
    await succeed('chmod', ['-R', 'a-w', user.path('node_modules')]);
    t.after(() => succeed('chmod', ['-R', 'u+w', user.path('node_modules')]));
    const before = await succeed('find', [user.path('node_modules'), '-printf', '%p %s %m %T@\n']);

    await user.works();

    assert.equal(await succeed('find', [user.path('node_modules'), '-printf', '%p %s %m %T@\n']), before);
  },

  async the_staged_tree_installs_as_the_readme_says(t) {
    const user = await project(t);

    await user.npm('install', '--install-links', path.join(process.env.DIST, 'node'));

    await user.works();
    assert.ok(existsSync(user.path('node_modules/tokenwell/_lib/tokenwell.node')));
  },

  ...Object.fromEntries(
    (short ? ['npm'] : ['npm', 'npm@10', 'npm@11']).map((npm) => [
      `k8_${npm.replace('@', '_')}_a_lock_file_of_macos_installs_on_linux`,
      (t) => lockFileOfAnotherPlatform(t, npm, tools),
    ]),
  ),

  ...(short
    ? {}
    : {
        async k8_pnpm(t) {
          const user = await project(t, { packages: await morePackages() });
          const pnpm = path.join(tools, 'pnpm@10/node_modules/.bin/pnpm');
          if (!existsSync(pnpm)) return { missing: 'npm cannot install pnpm' };
          await user.npm('pkg', 'set', 'pnpm.supportedArchitectures.os[]=darwin', 'pnpm.supportedArchitectures.cpu[]=arm64');
          await succeed(pnpm, ['add', 'tokenwell'], { cwd: user.directory, env: user.env });
          const error = await user.fails();
          assert.match(error, /tokenwell .* for linux-x64-gnu is not installed/);
          await user.npm('pkg', 'delete', 'pnpm');
          rmSync(user.path('node_modules'), { recursive: true });
          await succeed(pnpm, ['install', '--frozen-lockfile'], { cwd: user.directory, env: { ...user.env, CI: 'true' } });
          await user.works();
        },

        async k8_yarn_node_modules(t) {
          return yarn(t, tools, 'node-modules', (user) => user.works());
        },

        async k8_yarn_pnp(t) {
          return yarn(t, tools, 'pnp', async (user) => {
            for (const args of [['hello.cjs'], ['--loader', './.pnp.loader.mjs', 'hello.mjs']]) {
              const { stdout, stderr, code } = await user.run('node', ['--require', './.pnp.cjs', ...args], { NODE_NO_WARNINGS: '1' });
              assert.equal(code, 0, stderr);
              assert.match(stdout, /^Bearer ey/);
            }
            assert.ok(existsSync(user.path('.yarn/unplugged')), 'the addon was not unplugged');
          });
        },
      }),

  async the_tests_of_the_wrapper_pass_with_the_installed_package(t) {
    const user = await installed(t);
    // The tests, away from the source. The development dependencies are needed only by the long form.
    cpSync(path.join(ROOT, 'bindings/node/test'), user.path('test'), { recursive: true });
    const all = ['environment', 'errors', 'gets', 'lifetimes', 'loading', 'realms', 'token', 'fetch'];
    const names = short ? ['loading', 'realms', 'token'] : all;
    const env = { TOKENWELL_NODE_PACKAGE: user.path('node_modules/tokenwell'), TOKENWELL_BIN: COMMAND };
    const { code, stdout, stderr } = await user.run('node', ['--test', '--test-reporter=tap', ...names.map((name) => `test/${name}.test.mjs`)], env);
    assert.equal(code, 0, stdout.split('\n').filter((line) => !/^ok/.test(line)).join('\n') + stderr);
    const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)[1]);
    assert.ok(count('pass') >= (short ? 15 : 80), stdout);
    return `${count('pass')} passed, ${count('skipped')} for the staged tree only`;
  },

  async the_vectors_pass_with_the_installed_package(t) {
    const user = await installed(t);
    cpSync(path.join(ROOT, 'bindings/node/test/shim.mjs'), user.path('shim.mjs'));
    const runner = process.env.VECTORS;
    if (!runner) return { missing: 'cargo is missing: it runs the vectors' };
    const shim = `node=env TOKENWELL_NODE_PACKAGE=${user.path('node_modules/tokenwell')} node ${user.path('shim.mjs')}`;
    const { code, stdout, stderr } = await run('sh', ['-c', `${runner} --shim "$SHIM"${short ? ' --case secret' : ''}`], { cwd: ROOT, env: { ...process.env, HOME: process.env.REAL_HOME, SHIM: shim }, timeout: 900_000 });
    assert.equal(code, 0, `${stdout}${stderr}`);
    return stdout.trim().split('\n').at(-1);
  },
});

async function lockFileOfAnotherPlatform(t, name, tools) {
  const user = await project(t, { packages: await morePackages() });
  const npm = name === 'npm' ? 'npm' : path.join(tools, name, 'node_modules/.bin/npm');
  if (name !== 'npm' && !existsSync(npm)) return { missing: `npm cannot install ${name}` };
  const call = (...args) => succeed(npm, args, { cwd: user.directory, env: user.env });

  await call('install', ...LOCK_OPTIONS, 'tokenwell');
  assert.deepEqual(user.installed(), ['darwin-arm64']);
  await call('ci');

  // npm 10 does not write `libc` to the lock file, and installs the packages for both C libraries.
  const installed = user.installed();
  assert.deepEqual(installed.filter((each) => each !== 'linux-x64-musl'), [NAME]);
  await user.works();
  return `npm ${(await call('--version')).trim()} installs ${installed.join(' and ')}`;
}

async function yarn(t, tools, linker, works) {
  const user = await project(t, { packages: await morePackages() });
  const program = path.join(tools, '@yarnpkg_cli-dist@4/node_modules/@yarnpkg/cli-dist/bin/yarn.js');
  if (!existsSync(program)) return { missing: 'npm cannot install yarn' };
  const settings = (architectures) =>
    [
      `nodeLinker: ${linker}`,
      `npmRegistryServer: '${user.registry.url}'`,
      "unsafeHttpWhitelist: ['127.0.0.1']",
      'enableTelemetry: false',
      'enableGlobalCache: false',
      'npmMinimalAgeGate: 0',
      'pnpEnableEsmLoader: true',
      architectures,
    ].join('\n');
  const call = (...args) => succeed('node', [program, ...args], { cwd: user.directory, env: user.env });
  writeFileSync(user.path('yarn.lock'), '');
  writeFileSync(user.path('.yarnrc.yml'), settings('supportedArchitectures: { os: [darwin], cpu: [arm64] }\n'));
  await call('add', 'tokenwell');
  writeFileSync(user.path('.yarnrc.yml'), settings(''));
  await call('install', '--immutable');
  await works(user);
  return `yarn ${(await call('--version')).trim()}`;
}
