// The lives of service accounts in bindings/service_accounts/life.json, through the typed calls.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { startApi, ORGS } from './api.mjs';
import { tokenwell } from './support.mjs';

const LIVES = JSON.parse(readFileSync(new URL('../../service_accounts/life.json', import.meta.url), 'utf8'));

assert.equal(LIVES.length, 2);
for (const { name, level, steps } of LIVES) {
  test(`the_whole_life_of_${name}`, async (t) => {
    const { client, emulator } = await startApi(t);
    const { MONGODB_ATLAS_ORG_ID: organization, MONGODB_ATLAS_PROJECT_ID: project } = emulator.environment;
    const accounts = { organization: new tokenwell.ServiceAccounts(client, { organization }), project: new tokenwell.ServiceAccounts(client, { project }) };
    const life = { emulator, saved: { project }, secrets: {}, accounts, level };
    for (const [number, step] of steps.entries()) {
      await live(life, filled(step, life.saved)).catch((error) => {
        throw new Error(`step ${number}, ${JSON.stringify(step)}: ${error.message}`, { cause: error });
      });
    }
  });
}

async function live(life, step) {
  if (step.call === 'use') return assert.equal(await use(life, life.secrets[step.secret]), step.outcome);
  let result;
  try {
    result = await call(life, step);
  } catch (error) {
    if (!(error instanceof tokenwell.ApiError)) throw error;
    return assert.equal(error.status, step.error, error.message);
  }
  assert.equal(step.error, undefined);
  if (step.save_secret !== undefined) life.secrets[step.save_secret] = result.secret;
  const shown = JSON.stringify(result);
  if (step.result !== undefined) assert.ok(fits(step.result, result), shown);
  if (step.contains !== undefined) assert.ok(result.some((each) => fits(step.contains, each)), shown);
  if (step.lacks !== undefined) assert.ok(!result.some((each) => fits(step.lacks, each)), shown);
  if (step.count !== undefined) assert.equal(result.length, step.count, shown);
  for (const [name, path] of Object.entries(step.save ?? {})) life.saved[name] = path.split('.').reduce((value, part) => value[part], result);
}

async function call({ accounts, level, saved }, step) {
  const name = step.call.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  const own = step.call === 'create' || step.call === 'list' ? [] : [saved.id];
  const passed = ['hours', 'id_of_secret', 'networks', 'network', 'roles', 'attributes'].filter((each) => each in step).map((each) => step[each]);
  const result = accounts[step.level ?? level][name](...own, ...passed);
  if (result[Symbol.asyncIterator] === undefined) return result;
  const all = [];
  for await (const each of result) all.push(each);
  return all;
}

/** Gets a token as the account, and sends one request with it. */
async function use({ emulator, saved }, secret) {
  const client = new tokenwell.Client({ ...emulator.options, clientId: saved.id, clientSecret: secret.value });
  try {
    return (await client.request('GET', ORGS)).ok ? 'accepted' : 'refused';
  } catch (error) {
    if (error instanceof tokenwell.CredentialRejectedError) return 'rejected';
    throw error;
  } finally {
    client.close();
  }
}

function filled(value, saved) {
  if (typeof value === 'string') return value.startsWith('$') ? saved[value.slice(1)] : value;
  if (Array.isArray(value)) return value.map((each) => filled(each, saved));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filled(each, saved)]));
  return value;
}

/** Whether `found` has all that is expected. A star is any string. */
function fits(expected, found) {
  if (expected === '*') return typeof found === 'string' && found !== '';
  if (Array.isArray(expected)) return Array.isArray(found) && found.length === expected.length && expected.every((each, index) => fits(each, found[index]));
  if (typeof expected === 'object') return typeof found === 'object' && Object.entries(expected).every(([name, each]) => fits(each, found[name]));
  return expected === found;
}
