'use strict';

// tokenwell/emulator: an emulator of MongoDB Atlas for tests. The addon is not loaded.

const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { createRequire } = require('node:module');
const path = require('node:path');
const { createInterface } = require('node:readline');
const { namedCommand } = require('./environment.js');

// It normally starts in some milliseconds.
const START_MS = 60_000;

/** A running emulator. */
class Emulator {
  #child;
  #ended;
  #ca;

  constructor(child, ended, environment) {
    this.#child = child;
    this.#ended = ended;
    this.environment = environment;
    this.baseUrl = environment.MONGODB_ATLAS_BASE_URL;
    this.clientId = environment.MONGODB_ATLAS_CLIENT_ID;
    this.clientSecret = environment.MONGODB_ATLAS_CLIENT_SECRET;
    this.orgId = environment.MONGODB_ATLAS_ORG_ID;
    this.projectId = environment.MONGODB_ATLAS_PROJECT_ID;
    this.#ca = environment.TOKENWELL_CA_FILE === undefined ? undefined : readFileSync(environment.TOKENWELL_CA_FILE);
  }

  /** The options of a client that shares no token with other tests. */
  get options() {
    const { baseUrl, clientId, clientSecret } = this;
    const caFile = this.environment.TOKENWELL_CA_FILE;
    return { baseUrl, clientId, clientSecret, cache: false, ...(caFile === undefined ? {} : { caFile }) };
  }

  counters() {
    return this.control('GET', 'counters');
  }

  async reset() {
    await this.control('POST', 'reset', {});
  }

  async faults(...faults) {
    await this.control('POST', 'faults', faults);
  }

  async configure(settings) {
    await this.control('POST', 'settings', settings);
  }

  async now() {
    return new Date((await this.control('GET', 'clock')).now_ms);
  }

  async advance(milliseconds) {
    await this.control('POST', 'clock', { advance_ms: milliseconds });
  }

  lastRequest(pathname) {
    return this.control('GET', `last_request?path=${encodeURIComponent(pathname)}`);
  }

  async control(method, name, body) {
    const { status, content } = await this.#exchange(method, `${this.baseUrl}/_emulator/${name}`, body);
    if (status >= 300) throw new Error(`the emulator rejected ${name}: ${content || status}`);
    return content === '' ? undefined : JSON.parse(content);
  }

  #exchange(method, url, body) {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const { request } = url.startsWith('https:') ? https : http;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, ca: this.#ca, agent: false, timeout: START_MS }, (reply) => {
        let content = '';
        reply.setEncoding('utf8').on('data', (part) => (content += part));
        reply.on('end', () => resolve({ status: reply.statusCode, content }));
        reply.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error(`the emulator did not answer within ${START_MS / 1000} s`)));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Ends the emulator. Another call waits for the same end. */
  async stop() {
    this.#child.ref();
    this.#child.stdin.end();
    await this.#ended;
  }
}
// From Node.js 20.5.2: `await using emulator = await startEmulator()`.
if (Symbol.asyncDispose !== undefined) {
  Emulator.prototype[Symbol.asyncDispose] = function dispose() {
    return this.stop();
  };
}

/**
 * Starts an emulator on a free port. It ends with this process, or earlier with `stop`.
 *
 * @param {object} [options]
 * @param {string[]} [options.flags] The flags of `tokenwell emulator`.
 * @param {string} [options.command] The path of the command; default: TOKENWELL_BIN, then that of the package
 *   `@tokenwell/cli`, then the one on PATH.
 */
async function startEmulator({ flags = [], command } = {}) {
  const [program, ...first] = commandLine(command);
  const child = spawn(program, [...first, 'emulator', '--until-stdin-closes', '--format', 'json', ...flags], { stdio: 'pipe' });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (part) => (said += part));
  // An emulator that has ended reads no more.
  child.stdin.on('error', () => {});
  const ended = new Promise((resolve) => child.on('close', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    const line = await Promise.race([firstLine(child.stdout), failure(child, ended, program, () => said)]);
    const emulator = new Emulator(child, ended, JSON.parse(line));
    // The emulator does not keep this process alive. It ends when its standard input closes.
    for (const each of [child, child.stdin, child.stdout, child.stderr]) each.unref();
    return emulator;
  } finally {
    clearTimeout(timer);
  }
}

function firstLine(stdout) {
  return new Promise((resolve) => createInterface({ input: stdout }).once('line', resolve));
}

/** Rejects when the program cannot be started, or has ended. */
function failure(child, ended, program, said) {
  return new Promise((_, reject) => {
    child.on('error', (error) => {
      const hint = 'Install @tokenwell/cli, or name the tokenwell command in TOKENWELL_BIN.';
      reject(new Error(`cannot start ${program}: ${error.message}. ${hint}`, { cause: error }));
    });
    ended.then((code) => reject(new Error(`\`${program} emulator\` exited with code ${code}: ${said().trim() || 'no error message'}`)));
  });
}

/** The program, and its first arguments. */
function commandLine(command) {
  const named = command || namedCommand();
  if (named) return [named];
  for (const place of [path.join(process.cwd(), 'package.json'), __filename]) {
    try {
      return [process.execPath, createRequire(place).resolve('@tokenwell/cli/tokenwell.js')];
    } catch {
      // It is not installed there.
    }
  }
  return ['tokenwell'];
}

module.exports = { startEmulator };
