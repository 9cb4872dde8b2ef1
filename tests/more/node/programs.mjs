// Runs the programs of this folder in processes of their own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PACKAGE } from '../../../bindings/node/test/support.mjs';

/**
 * Starts a program. It finds the package in TEST_PACKAGE and the options of a client in TEST_OPTIONS.
 * `result` resolves to what it printed when it has ended, as an object from JSON. A program that
 * fails, crashes or prints to standard error rejects it.
 */
export function start(file, { options = {}, env = {}, flags = [], node = process.execPath, code = 0 } = {}) {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(node, [...flags, script], {
    env: { ...process.env, TEST_PACKAGE: PACKAGE, TEST_OPTIONS: JSON.stringify(options), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  const lines = [];
  child.stderr.on('data', (data) => (stderr += data));
  child.stdin.on('error', () => {});
  const reader = createInterface({ input: child.stdout });
  const waiting = [];
  reader.on('line', (line) => (waiting.length > 0 ? waiting.shift()(line) : lines.push(line)));
  const result = new Promise((resolve, reject) => {
    child.on('close', (exitCode, signal) => {
      try {
        assert.deepEqual({ exitCode, signal, stderr }, { exitCode: code, signal: null, stderr: '' }, file);
        resolve(lines.length > 0 ? JSON.parse(lines.at(-1)) : undefined);
      } catch (error) {
        reject(error);
      }
    });
  });
  result.catch(() => {});
  return {
    child,
    result,
    line: () => Promise.race([lines.length > 0 ? lines.shift() : new Promise((resolve) => waiting.push(resolve)), result.then(() => Promise.reject(new Error('the program has ended')))]),
    say: (line) => child.stdin.write(`${line}\n`),
  };
}

export function threadsOf(pid) {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** Counts the threads of a process every 5 ms. `stop()` returns the largest count. */
export function sampleThreads(pid) {
  let most = threadsOf(pid);
  const timer = setInterval(() => {
    try {
      most = Math.max(most, threadsOf(pid));
    } catch {
      // The process has ended.
    }
  }, 5);
  return {
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}
