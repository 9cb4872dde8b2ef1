// The example with the ApiClient of mongodb-mcp-server, whose dependencies take 270 MB.
import assert from 'node:assert/strict';
import path from 'node:path';
import { ORGS, startApi } from '../../../bindings/node/test/api.mjs';
import { installExamples } from '../../../bindings/node/test/examples.mjs';

export const apiClients = ({ apiClient }) => (apiClient ? { the_example_with_an_api_client_prints_an_answer_before_and_after_a_401: (t) => exampleRun(t, apiClient) } : {});

async function exampleRun(t, apiClient) {
  const { emulator, counts } = await startApi(t);
  const name = '@mongodb-js/mcp-atlas-api-client';
  const run = installExamples(t, { [name]: path.join(apiClient, 'node_modules', name) });

  const before = await run('mcp_api_client.mjs', emulator.environment);
  assert.deepEqual(await counts(), [1, 1]);
  await emulator.faults([{ path: ORGS, times: 1, status: 401 }]);
  const after = await run('mcp_api_client.mjs', emulator.environment);

  assert.match(before, /^[0-9a-f]{24} \S.*\n$/);
  assert.equal(after, before);
  assert.deepEqual(await counts(), [3, 3]);
  assert.equal((await emulator.counters()).revoke_requests, 0);
  return `${(await counts())[0]} requests to the API, ${(await counts())[1]} token requests`;
}
