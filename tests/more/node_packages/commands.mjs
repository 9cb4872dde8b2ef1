// The command as an npm package: the program of the platform behind a launcher in JavaScript.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NAME, VERSION, installed, morePackages, project, succeed } from './support.mjs';

// A program that ends by itself if no signal comes.
const LOOP = 'for i in $(seq 400); do sleep 0.05; done';
const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
// Node.js ignores the first two.
const NOT_FORWARDED = ['SIGPIPE', 'SIGXFSZ', 'SIGSEGV', 'SIGKILL'];
const CANNOT_START = 'the command tokenwell cannot be started:';
const REPAIR = 'Delete node_modules and run `npm install`';

export const commands = () => ({
  async the_command_installs_and_prints_a_token(t) {
    const user = await installed(t, '@tokenwell/cli');

    assert.deepEqual(user.installed(), ['cli', `cli-${NAME}`]);
    const { stdout, code } = await user.run('npx', ['--no-install', 'tokenwell', 'token']);
    assert.equal(code, 0);
    assert.match(stdout, /^ey/);
    assert.equal((await user.run('npx', ['--no-install', 'tokenwell', '--version'])).stdout.trim(), `tokenwell ${VERSION}`);
    // Installed globally, as the page says.
    await user.npm('install', '--global', '--prefix', user.path('global'), '@tokenwell/cli');
    assert.match(await succeed(user.path('global/bin/tokenwell'), ['token'], { cwd: user.directory, env: user.env }), /^ey/);
  },

  async exit_codes_arguments_and_streams_are_passed_on(t) {
    const user = await installedCommand(t);

    assert.deepEqual(await outcome(user, ['token', '--no-such-flag']), { code: 2, signal: null });
    assert.deepEqual(await outcome(user, ['exec', '--', 'sh', '-c', 'exit 37']), { code: 37, signal: null });
    assert.deepEqual(await outcome(user, ['token'], { MONGODB_ATLAS_CLIENT_SECRET: '' }), { code: 3, signal: null });
    const { stdout, stderr } = await user.run(user.command, ['exec', '--', 'sh', '-c', 'cat; printf "%s|" "$@"; echo error >&2', 'sh', 'a b', '', '*'], {});
    assert.deepEqual([stdout, stderr], ['a b||*|', 'error\n']);
  },

  async a_signal_reaches_the_program_and_ends_the_launcher_in_the_same_way(t) {
    const user = await installedCommand(t);
    for (const signal of SIGNALS) {
      // A program that handles the signal, and one that does not.
      const handled = await signalled(user, signal, `trap 'exit 41' ${signal.slice(3)}; echo ready; ${LOOP}`);
      assert.deepEqual(handled, { code: 41, signal: null }, signal);
      const fatal = await signalled(user, signal, 'ulimit -c 0; echo ready; exec sleep 20');
      assert.deepEqual(fatal, { code: null, signal }, signal);
    }
    return SIGNALS.join(' ');
  },

  async a_signal_that_ends_only_the_program_ends_the_launcher_in_the_same_way(t) {
    const user = await installedCommand(t);
    for (const signal of NOT_FORWARDED) {
      const ended = await outcome(user, ['exec', '--', 'bash', '-c', `ulimit -c 0; kill -${signal.slice(3)} $$; exit 42`]);
      assert.deepEqual(ended, { code: null, signal }, signal);
    }
    return NOT_FORWARDED.join(' ');
  },

  async what_is_typed_on_a_terminal_reaches_the_program_once(t) {
    const user = await installedCommand(t);
    // The terminal sends the signal to both processes. The program counts how often it gets it.
    const program = "trap 'count=$((count+1))' INT; count=0; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; echo counted $count; exit 9";
    writeFileSync(user.path('count.sh'), program);
    writeFileSync(user.path('terminal.py'), TERMINAL);
    if ((await user.run('sh', ['-c', 'command -v python3'])).code !== 0) return { missing: 'python3 is missing: it opens a terminal' };
    // Also if no stream is a terminal: `tokenwell … </dev/null 2>&1 | tee log`.
    for (const streams of ['terminal', 'pipes']) {
      const command = [user.command, 'exec', '--', 'sh', user.path('count.sh')];
      const { stdout, stderr, code } = await user.run('python3', ['terminal.py', streams, ...command]);
      assert.match(stdout, /counted 1/, `${streams}: ${stderr}`);
      assert.equal(code, 9, streams);
    }
    return undefined;
  },

  async a_program_that_cannot_be_started_is_one_message(t) {
    const user = await installedCommand(t);
    const program = user.path('node_modules/@tokenwell', `cli-${NAME}`, 'tokenwell');
    const whole = readFileSync(program);
    const { length } = whole;
    const changed = (position, ...bytes) => {
      const content = Buffer.from(whole);
      Buffer.from(bytes).copy(content, position);
      writeFileSync(program, content);
    };
    const loader = '/lib64/ld-linux-x86-64.so.2';
    const cases = [
      ['is truncated: it has only 0 bytes', REPAIR, () => writeFileSync(program, '')],
      [`is truncated: it has ${length - 1} of ${length} bytes`, REPAIR, () => writeFileSync(program, whole.subarray(0, length - 1))],
      ['is not a program for Linux: it begins with the bytes 23206e6f', REPAIR, () => writeFileSync(program, '# not a program\n'.repeat(9))],
      ['is for arm64, but this Node.js runs as x64', REPAIR, () => changed(18, 183, 0)],
      ['cannot be executed: spawn', REPAIR, () => chmodSync(program, 0o644)],
      ['cannot be executed: spawn', 'the dynamic loader that it names', () => changed(whole.indexOf(loader) + 1, ...Buffer.from('sys'))],
      [`${path.dirname(program)}: contains no tokenwell\n`, REPAIR, () => rmSync(program)],
    ];
    for (const [found, hint, damage] of cases) {
      rmSync(program, { force: true });
      writeFileSync(program, whole, { mode: 0o755 });
      damage();
      const place = found.startsWith('/') ? '' : `${program}: `;
      await isOneMessage(await user.run(user.command, ['token']), `${CANNOT_START}\n  ${place}${found}`, hint);
    }

    // As while npm writes it.
    rmSync(program, { force: true });
    writeFileSync(program, whole, { mode: 0o755 });
    const writer = openSync(program, 'r+');
    const busy = await user.run(user.command, ['token']);
    closeSync(writer);
    await isOneMessage(busy, `${CANNOT_START}\n  ${program}: cannot be executed: spawn ETXTBSY`, 'Another process is writing the file');
    assert.match((await user.run(user.command, ['token'])).stdout, /^ey/);
    return `${cases.length + 1} reasons`;
  },

  async a_mount_without_programs_is_one_message(t) {
    if (process.getuid() !== 0) return { missing: 'only root can mount a file system' };
    const user = await installed(t, '@tokenwell/cli');
    const script = 'mount -t tmpfs -o noexec tmpfs "$1" && cp -R "$2" "$1" && exec node "$1/node_modules/@tokenwell/cli/tokenwell.js" token';
    mkdirSync(user.path('mounted'));
    const result = await user.run('unshare', ['--mount', 'sh', '-c', script, 'sh', user.path('mounted'), user.path('node_modules')]);
    if (/mount: .*permission denied|unshare failed/i.test(result.stderr)) {
      return { missing: `this container cannot mount a file system: ${result.stderr.trim()}` };
    }

    const program = user.path('mounted/node_modules/@tokenwell', `cli-${NAME}`, 'tokenwell');
    await isOneMessage(result, `${CANNOT_START}\n  ${program}: cannot be executed: spawn ${program} EACCES`, 'install the package elsewhere');
    return undefined;
  },

  async the_command_for_another_platform_is_one_message(t) {
    const user = await project(t, { packages: await morePackages() });
    await user.npm('install', '--os=darwin', '--cpu=arm64', '@tokenwell/cli');
    assert.deepEqual(user.installed(), ['cli', 'cli-darwin-arm64']);
    const command = user.path('node_modules/.bin/tokenwell');
    const problem = `tokenwell ${VERSION} for ${NAME} is not installed, only for another platform:\n  @tokenwell/cli-${NAME}: not installed\n`;
    const other = `  @tokenwell/cli-darwin-arm64: installed in ${user.path('node_modules/@tokenwell/cli-darwin-arm64')}`;

    await isOneMessage(await user.run(command, ['token']), `${problem}${other}`, `${REPAIR} on this system`);
    await succeed('sh', ['-c', 'rm -rf node_modules && npm install'], { cwd: user.directory, env: user.env });
    assert.match((await user.run(command, ['token'])).stdout, /^ey/);
  },
});

