// Checks a release of the packages for npm against the list of platforms.
//
//   node_release.mjs files PACKAGES               prints the archive of each package, in the order in which they are published
//   node_release.mjs published REGISTRY SECONDS   waits until the package of each platform can be installed from the registry at this version
//
// Both fail with one line for each package that is missing or wrong. The packages that depend on others are published after `published` has succeeded.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(here, '../bindings/node/package.json'), 'utf8'));
// It fails if the list is empty.
const manifests = wantedManifests();
const names = Object.keys(manifests);
const main = ['tokenwell', '@tokenwell/cli'];
const ofPlatforms = names.filter((name) => !main.includes(name));
const problems = [];

// For the requests of one round, in milliseconds. The last round may end after the time.
const SHORTEST_ROUND = 5_000;
const LONGEST_ROUND = 30_000;
const [mode, place, seconds = ''] = process.argv.slice(2);
if (mode === 'files') checkFiles(place);
else if (mode === 'published') await checkArguments(place, seconds);
else problems.push('the beginning of this file lists the arguments');
for (const problem of problems) process.stderr.write(`node_release: ${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;

function checkFiles(directory) {
  const found = readdirSync(directory, { recursive: true }).filter((file) => file.endsWith('.tgz'));
  const files = [];
  for (const name of names) {
    const archive = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
    const file = found.find((each) => path.basename(each) === archive);
    if (file === undefined) {
      problems.push(`${name} is missing: there is no ${archive} in ${directory}`);
      continue;
    }
    files.push(path.join(directory, file));
    const manifest = JSON.parse(execFileSync('tar', ['-xzOf', path.join(directory, file), 'package/package.json'], { encoding: 'utf8' }));
    const isRight = manifest.name === name && manifest.version === version;
    if (!isRight) problems.push(`${file} is the package ${manifest.name} ${manifest.version}, not ${name} ${version}`);
    if (JSON.stringify(manifest) !== JSON.stringify(manifests[name])) problems.push(`${file} was not made from this list of platforms`);
  }
  for (const file of found) {
    if (!files.includes(path.join(directory, file))) problems.push(`${path.join(directory, file)} is not a package of this release`);
  }
  if (problems.length === 0) process.stdout.write(`${files.join('\n')}\n`);
}

async function checkArguments(registry, time) {
  if (!/^https?:\/\/[^/]/.test(registry)) {
    problems.push(`REGISTRY is not the address of a registry, as in https://registry.example/: ${registry ?? 'missing'}`);
  } else if (!/^\d+(\.\d+)?$/.test(time)) {
    problems.push(`SECONDS is not a number of seconds, as in 600: ${time || 'missing'}`);
  } else {
    await checkPublished(registry, Number(time));
  }
}

async function checkPublished(registry, patience) {
  const end = Date.now() + patience * 1000;
  let missing = ofPlatforms;
  for (;;) {
    const signal = AbortSignal.timeout(Math.max(SHORTEST_ROUND, Math.min(LONGEST_ROUND, end - Date.now())));
    const answers = await Promise.all(missing.map((name) => isPublished(registry, name, signal)));
    missing = missing.filter((_, index) => !answers[index]);
    if (missing.length === 0 || Date.now() >= end) break;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  for (const name of missing) problems.push(`${name} ${version} cannot be installed from ${registry} after ${patience} s`);
}

async function isPublished(registry, name, signal) {
  try {
    // With a slash at its end, the last part of the registry's path is kept.
    const reply = await fetch(new URL(name.replace('/', '%2f'), `${registry.replace(/\/+$/, '')}/`), { signal });
    const { versions } = reply.ok ? await reply.json() : {};
    const tarball = versions?.[version]?.dist.tarball;
    if (tarball === undefined) return false;
    const archive = await fetch(tarball, { signal });
    await archive.arrayBuffer();
    return archive.ok;
  } catch {
    return false;
  }
}

function wantedManifests() {
  const args = [path.join(here, 'node_platforms.mjs'), 'manifests', path.join(here, '../bindings/node/package.json')];
  try {
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
  } catch {
    process.exit(1);
  }
}
