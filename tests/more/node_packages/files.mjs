// The packages themselves: the same bytes from two builds, what each file may need, and the list of the release.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { archives, entries, readEntry, startRegistry } from './registry.mjs';
import { DIST, NAME, PACKAGES, PLATFORM, ROOT, VERSION, WORK, run, sizeOf, succeed, temporary } from './support.mjs';

/** What each binary may need. It depends on the linker: without zig, glibc and libgcc of this system. */
const ZIG = (await succeed('sh', [path.join(ROOT, 'packaging/linker.sh')])).trim().endsWith('/zig_cc');
const GLIBC = ZIG ? '2.17' : '2.35';
const TABLE = {
  'tokenwell.node': { type: 'DYN', interpreter: '-', needed: ['ld-linux-x86-64.so.2', 'libc.so.6', 'libdl.so.2', 'libpthread.so.0'], glibc: GLIBC, mb: 4.3 },
  tokenwell: {
    type: 'DYN',
    interpreter: '/lib64/ld-linux-x86-64.so.2',
    needed: ['ld-linux-x86-64.so.2', 'libc.so.6', 'libdl.so.2', 'libpthread.so.0', ...(ZIG ? [] : ['libgcc_s.so.1'])],
    glibc: GLIBC,
    mb: 10,
  },
};
const BINARIES = { 'tokenwell.node': `tokenwell-${NAME}`, tokenwell: `tokenwell-cli-${NAME}` };
const ADDON = path.join(WORK, 'binaries/tokenwell.node');

