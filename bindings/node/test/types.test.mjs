import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import typescript from 'typescript';
import { PACKAGE, tokenwell } from './support.mjs';

const TYPES = fileURLToPath(new URL('types', import.meta.url));

test('the_types_accept_valid_programs_and_reject_invalid_ones', async () => {
  const compiler = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

  const output = await new Promise((resolve) => {
    execFile(process.execPath, [compiler, '--noEmit', '--strict', '--project', TYPES], (error, stdout) => resolve(error === null ? '' : stdout || String(error)));
  });

  assert.equal(output, '');
});

test('the_options_are_exactly_the_settings_of_the_library', () => {
  const { hint } = caught(() => new tokenwell.Client({ settings: { no_such_setting: 'x' } }));
  const [, listed] = /The settings are ([^.]+)\./.exec(hint);

  const source = typescript.createSourceFile('index.d.ts', readFileSync(path.join(PACKAGE, 'index.d.ts'), 'utf8'), typescript.ScriptTarget.Latest);
  const options = source.statements.find((each) => each.name?.text === 'ClientOptions').members.map((each) => each.name?.text);
  const names = options.filter((name) => name !== 'settings').map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));

  assert.deepEqual(names.toSorted(), listed.split(', ').toSorted());
});

function caught(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
