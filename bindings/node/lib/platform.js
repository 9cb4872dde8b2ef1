'use strict';

// Which package fits this process.

const { readFileSync } = require('node:fs');

/**
 * Returns the names of the platforms whose addon may run in this process, the most probable first.
 * There are two only if the C library of a Linux system is unknown.
 *
 * @returns {string[]}
 */
function candidates() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return [name];
  const libc = cLibrary();
  return libc === undefined ? [`${name}-gnu`, `${name}-musl`] : [`${name}-${libc}`];
}

/**
 * Which C library this process uses: by the files that are mapped into it, or else by Node's report.
 * Reading the list of them takes a fraction of a millisecond, a report 5 to 30 ms, and before Node
 * 20.13 a report looks up the name of each peer of the process.
 */
function cLibrary() {
  try {
    const mapped = readFileSync('/proc/self/maps', 'latin1');
    if (/\/ld-musl-[^/]*$/m.test(mapped)) return 'musl';
    if (/\/libc(\.so\.6|-2\.\d+\.so)$/m.test(mapped)) return 'gnu';
  } catch {
    // There is no /proc, or the permissions of the process exclude it.
  }
  const { report } = process;
  if (typeof report?.getReport !== 'function') return undefined;
  const { excludeNetwork } = report;
  try {
    report.excludeNetwork = true;
    return report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl';
  } catch {
    return undefined;
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

module.exports = { candidates };
