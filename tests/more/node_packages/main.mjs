// The claims about the packages for npm. Prints one line for each claim, with its figures, and the closing line.
//
//   main.mjs              SHORT=1 shortens them, ONLY is a pattern of names
//
// From the environment: WORK, a directory for everything that is made; USER_PATH, the PATH of a user; TOOLS, a directory with the packages of npm that the
// claims need, and one named like each version of Node; SKIPPED, how many tests were skipped before.
import { bundlers } from './bundlers.mjs';
import { commands } from './commands.mjs';
import { files } from './files.mjs';
import { installations } from './installations.mjs';
import { messages } from './messages.mjs';
import { processes } from './processes.mjs';

// Not in the short form, in which other claims prove most of it.
const LONG = [
  // Short: that the addon has no static thread-local data is read from the file.
  'k12_under_jest_after_libraries_that_fill_the_space_for_thread_local_data',
  'k3_a_registry_without_the_package_of_this_platform',
  'k4_a_file_of_another_platform_in_the_package',
  // Short: the same in the staged tree, in bindings/node/test/loading.test.mjs.
  'k4_a_package_of_another_version',
  'k4_a_platform_without_a_package',
  'k4_another_abi_version_of_TOKENWELL_LIBRARY',
  'k4_x64_node_with_packages_for_arm64',
  'k7_musl_and_glibc_side_by_side',
  'k8_a_lock_file_that_lacks_this_platform',
  'k8_npm_a_lock_file_of_macos_installs_on_linux',
  // Short: the addon finds its package with the same code.
  'the_command_for_another_platform_is_one_message',
  'the_wait_for_a_release_ends_and_keeps_the_path_of_the_registry',
  'the_staged_tree_installs_as_the_readme_says',
];
const only = process.env.ONLY ? new RegExp(process.env.ONLY) : /./;
const short = Boolean(process.env.SHORT);
let passed = 0;
let failed = 0;
let skipped = Number(process.env.SKIPPED || 0);

for (const claims of [files, installations, messages, processes, bundlers, commands]) {
  for (const [name, prove] of Object.entries(await claims({ short, tools: process.env.TOOLS }))) {
    // What must be there for the others is made by the first claim.
    if (short && LONG.includes(name)) continue;
    if (only.test(name) || name === 'k10_two_builds_have_the_same_bytes') await show(name, prove);
  }
}
console.log(`node_packages: ${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

async function show(name, prove) {
  const cleanups = [];
  const begun = performance.now();
  try {
    const figures = await prove({ after: (cleanup) => cleanups.push(cleanup) });
    if (figures?.missing) {
      skipped += 1;
      console.log(`skipped node_packages: ${name}: ${figures.missing}`);
    } else {
      passed += 1;
      const seconds = process.env.SECONDS_OF_EACH ? ` (${((performance.now() - begun) / 1000).toFixed(1)} s)` : '';
      console.log(`ok ${name}${figures ? `: ${figures}` : ''}${seconds}`);
    }
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack}`);
  }
  for (const cleanup of cleanups.reverse()) await cleanup();
}
