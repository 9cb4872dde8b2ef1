// Runs the programs in examples/node as a user does: the packages that they import are installed.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PACKAGE } from './support.mjs';

const EXAMPLES = fileURLToPath(new URL('../../../examples/node', import.meta.url));

/**
 * Creates a directory with the examples, the package, and the packages in other directories. Returns
 * a function that runs an example and resolves to what it printed.
 */
export function installExamples(t, modules) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tokenwell-examples-'));
  t.after(() => rmSync(directory, { recursive: true }));
  cpSync(EXAMPLES, directory, { recursive: true, filter: (source) => path.basename(source) !== 'node_modules' });
  for (const [name, place] of Object.entries({ tokenwell: PACKAGE, ...modules })) {
    const link = path.join(directory, 'node_modules', name);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(place, link);
  }
  return async (name, env) => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [name], { cwd: directory, env: { ...process.env, ...env }, timeout: 60_000 });
    if (stderr !== '') throw new Error(`${name} printed to standard error: ${stderr}`);
    return stdout;
  };
}
