// One true message for each reason why the addon cannot be used: what was found, what is needed, and the command that repairs it.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NAME, VERSION, installed, morePackages, project, run, sizeOf, succeed } from './support.mjs';

// What is written for one reason only. Every message must contain exactly the one for its own.
const REASONS = {
  notPublished: 'may not have been published yet',
  otherPlatform: 'is not installed, only for another platform',
  notAvailable: 'is not available for',
  noFile: 'contains no tokenwell.node',
  truncated: 'is truncated',
  otherSystem: 'is not a library for Linux',
  otherProcessor: 'but this Node.js runs as',
  loader: 'cannot be loaded:',
  otherVersion: 'is needed',
};
const ADDON = `node_modules/@tokenwell/${NAME}/tokenwell.node`;
const REPAIR = 'rm -rf node_modules && npm install';
const pretend = (values) => `for (const [name, value] of ${JSON.stringify(Object.entries(values))}) Object.defineProperty(process, name, { value });`;

export const messages = ({ short }) => ({
  async k4_optional_dependencies_were_omitted(t) {
    const user = await installed(t);
    await user.npm('ci', '--omit=optional');

    const error = await user.fails();

    only('notPublished', error);
    assert.match(error, new RegExp(`^LibraryError: tokenwell ${VERSION} for ${NAME} is not installed: it may not have been published yet:\\n {2}@tokenwell/${NAME}: not installed\\n`));
    await repairedBy(user, error, 'npm install --include=optional');
  },

  async k3_a_registry_without_the_package_of_this_platform(t) {
    const user = await project(t);
    const versions = user.registry.packages.get(`@tokenwell/${NAME}`);
    const [entry] = [...versions];
    versions.clear();
    await user.npm('install', 'tokenwell');

    const error = await user.fails();

    only('notPublished', error);
    // Then it is published, and the command of the message says so.
    versions.set(...entry);
    assert.match(error, new RegExp(`npm view @tokenwell/${NAME}@${VERSION} version`));
    assert.equal((await user.npm('view', `@tokenwell/${NAME}@${VERSION}`, 'version')).trim(), VERSION);
    await repairedBy(user, error, 'npm install --include=optional', 'rm -rf node_modules package-lock.json && npm install --include=optional');
  },

  async k8_a_lock_file_that_lacks_this_platform(t) {
    const user = await installed(t);
    // As npm writes it where node_modules of another platform exists and the lock file does not: npm/cli#4828.
    const lock = JSON.parse(readFileSync(user.path('package-lock.json')));
    delete lock.packages[`node_modules/@tokenwell/${NAME}`];
    writeFileSync(user.path('package-lock.json'), JSON.stringify(lock));
    rmSync(user.path('node_modules'), { recursive: true });
    await user.npm('install', '--offline').catch(() => user.npm('install'));
    rmSync(user.path('node_modules/@tokenwell'), { recursive: true, force: true });

    const error = await user.fails();

    only('notPublished', error);
    assert.match(error, /delete node_modules and package-lock\.json/);
    await repairedBy(user, error, 'rm -rf node_modules package-lock.json && npm install --include=optional');
  },

  async k4_node_modules_of_macos_and_of_alpine(t) {
    const systems = [
      [['--os=linux', '--cpu=x64', '--libc=musl'], 'linux-x64-musl'],
      [['--os=darwin', '--cpu=arm64'], 'darwin-arm64'],
    ];
    for (const [args, other] of short ? systems.slice(0, 1) : systems) {
      const user = await project(t, { packages: await morePackages() });
      await user.npm('install', ...args, 'tokenwell');
      // k7: exactly that package.
      assert.deepEqual(user.installed(), [other]);

      const error = await user.fails();

      only('otherPlatform', error);
      assert.ok(error.includes(`@tokenwell/${NAME}: not installed\n  @tokenwell/${other}: installed in ${user.path('node_modules/@tokenwell', other)}`), error);
      await repairedBy(user, error, REPAIR);
    }
  },

  async k4_x64_node_with_packages_for_arm64(t) {
    const user = await project(t, { packages: await morePackages() });
    await user.npm('install', '--os=darwin', '--cpu=arm64', 'tokenwell');
    writeFileSync(user.path('rosetta.cjs'), pretend({ platform: 'darwin', arch: 'x64' }));

    const error = await user.fails(['--require', './rosetta.cjs']);

    only('otherPlatform', error);
    assert.match(error, /tokenwell \S+ for darwin-x64 is not installed, only for another platform/);
    assert.match(error, /@tokenwell\/darwin-arm64: installed in/);
    assert.match(error, /with the Node\.js for darwin-x64 that runs the program/);
  },

  async k4_a_platform_without_a_package(t) {
    const user = await installed(t);
    writeFileSync(user.path('other.cjs'), pretend({ platform: 'win32', arch: 'arm64' }));

    const error = await user.fails(['--require', './other.cjs']);

    only('notAvailable', error);
    assert.match(error, new RegExp(`tokenwell ${VERSION} is not available for win32-arm64:\\n {2}win32-arm64: only ${NAME} is supported\\nUse Node\\.js for ${NAME}\\.`));
  },

  async k7_musl_and_glibc_side_by_side(t) {
    const user = await project(t, { packages: await morePackages() });
    await user.npm('install', 'tokenwell');
    const kept = user.path('node_modules/@tokenwell', NAME);
    renameSync(kept, user.path('kept'));
    await user.npm('install', '--force', '--os=linux', '--cpu=x64', '--libc=musl', 'tokenwell');
    renameSync(user.path('kept'), kept);
    assert.deepEqual(user.installed(), [NAME, 'linux-x64-musl']);

    await user.works();
    // Also if it is not known which C library this is.
    const blind = `
      const fs = require('node:fs');
      const { readFileSync } = fs;
      fs.readFileSync = (file, ...more) => {
        if (file === '/proc/self/maps') throw new Error('no /proc');
        return readFileSync(file, ...more);
      };
      Object.defineProperty(process, 'report', { value: undefined });`;
    writeFileSync(user.path('blind.cjs'), blind);
    const { stdout, stderr } = await user.run('node', ['--require', './blind.cjs', '--eval', "console.log(require('tokenwell').libraryVersion())"]);
    assert.equal(stdout.trim(), VERSION, stderr);
    const { stdout: traced } = await user.run('node', ['--require', './blind.cjs', '--print', "require('./node_modules/tokenwell/lib/platform.js').candidates().join()"]);
    assert.equal(traced.trim(), `${NAME},linux-x64-musl`);
  },

  async k4_a_file_of_another_platform_in_the_package(t) {
    const user = await project(t, { packages: await morePackages() });
    await user.npm('install', '--force', '--os=linux', '--cpu=x64', '--libc=musl', 'tokenwell');
    const musl = readFileSync(user.path('node_modules/@tokenwell/linux-x64-musl/tokenwell.node'));
    await user.npm('install', '--os=linux', '--cpu=x64', '--libc=glibc', 'tokenwell');
    const addon = user.path(ADDON);
    rmSync(addon);
    writeFileSync(addon, musl);

    const error = await user.fails();

    only('loader', error);
    // The whole message of the loader.
    const { stdout } = await user.run('node', ['--eval', `try { require(${JSON.stringify(addon)}) } catch (error) { console.log(error.message) }`]);
    assert.match(stdout, /libc\.musl-x86_64\.so\.1/);
    assert.ok(error.includes(`${addon}: cannot be loaded: ${stdout.trim()}`), error);
    await repairedBy(user, error, REPAIR);
  },

  async k4_a_damaged_file(t) {
    const user = await installed(t);
    const addon = user.path(ADDON);
    copyFileSync(addon, user.path('whole'));
    const size = sizeOf(addon);
    const cases = [
      ['truncated', () => truncateSync(addon, 0), 'is truncated: it has only 0 bytes'],
      ['truncated', () => truncateSync(addon, size >> 1), `is truncated: it has ${size >> 1} of ${size} bytes`],
      ['truncated', () => truncateSync(addon, size - 1), `is truncated: it has ${size - 1} of ${size} bytes`],
      ['otherSystem', () => writeFileSync(addon, 'version https://git-lfs.github.com/spec/v1\n'.repeat(3)), 'it begins with the bytes 76657273'],
      ['otherProcessor', () => patch(addon, 18, 183), 'is for arm64, but this Node.js runs as x64'],
      ['loader', () => writeFileSync(addon, readFileSync(process.env.STRANGER)), 'cannot be loaded: Module did not self-register'],
      ['noFile', () => rmSync(addon), `${path.dirname(addon)}: contains no tokenwell.node`],
    ];
    process.env.STRANGER = await stranger(user.directory);
    for (const [reason, damage, found] of cases) {
      rmSync(addon, { force: true });
      copyFileSync(user.path('whole'), addon);
      damage();

      const error = await user.fails();

      only(reason, error);
      assert.ok(error.includes(found), `${found} is not in ${error}`);
      assert.match(error, /Delete node_modules and run `npm install`/);
    }
    await repairedBy(user, 'Delete node_modules and run `npm install`', REPAIR);
    return `${cases.length} kinds of damage`;
  },

  async k4_a_package_of_another_version(t) {
    const user = await installed(t);
    const loader = user.path('node_modules/tokenwell/lib/platforms.js');
    writeFileSync(loader, readFileSync(loader, 'utf8').replace(`version = '${VERSION}'`, "version = '9.8.7'"));

    const error = await user.fails();

    only('otherVersion', error);
    assert.ok(error.includes(`${user.path(ADDON)}: has version ${VERSION}, but version 9.8.7 is needed`), error);
    await repairedBy(user, error, REPAIR);
  },

  async k4_another_abi_version_of_TOKENWELL_LIBRARY(t) {
    const user = await installed(t);
    const library = user.path('other.so');
    await succeed(process.env.CC || 'cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', library], { input: 'unsigned tokenwell_abi_version(void) { return 999; }\n' });

    const error = await user.fails([], { TOKENWELL_LIBRARY: library });

    assert.match(error, /TOKENWELL_LIBRARY=\S+other\.so: has ABI version 999, but this package requires 1\n.*or unset it/);
    await user.works();
  },

  async k4_addons_are_switched_off(t) {
    const user = await installed(t);

    const error = await user.fails(['--no-addons']);

    only('loader', error);
    assert.match(error, /cannot be loaded: Cannot load native addon because loading addons is disabled\.\nStart Node\.js without --no-addons\./);
  },

  async k4_a_mount_without_programs(t) {
    if (process.getuid() !== 0) return { missing: 'only root can mount a file system' };
    const user = await installed(t);
    const script = 'mount -t tmpfs -o noexec tmpfs "$1" && cp -R "$2"/. "$1" && cd "$1" && exec node hello.cjs';
    const mounted = user.path('mounted');
    mkdirSync(mounted);
    const copy = user.path('copy');
    await succeed('sh', ['-c', 'mkdir "$1" && cp -R node_modules hello.cjs package.json "$1"', 'sh', copy], { cwd: user.directory });
    const { code, stderr } = await user.run('unshare', ['--mount', 'sh', '-c', script, 'sh', mounted, copy]);
    if (/mount: .*permission denied|unshare failed/i.test(stderr)) return { missing: `this container cannot mount a file system: ${stderr.trim()}` };

    assert.equal(code, 1);
    only('loader', stderr.slice(stderr.indexOf('LibraryError: ')));
    assert.match(stderr, /failed to map segment from shared object.*\n.*install the program elsewhere/);
    return undefined;
  },

  async k13_a_message_of_the_command(t) {
    const user = await project(t);
    await user.npm('install', '--omit=optional', '@tokenwell/cli');

    const { code, stdout, stderr } = await user.run('node_modules/.bin/tokenwell', ['token']);

    assert.deepEqual([code, stdout], [127, '']);
    assert.match(stderr, new RegExp(`^tokenwell ${VERSION} for ${NAME} is not installed: it may not have been published yet:\\n {2}@tokenwell/cli-${NAME}: not installed\\nRun`));
    assert.match(stderr, /npm install --include=optional/);
    await user.npm('install', '--include=optional');
    assert.match((await user.run('node_modules/.bin/tokenwell', ['token'])).stdout, /^ey/);
  },
});

