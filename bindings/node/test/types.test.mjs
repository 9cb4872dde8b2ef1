import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const TYPES = fileURLToPath(new URL('types', import.meta.url));

test('the_types_allow_what_works_and_refuse_what_does_not', async () => {
  const compiler = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

  const output = await new Promise((resolve) => {
    execFile(process.execPath, [compiler, '--noEmit', '--strict', '--project', TYPES], (error, stdout) => resolve(error === null ? '' : stdout || String(error)));
  });

  assert.equal(output, '');
});
