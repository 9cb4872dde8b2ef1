#!/usr/bin/env node
'use strict';

// Starts the command of this platform, passes signals on to it, and ends as it does.

const { spawn } = require('node:child_process');
const { closeSync, openSync, statSync } = require('node:fs');
const { constants } = require('node:os');
const { problemOf } = require('./binary_file.js');
const { fileOf, reasonForMissing, supported } = require('./platform_package.js');

// As a shell does for a command that it does not find.
const NOT_FOUND = 127;
const INSTALL_AGAIN = 'Delete node_modules and run `npm install`. A global package: `npm install --global @tokenwell/cli`.';
const NOT_PUBLISHED = [
  'Run `npm install --include=optional`, because it is an optional dependency of @tokenwell/cli.',
  'For a global package, run `npm install --global --include=optional @tokenwell/cli`.',
  'If @tokenwell/cli was installed from a file, install the file of the package for this platform too.',
  'If it is still missing, the lock file lacks it: delete node_modules and package-lock.json, and run the command again.',
].join('\n');

const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'];
const TYPED = ['SIGINT', 'SIGQUIT'];
// There is too little of something for another process.
const EXHAUSTED = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'];
// Node.js ignores them, until a listener has come and gone.
const IGNORED_BY_NODE = ['SIGPIPE', 'SIGXFSZ'];

start();

function start() {
  const { known, reason } = supported();
  if (reason !== undefined) return report(reason);
  const name = known.find((each) => fileOf(each) !== undefined);
  if (name === undefined) return report(reasonForMissing(known[0], unusable, NOT_PUBLISHED));
  const file = fileOf(name);
  const wrong = problemOf(file, 'program');
  if (wrong !== undefined) return report(unusable(file, wrong));
  return run(file);
}

function run(program) {
  // Handlers first: a signal that comes while the command starts is passed on as well.
  let child;
  for (const signal of FORWARDED) process.on(signal, () => child?.kill(signal));
  // A terminal sends what is typed to the command too, and a second signal would end a program like terraform immediately.
  for (const signal of TYPED) process.on(signal, () => hasTerminal() || child?.kill(signal));
  try {
    child = spawn(program, process.argv.slice(2), { argv0: 'tokenwell', stdio: 'inherit' });
  } catch (error) {
    report(notStarted(program, error));
    return;
  }
  child.on('error', (error) => report(notStarted(program, error)));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    // Used only if the signal does not end this process.
    process.exitCode = 128 + constants.signals[signal];
    if (IGNORED_BY_NODE.includes(signal)) process.on(signal, () => {});
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** Whether this process has a controlling terminal, also if none of its streams is one. */
function hasTerminal() {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

// ---- the errors

function report({ problem, places, hint }) {
  process.stderr.write(`${[`${problem}:`, ...places.map(({ place, found }) => `  ${place}: ${found}`), hint].join('\n')}\n`);
  process.exitCode = NOT_FOUND;
}

function unusable(place, found, hint = INSTALL_AGAIN) {
  return { problem: 'the command tokenwell cannot be started', places: [{ place, found }], hint };
}

function notStarted(program, error) {
  return unusable(program, `cannot be executed: ${error.message}`, hintFor(program, error));
}

function hintFor(program, { code }) {
  if (code === 'EACCES' && (statSync(program).mode & 0o111) !== 0) {
    return 'The file system or a security policy forbids to execute files there: install the package elsewhere.';
  }
  if (code === 'ENOENT') return 'The file exists, but not the dynamic loader that it names: use a system with the C library of the package.';
  if (code === 'ETXTBSY') return 'Another process is writing the file: run the command again when that is done.';
  if (EXHAUSTED.includes(code)) return 'This system has no more processes, memory or files for it: try again later, or raise the limit.';
  return INSTALL_AGAIN;
}
