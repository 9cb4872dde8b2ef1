// Each example prints an answer of the API, also if its first token is rejected.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { ORGS, startApi } from './api.mjs';
import { installExamples } from './examples.mjs';
import { startMongod } from './mongod.mjs';

const installed = (name) => path.join(fileURLToPath(new URL('../node_modules', import.meta.url)), name);

for (const name of ['fetch_api.mjs', 'undici_api.mjs']) {
  test(`the example ${name} prints an answer of the API before and after a 401`, async (t) => {
    const { emulator, counts } = await startApi(t);
    const run = installExamples(t, { undici: installed('undici') });

    const before = await run(name, emulator.environment);
    assert.deepEqual(await counts(), [1, 1]);
    await emulator.faults([{ path: ORGS, times: 1, status: 401 }]);
    const after = await run(name, emulator.environment);

    assert.match(before, /^[0-9a-f]{24} \S.*\n$/);
    assert.equal(after, before);
    assert.deepEqual(await counts(), [3, 3]);
  });
}

test('the example mongodb_oidc.mjs prints an answer of the server', async (t) => {
  const { emulator } = await startApi(t);
  const mongod = await startMongod(t);
  const { MONGODB_ATLAS_BASE_URL, MONGODB_ATLAS_CLIENT_ID, MONGODB_ATLAS_CLIENT_SECRET } = emulator.environment;
  const run = installExamples(t, { mongodb: installed('mongodb') });

  const printed = await run('mongodb_oidc.mjs', {
    MONGODB_URI: mongod.uri,
    TOKENWELL_TOKEN_URL: `${MONGODB_ATLAS_BASE_URL}/generic/oauth/token`,
    TOKENWELL_CLIENT_ID: MONGODB_ATLAS_CLIENT_ID,
    TOKENWELL_CLIENT_SECRET: MONGODB_ATLAS_CLIENT_SECRET,
  });

  assert.equal(printed, "{ ok: 1, from: 'ping' }\n");
  assert.equal(mongod.presented.length, 1);
});
