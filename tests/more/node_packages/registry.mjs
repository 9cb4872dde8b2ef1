// A registry for npm that serves the .tgz files of some directories, as `npm publish` would have stored them.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Starts a registry. `url` is its address, with the path `under`, and `packages` maps each name to its versions, which a test may delete. */
export async function startRegistry(t, directories, { under = '' } = {}) {
  const packages = new Map();
  const files = new Map();
  for (const file of directories.flatMap(archives)) {
    const content = readFileSync(file);
    const manifest = JSON.parse(readEntry(content, 'package/package.json'));
    files.set(path.basename(file), content);
    if (!packages.has(manifest.name)) packages.set(manifest.name, new Map());
    packages.get(manifest.name).set(manifest.version, { manifest, file: path.basename(file), content });
  }

  const requests = [];
  const server = createServer((request, response) => {
    const asked = decodeURIComponent(new URL(request.url, 'http://registry').pathname.slice(1));
    requests.push(asked);
    const name = asked.startsWith(under) ? asked.slice(under.length) : undefined;
    const file = files.get(name?.replace(/^-\//, ''));
    const versions = packages.get(name);
    if (request.method === 'GET' && name?.startsWith('-/') && file) return response.end(file);
    if (request.method === 'GET' && versions?.size > 0) {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify(packument(name, versions, url())));
    }
    response.statusCode = 404;
    return response.end('{"error":"not found"}');
  });
  const url = () => `http://127.0.0.1:${server.address().port}/${under}`;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: url(), packages, requests };
}

/** The .tgz files in a directory and in the directories of the platforms. */
export function archives(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) return archives(file);
    return entry.name.endsWith('.tgz') ? [file] : [];
  });
}

/** The content of a file in an archive. */
export function readEntry(archive, name) {
  const entry = entries(archive).find((each) => each.name === name);
  if (!entry) throw new Error(`there is no ${name} in the archive`);
  return entry.content.toString();
}

export function entries(archive) {
  const tar = gunzipSync(archive);
  const found = [];
  for (let offset = 0; tar[offset] !== 0; ) {
    const field = (from, length) => tar.toString('latin1', offset + from, offset + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 12), 8);
    found.push({ name: field(0, 100), mode: Number.parseInt(field(100, 8), 8), time: Number.parseInt(field(136, 12), 8), content: tar.subarray(offset + 512, offset + 512 + size) });
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

function packument(name, versions, url) {
  const list = [...versions].map(([version, { manifest, file, content }]) => [
    version,
    {
      ...manifest,
      dist: {
        tarball: `${url}-/${file}`,
        integrity: `sha512-${createHash('sha512').update(content).digest('base64')}`,
        shasum: createHash('sha1').update(content).digest('hex'),
      },
    },
  ]);
  const published = Object.fromEntries(list.map(([version]) => [version, '2026-01-01T00:00:00.000Z']));
  return { name, 'dist-tags': { latest: list.at(-1)[0] }, versions: Object.fromEntries(list), time: { created: '2026-01-01T00:00:00.000Z', ...published } };
}