function only(reason, message) {
  const found = Object.keys(REASONS).filter((name) => message.includes(REASONS[name]));
  assert.deepEqual(found, [reason], message);
}

/** Runs the commands of a message one after another, until the program works. */
async function repairedBy(user, message, ...commands) {
  for (const [index, command] of commands.entries()) {
    for (const words of command.match(/npm install[^&]*|node_modules( and)? package-lock\.json/g)) {
      const quoted = words.includes('package-lock') ? 'node_modules and package-lock.json' : words.trim();
      assert.ok(message.includes(quoted), `${quoted} is not in ${message}`);
    }
    await succeed('sh', ['-c', command], { cwd: user.directory, env: user.env });
    const { code } = await run('node', ['hello.cjs'], { cwd: user.directory, env: user.env });
    if (code === 0) return user.works();
    assert.ok(index + 1 < commands.length, `\`${command}\` does not repair it`);
  }
  return undefined;
}

/** A library that is not an addon. */
async function stranger(directory) {
  const file = path.join(directory, 'stranger.so');
  await succeed(process.env.CC || 'cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', file], { input: 'int other(void) { return 1; }\n' });
  chmodSync(file, 0o755);
  return file;
}

function patch(file, position, byte) {
  const content = readFileSync(file);
  content[position] = byte;
  writeFileSync(file, content);
}
