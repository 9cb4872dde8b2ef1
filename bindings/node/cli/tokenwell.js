#!/usr/bin/env node
'use strict';

// Starts the command of this platform, passes signals on to it, and ends as it does.

const { spawn } = require('node:child_process');
const { candidates } = require('./platform.js');
// Made by packaging/node_platforms.mjs.
const { packages, version } = require('./platforms.js');

// As a shell does for a command that it does not find.
const NOT_FOUND = 127;

const file = find();
if (file !== undefined) run(file);

function find() {
  const names = candidates();
  const known = names.filter((name) => Object.hasOwn(packages, name));
  if (known.length === 0) {
    return report(`tokenwell ${version} is not available for ${names[0]}`, `Use Node.js for ${Object.keys(packages).join(', ')}.`);
  }
  for (const name of known) {
    const found = resolved(`${packages[name]}/tokenwell`);
    if (found !== undefined) return found;
  }
  return report(
    `tokenwell ${version} for ${known[0]} is not installed: it may not have been published yet`,
    [
      `The package ${packages[known[0]]} is an optional dependency of @tokenwell/cli. Install it with \`npm install --include=optional\`,`,
      'or with `npm install --global --include=optional @tokenwell/cli`. If it is still missing, delete node_modules and package-lock.json first.',
    ].join('\n'),
  );
}

function resolved(name) {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

function run(program) {
  // Handlers first: a signal that comes while the command starts is passed on as well.
  const forwarded = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'];
  const typed = ['SIGINT', 'SIGQUIT'];
  // A terminal sends what is typed to the command too, and a second signal would end a program like terraform immediately.
  const onTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  for (const signal of [...forwarded, ...typed]) {
    process.on(signal, () => {
      if (!onTerminal || forwarded.includes(signal)) child.kill(signal);
    });
  }
  const child = spawn(program, process.argv.slice(2), { argv0: 'tokenwell', stdio: 'inherit' });
  child.on('error', (error) => report(`${program} cannot be started: ${error.message}`, 'Delete node_modules and run `npm install`.'));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function report(problem, hint) {
  process.stderr.write(`${problem}.\n${hint}\n`);
  process.exitCode = NOT_FOUND;
}
