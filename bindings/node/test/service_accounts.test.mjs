// The typed operations for service accounts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { inspect } from 'node:util';
import { startApi } from './api.mjs';
import { tokenwell } from './support.mjs';

const ID = 'mdb_sa_id_0123456789abcdef01234567';
const DEPLOY = { name: 'deploy', description: 'Made by a test', roles: ['ORG_MEMBER'], secretExpiresAfterHours: 8 };

async function start(t) {
  const api = await startApi(t);
  const organization = api.emulator.environment.MONGODB_ATLAS_ORG_ID;
  const requests = async () => (await api.emulator.counters()).api_requests;
  return { ...api, requests, accounts: new tokenwell.ServiceAccounts(api.client, { organization }), path: `/api/atlas/v2/orgs/${organization}/serviceAccounts` };
}

async function all(list) {
  const found = [];
  for await (const each of list) found.push(each);
  return found;
}

const upTo = (end) => Array.from({ length: end }, (_, index) => index);
/** A fault: a page with the accounts of these numbers. */
const page = (path, totalCount, numbers) => ({ path, times: 1, body: { results: numbers.map((number) => ({ clientId: `account_${number}` })), totalCount } });

test('a_new_secret_is_only_in_its_value', async (t) => {
  const { accounts } = await start(t);

  const created = await accounts.create(DEPLOY);
  const second = await accounts.createSecret(created.account.clientId, 8);

  for (const { secret, ...rest } of [created, second]) {
    assert.match(secret.value, /^mdb_sa_sk_/);
    const shown = [String(secret), JSON.stringify({ secret, rest }), inspect({ secret, rest }, { depth: 9, showHidden: true }), `${secret}`];
    for (const each of shown) assert.ok(!each.includes(secret.value), 'shows the secret');
    assert.match(shown[1], /"secret":"\[Secret redacted\]"/);
  }
  assert.notEqual(created.secret.value, second.secret.value);
  assert.throws(() => (created.account.roles[0] = 'x'), TypeError);
});

test('an_error_status_is_an_error_with_the_words_of_the_api', async (t) => {
  const { accounts, emulator, path, requests } = await start(t);
  const body = { error: 429, errorCode: 'RATE_LIMITED', detail: 'Too\u001b[31m many', parameters: [1] };
  await emulator.faults([{ path: `${path}/*`, status: 429, times: 1, headers: { 'Retry-After': '7' }, body }]);

  await assert.rejects(accounts.get(ID), (error) => {
    assert.ok(error instanceof tokenwell.ApiError && error.name === 'ApiError');
    assert.deepEqual([error.status, error.errorCode, error.parameters, error.retryAfterMs], [429, 'RATE_LIMITED', [1], 7000]);
    assert.equal(error.message, `GET ${path}/${ID}: HTTP status 429: Too\ufffd[31m many [RATE_LIMITED]`);
    return true;
  });
  assert.equal(await requests(), 1);
  await assert.rejects(accounts.delete(ID), { status: 404, errorCode: 'SERVICE_ACCOUNT_NOT_FOUND', retryAfterMs: null });
});

test('what_is_not_the_api_is_an_error_that_names_the_field', async (t) => {
  const { accounts, emulator, path } = await start(t);
  const bodies = ['<html>', [], {}, { clientId: 1 }, { clientId: 'a', roles: 'b' }, { clientId: 'a', roles: [1] }, { clientId: 'a', secrets: [{ secret: 'canary' }] }];
  for (const body of [...bodies, { clientId: 'a', systemManaged: 1 }]) {
    await emulator.faults([{ path: `${path}/*`, times: 1, status: 200, body }]);
    await assert.rejects(accounts.get(ID), (error) => error instanceof tokenwell.ApiError && /HTTP status 200, but the response is not what the API describes: /.test(error.message) && !/canary/.test(error.message));
  }
  await emulator.faults([{ path, method: 'POST', times: 1, status: 201, body: { clientId: 'a', secrets: [{ id: 'b' }] } }]);
  await assert.rejects(accounts.create(DEPLOY), /HTTP status 201, but the response has no secret$/);
});

test('what_a_later_version_adds_is_kept', async (t) => {
  const { accounts, emulator, path } = await start(t);
  const body = { clientId: ID, roles: ['ORG_OF_2030'], color: { hue: 7 }, created: '2030-01-01T00:00:00Z', description: null };
  await emulator.faults([{ path: `${path}/*`, status: 200, body }]);

  const account = await accounts.get(ID);

  assert.deepEqual({ ...account }, { color: { hue: 7 }, clientId: ID, name: '', description: '', createdAt: '2030-01-01T00:00:00Z', roles: ['ORG_OF_2030'], secrets: [] });
});

test('a_list_that_changes_while_it_is_read_has_each_account_once', async (t) => {
  const { accounts, emulator, path, requests, lastRequest } = await start(t);
  const first = upTo(500);
  // An account of the first page was deleted before the second page was read: all others moved by one.
  const then = page(path, 501, [...first.slice(1), 500]);
  await emulator.faults([page(path, 502, first), page(path, 501, [501]), then, page(path, 501, [501]), then]);

  const ids = (await all(accounts.list())).map((account) => account.clientId);

  assert.deepEqual([ids.length, new Set(ids).size, await requests()], [502, 502, 5]);
  assert.equal((await lastRequest(path)).query, 'itemsPerPage=500&pageNum=1');
});

test('no_account_is_lost_if_one_is_added_and_another_removed', async (t) => {
  const { accounts, emulator, path, requests } = await start(t);
  const first = upTo(500);
  // The total stays as it was, and account 500 moved to the first page.
  const then = page(path, 501, [...first.slice(1), 500]);
  await emulator.faults([page(path, 501, first), page(path, 501, [501]), then, then, page(path, 501, [501]), then]);

  const ids = (await all(accounts.list())).map((account) => account.clientId);

  assert.deepEqual([ids.length, new Set(ids).size, ids.includes('account_500'), await requests()], [502, 502, true, 6]);
});

