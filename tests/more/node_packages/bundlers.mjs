// Bundlers and other runtimes: the program runs and gets a token, with the lines that the README of the package gives.
import assert from 'node:assert/strict';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ROOT, installed, project, succeed } from './support.mjs';

const README = readFileSync(path.join(ROOT, 'bindings/node/README.md'), 'utf8');

export const bundlers = ({ short, tools }) => ({
  async the_five_tasks_of_the_readme_run(t) {
    const user = await project(t);
    const tasks = README.slice(README.indexOf('## Five tasks'), README.indexOf('## All calls')).match(/(?<=^```js\n)[^]*?(?=^```$)/gm);
    assert.equal(tasks.length, 5);
    const [install, hello] = README.match(/(?<=^```sh\n)npm install tokenwell\n[^]*?(?=^```$)/m)[0].trim().split('\n');
    await succeed('sh', ['-ec', install], { cwd: user.directory, env: user.env });
    assert.match(await succeed('sh', ['-ec', hello], { cwd: user.directory, env: user.env }), /^Bearer ey/);
    const expected = [/^Bearer ey/, /^200\n/, /^\d{4}-/, /^true\n/, /^CREDENTIAL_REJECTED /];
    for (const [index, task] of tasks.entries()) {
      writeFileSync(user.path('task.mjs'), task);
      // The last one is for a wrong secret.
      const env = index === tasks.length - 1 ? { ...user.env, MONGODB_ATLAS_CLIENT_SECRET: 'mdb_sa_sk_wrong' } : user.env;
      assert.match(await succeed('node', ['task.mjs'], { cwd: user.directory, env }), expected[index], task);
    }
  },

  async k13_esbuild_with_external_packages(t) {
    const user = await bundled(t, tools, 'esbuild@0.28', 'esbuild');
    if (user.missing) return user;
    await user.shell(line(/esbuild .*--packages=external.*/));
    await user.getsAToken('out/hello.js');
    return undefined;
  },

  async k13_esbuild_copies_the_addon(t) {
    const user = await bundled(t, tools, 'esbuild@0.28', 'esbuild');
    if (user.missing) return user;
    await user.shell(line(/esbuild .*--loader:\.node=copy.*/));
    await user.withoutModules('out/hello.js');
    return readdirSync(user.path('moved')).join(', ');
  },

  async k13_a_bundle_without_its_addon_says_what_to_do(t) {
    const user = await bundled(t, tools, 'esbuild@0.28', 'esbuild');
    if (user.missing) return user;
    await user.shell(line(/esbuild .*--loader:\.node=copy.*/));
    rmSync(user.path('node_modules'), { recursive: true });
    for (const file of readdirSync(user.path('out')).filter((name) => name.endsWith('.node'))) rmSync(user.path('out', file));
    const { stderr } = await user.run('node', ['out/hello.js']);
    assert.match(stderr, /LibraryError: tokenwell .* is not installed/);
    assert.match(stderr, /A bundle needs the package in node_modules, or the file beside it/);
    return undefined;
  },

  ...(short ? {} : longForm(tools)),
});

