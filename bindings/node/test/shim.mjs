// The Node shim for the shared test vectors; tests/vectors/README.md describes its protocol.
// Run as `node bindings/node/test/shim.mjs`.
import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const dist = process.env.DIST || fileURLToPath(new URL('../../../dist', import.meta.url));
const directory = process.env.TOKENWELL_NODE_PACKAGE ?? path.join(dist, 'node');
// The vectors are for the library in the addon. The other variable is not one of tokenwell.
delete process.env.TOKENWELL_LIBRARY;
delete process.env.TOKENWELL_NODE_PACKAGE;
const { Client, TokenwellError, libraryVersion } = await import(pathToFileURL(path.join(directory, 'index.mjs')));

const requests = {
  hello: () => `ok node ${libraryVersion()}`,
  set: (name, value) => {
    settings.push([optionName(string(name)), stringOrBytes(value)]);
    return 'ok';
  },
  client: (fromEnvironment) => {
    const options = Object.fromEntries(settings);
    settings = [];
    client = undefined;
    client = fromEnvironment === '1' ? Client.fromEnv(options) : new Client(options);
    return 'ok';
  },
  token: async (...options) => {
    const token = await client.token(getOptions(...options));
    return `ok ${encoded(token.value)} ${token.expiresAt.getTime()}`;
  },
  authorization: async () => `ok ${encoded(await client.authorization())}`,
  together: async (count, ...options) => {
    const started = Array.from({ length: Number(count) }, () => client.token(getOptions(...options)));
    return many(await Promise.allSettled(started));
  },
  loop: async (count) => {
    const outcomes = [];
    for (let i = 0; i < Number(count); i += 1) outcomes.push((await Promise.allSettled([client.token()]))[0]);
    return many(outcomes);
  },
  invalidate: async (value) => {
    await client.invalidate(string(value));
    return 'ok';
  },
  revoke: async (deadline) => {
    await client.revoke(deadline === '-' ? {} : { deadlineMs: BigInt(deadline) });
    return 'ok';
  },
  request: async (method, path, version, query, body, maxBody, deadline) => {
    const options = {};
    if (version !== '-') options.version = string(version);
    if (query !== '-') options.query = query.split(',').map((pair) => pair.split('=').map(string));
    if (body !== '-') options.body = bytes(body);
    if (maxBody !== '-') options.maxBody = BigInt(maxBody);
    if (deadline !== '-') options.deadlineMs = BigInt(deadline);
    const response = await client.request(string(method), string(path), options);
    const headers = response.headerList.map(([name, value]) => ` ${encoded(name)}=${encoded(value)}`).join('');
    return `response ${response.status} ${encoded(response.body)}${headers}`;
  },
  stats: () => `stats ${Object.entries(client.stats()).map(([name, count]) => `${sharedName(name)}=${count}`).join(' ')}`,
  advance: (ms) => {
    client.advanceClock(BigInt(ms));
    return 'ok';
  },
  close: () => {
    client.close();
    return 'ok';
  },
  base_url: () => `ok ${client.baseUrl === null ? '-' : encoded(client.baseUrl)}`,
  sources: () => ['sources', ...Object.entries(client.sources).map(([name, source]) => `${name}=${encoded(source)}`)].join(' '),
};

class Unimplemented extends Error {}

let settings = [];
let client;

for await (const line of createInterface({ input: process.stdin })) {
  const [request, ...fields] = line.split(' ');
  if (request === 'quit') break;
  console.log(await answer(request, fields));
}
console.log('ok');
process.exit(0);

async function answer(request, fields) {
  try {
    return await requests[request](...fields);
  } catch (error) {
    if (error instanceof Unimplemented) return `unimplemented ${encoded(error.message)}`;
    if (!(error instanceof TokenwellError)) throw error;
    const { code, status, httpStatus, retryAfterMs, message, hint, oauthCode, isRemembered, ageMs, attempts } = error;
    const strings = [message, hint, String(error)].map(encoded).join(' ');
    const cause = `${oauthCode === null ? '-' : encoded(oauthCode)} ${Number(isRemembered)} ${ageMs} ${attempts}`;
    return `error ${status} ${code} ${httpStatus ?? '-'} ${retryAfterMs ?? '-'} ${strings} ${cause}`;
  }
}

function getOptions(minTtl, deadline, force) {
  const options = {};
  if (minTtl !== '-') options.minTtlMs = BigInt(minTtl);
  if (deadline !== '-') options.deadlineMs = BigInt(deadline);
  if (force === '1') options.forceRefresh = true;
  return Object.keys(options).length === 0 ? undefined : options;
}

function many(outcomes) {
  const values = outcomes.filter((each) => each.status === 'fulfilled').map((each) => each.value.value);
  const errors = outcomes.filter((each) => each.status === 'rejected').map((each) => each.reason);
  const stray = errors.find((error) => !(error instanceof TokenwellError));
  if (stray !== undefined) throw stray;
  const firstValue = values.length > 0 ? encoded(values[0]) : '-';
  return `many ${values.length} ${new Set(values).size} ${firstValue} ${errors.length} ${errors[0]?.code ?? '-'}`;
}

function string(field) {
  const value = bytes(field);
  if (!isUtf8(value)) throw new Unimplemented('names and tokens are strings here, and a string is never invalid UTF-8');
  return value.toString();
}

function bytes(field) {
  return Buffer.from(field.slice(1), 'hex');
}

/** Returns a string, or bytes if the field is not valid UTF-8. */
function stringOrBytes(field) {
  const value = bytes(field);
  return isUtf8(value) ? value.toString() : value;
}

function encoded(value) {
  return `x${Buffer.from(value).toString('hex')}`;
}

/** Converts `client_id` to `clientId`, so that the test cases use the names that callers use. */
function optionName(setting) {
  return setting.replace(/(?<=[a-z])_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function sharedName(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