test('a_create_whose_reply_is_lost_is_not_repeated', async (t) => {
  const { accounts, emulator, path } = await start(t);
  await emulator.faults([{ path, method: 'POST', close: 'reset_after_effect' }]);

  await assert.rejects(accounts.create(DEPLOY), (error) => error instanceof tokenwell.NetworkError && /may have/.test(error.hint));

  assert.deepEqual((await all(accounts.list())).map((account) => account.name), ['Emulator', 'deploy']);
});

test('a_list_that_never_fits_is_an_error', async (t) => {
  const { accounts, emulator, path } = await start(t);
  await emulator.faults([page(path, 600, upTo(500)), page(path, 600, upTo(500))]);
  await assert.rejects(all(accounts.list()), /page 2 has the results of an earlier page$/);
  await emulator.faults(upTo(10).map((number) => page(path, 600 + number, upTo(500))));
  await assert.rejects(all(accounts.list()), /the list changes while it is read$/);
});

test('a_page_is_requested_when_it_is_needed', async (t) => {
  const { accounts, emulator, path, requests } = await start(t);
  await emulator.faults([page(path, 501, upTo(500)), page(path, 501, [500])]);

  for await (const account of accounts.list()) {
    assert.equal(account.clientId, 'account_0');
    break;
  }

  assert.equal(await requests(), 1);
});

test('a_wrong_argument_is_named_and_nothing_is_sent', async (t) => {
  const { accounts, client, emulator } = await start(t);
  const { InvalidArgumentError, ServiceAccounts } = tokenwell;
  const project = new ServiceAccounts(client, { project: emulator.environment.MONGODB_ATLAS_PROJECT_ID });
  for (const [type, message, call] of [
    [InvalidArgumentError, /exactly one/, async () => new ServiceAccounts(client)],
    [InvalidArgumentError, /exactly one/, async () => new ServiceAccounts(client, { organization: 'a', project: 'b' })],
    [InvalidArgumentError, /organization: `\.\.\/x` cannot/, async () => new ServiceAccounts(client, { organization: '../x' })],
    [TypeError, /unknown option org;/, async () => new ServiceAccounts(client, { org: 'a' })],
    [InvalidArgumentError, /client_id: an empty string/, () => accounts.delete('')],
    [InvalidArgumentError, /client_id: `\.\.`/, () => accounts.get('..')],
    [InvalidArgumentError, /client_id: this is a secret/, () => accounts.get('mdb_sa_sk_canary')],
    [InvalidArgumentError, /secret_id: `a\/b`/, () => accounts.deleteSecret(ID, 'a/b')],
    [InvalidArgumentError, /network: an empty string/, () => accounts.deleteAccess(ID, '')],
    [InvalidArgumentError, /projects: this needs an organization, and not a project/, () => all(project.projects(ID))],
    [InvalidArgumentError, /invite: this needs a project, and not an organization/, () => accounts.invite(ID, ['GROUP_OWNER'])],
    [TypeError, /client_id must be a string/, () => accounts.get(1)],
    [TypeError, /roles must be an array/, () => accounts.update(ID, { roles: 'ORG_OWNER' })],
    [TypeError, /networks must be an array/, () => accounts.addAccess(ID, '192.0.2.1')],
    [TypeError, /account must be an object/, () => accounts.create('deploy')],
    [TypeError, /unknown option hours;/, () => accounts.create({ ...DEPLOY, hours: 8 })],
    [TypeError, /unknown option timeout; the options are deadlineMs, signal/, () => accounts.get(ID, { timeout: 1 })],
    [RangeError, /deadlineMs/, () => accounts.get(ID, { deadlineMs: -1 })],
  ]) {
    await assert.rejects(call(), (error) => error instanceof type && message.test(error.message) && !/canary/.test(error.message), String(message));
  }
  assert.equal((await emulator.counters()).requests, 0);
});

test('a_network_is_one_segment_of_the_path', async (t) => {
  const { accounts } = await start(t);
  const { account } = await accounts.create(DEPLOY);

  const added = await accounts.addAccess(account.clientId, ['2001:db8::/32', '192.0.2.1']);
  await accounts.deleteAccess(account.clientId, '2001:db8::/32');

  assert.deepEqual(added.map((entry) => entry.cidrBlock), ['2001:db8::/32', '192.0.2.1/32']);
  assert.deepEqual((await all(accounts.accessList(account.clientId))).map(({ ipAddress, requestCount }) => [ipAddress, requestCount]), [['192.0.2.1', 0]]);
});

test('the_readme_creates_an_account', async (t) => {
  const { client, emulator } = await start(t);
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [program] = readme.slice(readme.indexOf('## Service accounts')).match(/(?<=^```js\n)[^]*?(?=^```$)/m);
  const lines = [];
  const stored = [];

  const body = program.replace(/^import .*$/m, '').replace('0123456789abcdef01234567', emulator.environment.MONGODB_ATLAS_ORG_ID);
  const { constructor: AsyncFunction } = async function () {};
  await new AsyncFunction('ServiceAccounts', 'client', 'store', 'console', body)(tokenwell.ServiceAccounts, client, (...pair) => stored.push(pair), { log: (...line) => lines.push(line) });

  assert.match(program, /^import \{ ServiceAccounts \} from 'tokenwell';$/m);
  assert.deepEqual(lines.at(-1), ['deploy', ['ORG_READ_ONLY']]);
  assert.match(stored[0][1], /^mdb_sa_sk_/);
});