const longForm = (tools) => ({
  async k13_webpack_with_an_external_package(t) {
    const user = await bundled(t, tools, 'webpack@5_webpack-cli@6_node-loader@2', 'webpack');
    if (user.missing) return user;
    writeFileSync(user.path('webpack.config.js'), block('webpack.config.js, with the package in node_modules'));
    await user.shell('webpack');
    await user.getsAToken('dist/main.js');
    return undefined;
  },

  async k13_webpack_with_node_loader(t) {
    const user = await bundled(t, tools, 'webpack@5_webpack-cli@6_node-loader@2', 'webpack');
    if (user.missing) return user;
    writeFileSync(user.path('webpack.config.js'), block('webpack.config.js, with the addon beside the bundle'));
    symlinkSync(path.join(tools, 'webpack@5_webpack-cli@6_node-loader@2/node_modules/node-loader'), user.path('node_modules/node-loader'));
    await user.shell('webpack');
    await user.withoutModules('dist/main.js');
    return readdirSync(user.path('moved')).join(', ');
  },

  async k13_vercel_nft_finds_every_file(t) {
    const user = await bundled(t, tools, '@vercel_nft@1');
    if (user.missing) return user;
    const { nodeFileTrace } = createRequire(path.join(tools, '@vercel_nft@1/node_modules/'))('@vercel/nft');
    const { fileList } = await nodeFileTrace([user.path('hello.mjs')], { base: user.directory });
    const copy = user.path('traced');
    for (const file of fileList) cpSync(user.path(file), path.join(copy, file));
    rmSync(user.path('node_modules'), { recursive: true });
    const { stdout, stderr } = await user.run('node', ['traced/hello.mjs']);
    assert.match(stdout, /^Bearer ey/, stderr);
    return `${fileList.size} files`;
  },

  ...Object.fromEntries(
    ['node@20', 'node@22', 'node@24'].map((version) => [
      `k13_a_single_executable_of_${version.replace('@', '_')}`,
      async (t) => {
        const user = await bundled(t, tools, 'esbuild@0.28', 'esbuild');
        const node = path.join(tools, version, 'node_modules/node/bin/node');
        const postject = path.join(tools, 'postject@1.0.0-alpha.6/node_modules/.bin/postject');
        if (user.missing || !existsSync(node) || !existsSync(postject)) return { missing: `npm cannot install esbuild, postject or ${version}` };
        writeFileSync(user.path('sea.json'), block('sea.json'));
        const commands = block('single executable').replace(/^npx /gm, '');
        await user.shell(commands, { PATH: `${path.dirname(node)}:${path.dirname(postject)}:${user.toolPath}` });
        const { stdout, stderr } = await user.run(user.path('hello'), []);
        assert.match(stdout, /^Bearer ey/, stderr);
        return undefined;
      },
    ]),
  ),

  async bun_runs_it(t) {
    const user = await bundled(t, tools, 'bun@1', 'bun');
    if (user.missing) return user;
    rmSync(user.path('node_modules'), { recursive: true });
    rmSync(user.path('package-lock.json'));
    await user.shell('bun add tokenwell');
    for (const file of ['hello.mjs', 'hello.cjs']) await user.shell(`bun run ${file} | grep -q '^Bearer ey'`);
    return (await user.shell('bun --version')).trim();
  },

  async k13_bun_build_compile(t) {
    const user = await bundled(t, tools, 'bun@1', 'bun');
    if (user.missing) return user;
    await user.shell(line(/bun build --compile .*/));
    rmSync(user.path('node_modules'), { recursive: true });
    const { stdout, stderr } = await user.run(user.path('hello'), []);
    assert.match(stdout, /^Bearer ey/, stderr);
    return undefined;
  },

  async k3_deno_runs_it(t) {
    const user = await bundled(t, tools, 'deno@2', 'deno');
    if (user.missing) return user;
    rmSync(user.path('node_modules'), { recursive: true });
    writeFileSync(user.path('deno.json'), '{}');
    await user.shell(`${line(/deno run .*/)} | grep -q '^Bearer ey'`, { NPM_CONFIG_REGISTRY: user.registry.url, DENO_DIR: user.path('deno') });
    return (await user.shell('deno --version')).split('\n')[0];
  },
});

/** A line of the README. */
function line(pattern) {
  const found = pattern.exec(README)?.[0];
  assert.ok(found, `the README has no line like ${pattern}`);
  return found.replace(/^npx /, '');
}

/** The code block after a line of the README that ends with `title` and a colon. */
function block(title) {
  const lines = README.split('\n');
  const start = lines.findIndex((each) => each.endsWith(`${title}:`));
  assert.ok(start >= 0, `the README has no block ${title}`);
  const begin = lines.findIndex((each, index) => index > start && each.startsWith('```'));
  return `${lines.slice(begin + 1, lines.indexOf('```', begin + 1)).join('\n')}\n`;
}

/** A project with the installed package, and with a tool on the PATH. */
async function bundled(t, tools, tool, program) {
  const directory = path.join(tools, tool, 'node_modules');
  if (!existsSync(program ? path.join(directory, '.bin', program) : directory)) return { missing: `npm cannot install ${tool}` };
  const user = await installed(t);
  const PATH = `${path.join(directory, '.bin')}:${user.env.PATH}`;
  return Object.assign(user, {
    toolPath: PATH,
    shell: (commands, more = {}) => succeed('sh', ['-ec', commands], { cwd: user.directory, env: { ...user.env, PATH, ...more } }),
    async getsAToken(file) {
      const { stdout, stderr } = await user.run('node', [file]);
      assert.match(stdout, /^Bearer ey/, stderr);
    },
    /** The bundle is all that is needed, in another place. */
    async withoutModules(file) {
      rmSync(user.path('node_modules'), { recursive: true });
      const moved = user.path('moved');
      mkdirSync(moved);
      for (const name of readdirSync(path.dirname(user.path(file)))) copyFileSync(path.join(path.dirname(user.path(file)), name), path.join(moved, name));
      rmSync(path.dirname(user.path(file)), { recursive: true });
      await user.getsAToken(path.join('moved', path.basename(file)));
    },
  });
}