export const files = () => ({
  async k10_two_builds_have_the_same_bytes() {
    // The second one from another checkout, which was made with another umask, and from another directory, by another umask, time zone and language,
    // with files of another age.
    const other = path.join(WORK, 'größer 2');
    const checkout = path.join(other, 'checkout');
    for (const part of ['packaging', 'bindings/node']) {
      cpSync(path.join(ROOT, part), path.join(checkout, part), { recursive: true, filter: (file) => path.basename(file) !== 'node_modules' });
    }
    for (const part of ['bin', 'node']) cpSync(path.join(DIST, part), path.join(other, part), { recursive: true, preserveTimestamps: false });
    await succeed('find', [other, '-type', 'f', '-exec', 'touch', '-d', '2031-01-01', '{}', '+']);
    await succeed('chmod', ['-R', 'go-rwx', other]);
    const again = path.join(WORK, 'again');
    // Archives of an older version, which go, and one that is not for npm.
    mkdirSync(path.join(again, PLATFORM), { recursive: true });
    for (const file of ['tokenwell-0.0.9.tgz', 'tokenwell-cli-0.0.9.tgz', `${PLATFORM}/tokenwell-${NAME}-0.0.9.tgz`]) writeFileSync(path.join(again, file), '');
    const kept = path.join(again, 'tokenwell-0.0.9.tar.gz');
    writeFileSync(kept, '');
    const env = { ...process.env, TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8', OTHER: other, AGAIN: again };
    await Promise.all([
      succeed('sh', ['packaging/node_packages.sh', DIST, PACKAGES], { cwd: ROOT }),
      succeed('sh', ['-c', 'umask 077 && sh packaging/node_packages.sh "$OTHER" "$AGAIN"'], { cwd: checkout, env }),
    ]);
    rmSync(kept);
    await succeed('diff', ['-r', PACKAGES, again]);

    const all = archives(PACKAGES);
    assert.equal(all.length, 4);
    const times = new Set(all.flatMap((file) => entries(readFileSync(file)).map((entry) => entry.time)));
    assert.deepEqual([...times], [Number(process.env.SOURCE_DATE_EPOCH)]);
    for (const [name, archive] of Object.entries(BINARIES)) {
      const content = entries(readFileSync(archiveOf(archive))).find((entry) => entry.name === `package/${name}`).content;
      mkdirSync(path.join(WORK, 'binaries'), { recursive: true });
      writeFileSync(path.join(WORK, 'binaries', name), content);
      chmodSync(path.join(WORK, 'binaries', name), 0o755);
    }
    return all.map((file) => `${path.basename(file)} ${sizeOf(file)}`).join(', ');
  },

  async the_packages_have_no_dependency_and_no_script() {
    const list = archives(PACKAGES).map((file) => JSON.parse(readEntry(readFileSync(file), 'package/package.json')));
    const manifests = Object.fromEntries(list.map((each) => [each.name, each]));

    for (const [name, manifest] of Object.entries(manifests)) {
      for (const field of ['scripts', 'dependencies', 'devDependencies', 'peerDependencies', 'gypfile']) {
        assert.equal(manifest[field], undefined, `${field} of ${name}`);
      }
      assert.equal(manifest.version, VERSION);
    }
    const platform = { os: ['linux'], cpu: ['x64'], libc: ['glibc'], preferUnplugged: true };
    assert.deepEqual(manifests.tokenwell.optionalDependencies, { [`@tokenwell/${NAME}`]: VERSION });
    assert.deepEqual(manifests['@tokenwell/cli'].optionalDependencies, { [`@tokenwell/cli-${NAME}`]: VERSION });
    for (const name of [`@tokenwell/${NAME}`, `@tokenwell/cli-${NAME}`]) {
      const { os, cpu, libc, preferUnplugged, optionalDependencies } = manifests[name];
      assert.deepEqual({ os, cpu, libc, preferUnplugged, optionalDependencies }, { ...platform, optionalDependencies: undefined }, name);
    }
  },

  async every_package_has_its_readme_and_licences_and_plain_modes() {
    for (const file of archives(PACKAGES)) {
      const found = entries(readFileSync(file));
      for (const name of ['README.md', 'LICENSE-APACHE', 'LICENSE-MIT']) assert.ok(found.some((entry) => entry.name === `package/${name}`), `${name} in ${file}`);
      const binary = found.some(({ name }) => BINARIES[path.basename(name)] !== undefined);
      assert.equal(found.some(({ name }) => name === 'package/LICENSE-THIRD-PARTY'), binary, `the licences of the crates in ${file}`);
      for (const { name, mode } of found) {
        const program = name.endsWith('/') || /package\/tokenwell(\.node|\.js)?$/.test(name);
        assert.equal(mode, program ? 0o755 : 0o644, `${name} in ${file}`);
      }
    }
  },

  async nothing_names_a_directory_of_the_build_machine() {
    for (const file of archives(PACKAGES)) {
      for (const { name, content } of entries(readFileSync(file))) {
        for (const place of [ROOT, DIST, WORK, process.env.CARGO_HOME || `${process.env.REAL_HOME}/.cargo`, 'registry/src']) {
          assert.ok(!content.includes(place), `${name} in ${file} contains ${place}`);
        }
      }
    }
  },

  async k2_every_file_fits_the_table() {
    const figures = [];
    for (const [name, row] of Object.entries(TABLE)) figures.push(`${name} ${await fits(path.join(WORK, 'binaries', name), row)}`);
    return figures.join(', ');
  },

  async k2_a_file_that_does_not_fit_is_found() {
    const planted = path.join(WORK, 'planted.node');
    const compile = (...args) => succeed(process.env.CC || 'cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', planted, ...args], { input: 'int x(void) { return 1; }\n' });
    await compile('-Wl,-rpath,/x', '-Wl,-z,now');
    await assert.rejects(fits(planted, TABLE['tokenwell.node']), /RPATH|RUNPATH/);
    await compile('-Wl,--no-as-needed', '-Wl,-z,now', '-lm');
    await assert.rejects(fits(planted, TABLE['tokenwell.node']), /libm\.so\.6/);
    await assert.rejects(fits(path.join(WORK, 'binaries/tokenwell.node'), { ...TABLE['tokenwell.node'], glibc: '2.16' }), /GLIBC/);
  },

  async k1_k12_the_addon_is_never_unloaded_and_has_no_static_tls() {
    const properties = async (file) => {
      const dynamic = await succeed('readelf', ['-dW', file]);
      const relocations = await succeed('readelf', ['-rW', file]);
      return { nodelete: /FLAGS_1.*NODELETE/.test(dynamic), staticTls: /STATIC_TLS/.test(dynamic) || /TPOFF/.test(relocations) };
    };
    assert.deepEqual(await properties(ADDON), { nodelete: true, staticTls: false });
    // The check itself.
    const planted = path.join(WORK, 'static_tls.so');
    const source = '__thread int planted __attribute__((tls_model("initial-exec"))); int get(void) { return planted; }\n';
    await succeed(process.env.CC || 'cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', planted], { input: source });
    assert.deepEqual(await properties(planted), { nodelete: false, staticTls: true });
  },

  async the_addon_exports_only_what_node_calls() {
    const defined = (await succeed('nm', ['-D', '--defined-only', ADDON])).trim().split('\n').map((line) => line.split(' ').at(-1));
    assert.deepEqual(defined.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
    const wanted = (await succeed('nm', ['-D', '--undefined-only', ADDON])).trim().split('\n').map((line) => line.trim().split(' '));
    // What has no version comes from Node, or is weak.
    const fromNode = wanted.filter(([kind, name]) => kind !== 'w' && !name.includes('@')).map(([, name]) => name);
    assert.deepEqual(fromNode.filter((name) => !/^(napi|node_api)_/.test(name)), []);
    return `${fromNode.length} functions of Node-API`;
  },

  async k3_the_release_has_every_package_of_the_list() {
    const list = async (directory, env = {}) => run('node', ['packaging/node_release.mjs', 'files', directory], { cwd: ROOT, env: { ...process.env, ...env } });
    const complete = await list(PACKAGES);
    assert.equal(complete.code, 0, complete.stderr);
    const order = complete.stdout.trim().split('\n').map((file) => path.basename(file, `-${VERSION}.tgz`));
    // The platforms first: what depends on them must find them.
    assert.deepEqual(order, [`tokenwell-${NAME}`, `tokenwell-cli-${NAME}`, 'tokenwell', 'tokenwell-cli']);

    const copy = path.join(WORK, 'incomplete');
    const changed = async (change) => {
      rmSync(copy, { recursive: true, force: true });
      cpSync(PACKAGES, copy, { recursive: true });
      await change();
      const { code, stderr } = await list(copy);
      assert.equal(code, 1);
      return stderr;
    };
    const platformFile = path.join(copy, PLATFORM, `tokenwell-${NAME}-${VERSION}.tgz`);
    assert.match(await changed(() => rmSync(platformFile)), new RegExp(`@tokenwell/${NAME} is missing`));
    assert.match(await changed(() => renameSync(path.join(copy, PLATFORM), path.join(WORK, 'away'))), /is missing/);
    assert.match(await changed(() => cpSync(path.join(copy, `tokenwell-${VERSION}.tgz`), platformFile)), /is the package tokenwell/);
    rmSync(copy, { recursive: true });
    mkdirSync(copy);
    assert.match((await list(copy)).stderr, /is missing/);
    const empty = path.join(WORK, 'empty.json');
    writeFileSync(empty, '[]');
    const none = await list(PACKAGES, { NODE_PLATFORMS: empty });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /lists no platform/);
    // A platform of the list that the main package does not name.
    const longer = path.join(WORK, 'longer.json');
    const musl = { name: 'linux-x64-musl', triple: 'x86_64-linux-musl', os: 'linux', cpu: 'x64' };
    writeFileSync(longer, JSON.stringify([...JSON.parse(readFileSync(path.join(ROOT, 'packaging/node_platforms.json'))), musl]));
    assert.match((await list(PACKAGES, { NODE_PLATFORMS: longer })).stderr, /@tokenwell\/linux-x64-musl is missing/);
  },

  async k3_the_release_waits_for_each_platform_and_fails_without_one(t) {
    const registry = await startRegistry(t, [PACKAGES]);
    const published = (seconds) => run('node', ['packaging/node_release.mjs', 'published', registry.url, seconds], { cwd: ROOT });
    assert.equal((await published('0')).code, 0);
    const versions = registry.packages.get(`@tokenwell/${NAME}`);
    const { [0]: entry } = [...versions];
    versions.clear();
    const without = await published('0');
    assert.equal(without.code, 1);
    assert.match(without.stderr, new RegExp(`@tokenwell/${NAME} ${VERSION} cannot be installed from`));
    // It becomes visible while the release waits.
    const seen = registry.requests.length;
    const waiting = published('60');
    while (registry.requests.length <= seen) await new Promise((resolve) => setTimeout(resolve, 10));
    versions.set(...entry);
    assert.equal((await waiting).code, 0);
    versions.set('99.0.0', versions.get(VERSION));
    versions.delete(VERSION);
    assert.equal((await published('0')).code, 1, 'another version is not that version');
  },

  async the_wait_for_a_release_ends_and_keeps_the_path_of_the_registry(t) {
    const published = (...args) => run('node', ['packaging/node_release.mjs', 'published', ...args], { cwd: ROOT, timeout: 30_000 });
    // It accepts connections and never replies.
    const silent = createServer((socket) => socket.unref()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => silent.close());
    const withoutReply = published(`http://127.0.0.1:${silent.address().port}/`, '0');

    const { url, requests } = await startRegistry(t, [PACKAGES], { under: 'npm/' });
    for (const { code, stderr } of await Promise.all([url, url.slice(0, -1)].map((registry) => published(registry, '0')))) assert.equal(code, 0, stderr);
    assert.equal(requests.filter((name) => name === `npm/@tokenwell/${NAME}`).length, 2);

    for (const wrong of [[url], [url, 'soon'], [url, '-1']]) {
      const { code, stderr } = await published(...wrong);
      assert.equal(code, 1);
      assert.equal(stderr, `node_release: SECONDS is not a number of seconds, as in 600: ${wrong[1] ?? 'missing'}\n`);
    }
    for (const wrong of [[], ['registry', '1']]) {
      assert.match((await published(...wrong)).stderr, new RegExp(`^node_release: REGISTRY is not the address .*: ${wrong[0] ?? 'missing'}\n$`));
    }

    const { code, stderr } = await withoutReply;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`@tokenwell/${NAME} ${VERSION} cannot be installed from`));
  },

  async missing_input_is_one_sentence(t) {
    const nothing = temporary(t, 'nothing');
    const without = await run('sh', ['packaging/node_packages.sh', nothing, path.join(nothing, 'packages')], { cwd: ROOT });
    assert.equal(without.code, 1);
    assert.match(without.stderr, /^node_packages: .* is missing: run `make library`\n$/);
    const list = path.join(nothing, 'list.json');
    writeFileSync(list, '[{"name":"linux-arm64-gnu","triple":"aarch64-linux-gnu","os":"linux","cpu":"arm64"}]');
    const unknown = await run('sh', ['packaging/node_packages.sh', DIST, path.join(nothing, 'packages')], { cwd: ROOT, env: { ...process.env, NODE_PLATFORMS: list } });
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /^node_platforms: .* has no platform x86_64-linux-gnu, only aarch64-linux-gnu\n$/);
  },
});

