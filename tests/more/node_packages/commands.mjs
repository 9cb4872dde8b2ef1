// The command as an npm package: the program of the platform behind a launcher in JavaScript.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { NAME, VERSION, installed, succeed } from './support.mjs';

// A program that ends by itself if no signal comes.
const LOOP = 'for i in $(seq 400); do sleep 0.05; done';
const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

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

  async what_is_typed_on_a_terminal_reaches_the_program_once(t) {
    const user = await installedCommand(t);
    // The terminal sends the signal to both processes. The program counts how often it gets it.
    const program = "trap 'count=$((count+1))' INT; count=0; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; echo counted $count; exit 9";
    writeFileSync(user.path('count.sh'), program);
    writeFileSync(user.path('terminal.py'), TERMINAL);
    const { stdout, stderr, code } = await user.run('python3', ['terminal.py', user.command, 'exec', '--', 'sh', user.path('count.sh')]);
    if (/python3: not found/.test(stderr)) return { missing: 'python3 is missing: it opens a terminal' };

    assert.match(stdout, /counted 1/, stderr);
    assert.equal(code, 9);
    return undefined;
  },

  async a_program_that_cannot_be_started_is_one_message(t) {
    const user = await installedCommand(t);
    const program = user.path('node_modules/@tokenwell', `cli-${NAME}`, 'tokenwell');
    chmodSync(program, 0o644);

    const { code, stderr } = await user.run(user.command, ['token']);

    assert.equal(code, 127);
    assert.match(stderr, new RegExp(`^${program} cannot be started: spawn .*\\.\\nDelete node_modules and run`));
  },
});

const TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
output = b""
while b"ready" not in output:
    output += os.read(terminal, 1000)
os.write(terminal, b"\\x03")
while True:
    try:
        piece = os.read(terminal, 1000)
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

async function outcome(user, args, env = {}) {
  const { code, signal } = await user.run(user.command, args, env);
  return { code, signal };
}

function signalled(user, signal, script) {
  const child = spawn(user.command, ['exec', '--', 'bash', '-c', script], { cwd: user.directory, env: user.env, stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve) => {
    child.stdout.once('data', () => child.kill(signal));
    child.on('exit', (code, ended) => resolve({ code, signal: ended }));
  });
}