const TERMINAL = `
import os, pty, sys
pipes = sys.argv[1] == "pipes"
reading, writing = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    if pipes:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
    os.execvp(sys.argv[2], sys.argv[2:])
os.close(writing)
source = reading if pipes else terminal
output = b""
while b"ready" not in output:
    output += os.read(source, 1000)
os.write(terminal, b"\\x03")
while True:
    try:
        piece = os.read(source, 1000)
    except OSError:
        break
    if not piece:
        break
    output += piece
_, status = os.waitpid(pid, 0)
print(output.decode())
sys.exit(os.waitstatus_to_exitcode(status))
`;

async function installedCommand(t) {
  const user = await installed(t, '@tokenwell/cli');
  return Object.assign(user, { command: user.path('node_modules/.bin/tokenwell') });
}

/** The command prints one message, which begins with `beginning`, and whose last lines contain `hint`. */
async function isOneMessage({ code, stdout, stderr }, beginning, hint) {
  assert.deepEqual([code, stdout], [127, ''], stderr);
  assert.ok(stderr.startsWith(beginning), `${stderr} does not begin with ${beginning}`);
  assert.ok(stderr.trimEnd().split('\n').slice(2).join('\n').includes(hint), `${stderr} does not contain ${hint}`);
  assert.ok(stderr.split('\n').length <= 5, stderr);
}

async function outcome(user, args, env = {}) {
  const { code, signal } = await user.run(user.command, args, env);
  return { code, signal };
}

function signalled(user, signal, script) {
  const child = spawn(user.command, ['exec', '--', 'bash', '-c', script], {
    cwd: user.directory,
    env: user.env,
    stdio: ['ignore', 'pipe', 'ignore'],
    // Without the terminal of this test: there the launcher leaves what is typed to the terminal.
    detached: true,
  });
  return new Promise((resolve) => {
    child.stdout.once('data', () => child.kill(signal));
    child.on('exit', (code, ended) => resolve({ code, signal: ended }));
  });
}