function archiveOf(name) {
  return path.join(PACKAGES, PLATFORM, `${name}-${VERSION}.tgz`);
}

async function fits(file, { type, interpreter, needed, glibc, mb }) {
  const header = await succeed('readelf', ['-hW', file]);
  const dynamic = await succeed('readelf', ['-dW', file]);
  const segments = await succeed('readelf', ['-lW', file]);
  assert.match(header, new RegExp(`ELF64[^]*${type}[^]*X86-64`));
  assert.equal(/program interpreter: (.*)\]/.exec(segments)?.[1] ?? '-', interpreter);
  assert.deepEqual([...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]).filter((name) => !needed.includes(name)), [], 'needed, but not in the table');
  assert.doesNotMatch(dynamic, /RPATH|RUNPATH|TEXTREL/);
  assert.match(dynamic, /BIND_NOW/);
  assert.doesNotMatch(segments, /GNU_STACK.*RWE/);
  assert.doesNotMatch(await succeed('readelf', ['-SW', file]), /\.symtab/);
  const versions = [...(await succeed('readelf', ['-VW', file])).matchAll(/Name: GLIBC_([\d.]+) /g)].map((match) => match[1]);
  const highest = versions.sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1])).at(-1);
  assert.ok(Number(highest.split('.')[1]) <= Number(glibc.split('.')[1]), `GLIBC_${highest} is needed, the table says ${glibc}`);
  assert.ok(sizeOf(file) <= mb * 1e6, `${sizeOf(file)} bytes`);
  return `${sizeOf(file)} bytes, GLIBC_${highest}`;
}
