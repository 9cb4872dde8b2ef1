// Compares a get of a fresh token with openid-client's check of an expiry, which stores no token,
// uses one clock only and shares nothing. Both are measured alternately in one run; the medians and
// their ratio are printed.
//
// Run as `node bench/gets.mjs`; it starts the emulator itself.
import * as openid from 'openid-client';
import { startEmulator, tokenwell } from '../test/support.mjs';

const ROUNDS = 31;
const GETS = 200_000;

const cleanups = [];
const emulator = await startEmulator({ after: (cleanup) => cleanups.push(cleanup) });
const { baseUrl, clientId, clientSecret } = emulator.options;

const client = new tokenwell.Client(emulator.options);
await client.token();
const tokens = await fetchWithOpenidClient();

const contenders = {
  'openid-client, expiresIn()': () => tokens.expiresIn() > 0 && tokens.access_token,
  'tokenwell, authorizationIfFresh()': () => client.authorizationIfFresh(),
  'tokenwell, authorization()': () => client.authorization(),
};
const awaited = { 'tokenwell, await authorization()': () => client.authorization() };

const samples = new Map();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, get] of Object.entries(contenders)) record(name, time(get));
  for (const [name, get] of Object.entries(awaited)) record(name, await timeAwaited(get));
}

const base = median(samples.get('openid-client, expiresIn()'));
for (const [name, times] of samples) {
  const ns = median(times);
  console.log(`${name.padEnd(36)} ${ns.toFixed(1).padStart(7)} ns  ${(ns / base).toFixed(2)}`);
}
client.close();
for (const cleanup of cleanups) await cleanup();

function time(get) {
  let got = 0;
  const begun = performance.now();
  for (let i = 0; i < GETS; i += 1) if (get()) got += 1;
  const took = performance.now() - begun;
  if (got !== GETS) throw new Error(`${GETS - got} gets brought nothing`);
  return (took * 1e6) / GETS;
}

async function timeAwaited(get) {
  const begun = performance.now();
  for (let i = 0; i < GETS; i += 1) await get();
  return ((performance.now() - begun) * 1e6) / GETS;
}

async function fetchWithOpenidClient() {
  // The server accepts only the raw client id and secret, which no method of openid-client sends.
  const basicRaw = (_server, _client, _body, headers) => headers.set('authorization', `Basic ${btoa(`${clientId}:${clientSecret}`)}`);
  const server = { issuer: baseUrl, token_endpoint: `${baseUrl}/api/oauth/token` };
  const config = new openid.Configuration(server, clientId, undefined, basicRaw);
  openid.allowInsecureRequests(config);
  return openid.clientCredentialsGrant(config);
}

function record(name, ns) {
  if (!samples.has(name)) samples.set(name, []);
  samples.get(name).push(ns);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
