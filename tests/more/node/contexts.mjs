// Test runners that load the package several times into one process.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PACKAGE, startEmulator } from '../../../bindings/node/test/support.mjs';

const TEST = `
  const emulator = JSON.parse(process.env.TEST_OPTIONS);
  for (const round of [1, 2, 3]) {
    test('round ' + round, async () => {
      jest.resetModules();
      const { Client, ClosedError, Token } = require(process.env.TEST_PACKAGE);
      const clientSecret = new TextEncoder().encode(emulator.clientSecret);
      const client = new Client({ ...emulator, clientSecret });
      const tokens = await Promise.all(Array.from({ length: 100 }, () => client.token()));
      expect(new Set(tokens).size).toBe(1);
      expect(tokens[0]).toBeInstanceOf(Token);
      expect(client.token()).toBeInstanceOf(Promise);
      client.close();
      const error = await client.token().catch((reason) => reason);
      expect(error).toBeInstanceOf(ClosedError);
      expect(error).toBeInstanceOf(Error);
      await expect(new Client(emulator).token({ signal: AbortSignal.abort() })).rejects.toThrow();
    });
  }
`;

export const contexts = ({ jest }) => (jest ? { jest_loads_the_package_into_several_realms: (t) => jestRun(t, jest) } : {});

async function jestRun(t, jest) {
  const emulator = await startEmulator(t);
  await emulator.unlimited();
  const project = mkdtempSync(path.join(jest, 'project-'));
  t.after(() => rmSync(project, { recursive: true }));
  writeFileSync(path.join(project, 'package.json'), '{ "jest": { "testEnvironment": "node", "transform": {} } }');
  const files = 6;
  for (let i = 0; i < files; i += 1) writeFileSync(path.join(project, `file${i}.test.js`), TEST);
  const env = { ...process.env, TEST_PACKAGE: PACKAGE, TEST_OPTIONS: JSON.stringify(emulator.options), CI: 'true' };

  const outputs = [];
  // In one process, and in several.
  for (const workers of ['--runInBand', '--maxWorkers=2']) {
    const output = await new Promise((resolve, reject) => {
      execFile(process.execPath, [path.join(jest, 'node_modules/jest/bin/jest.js'), workers], { cwd: project, env, timeout: 120_000 }, (error, stdout, stderr) => (error ? reject(new Error(stdout + stderr)) : resolve(stdout + stderr)));
    });
    assert.match(output, new RegExp(`Tests: +${files * 3} passed, ${files * 3} total`));
    assert.doesNotMatch(output, /did not exit|failed to exit|leak/i);
    outputs.push(output);
  }
  return `${files} files with ${files * 3} tests, in one process and in several`;
}
