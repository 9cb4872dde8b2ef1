'use strict';

// Why a file cannot be the addon of this process, before the dynamic loader maps it: a truncated file would end the
// process with SIGBUS.

const { Buffer } = require('node:buffer');
const { closeSync, fstatSync, openSync, readSync } = require('node:fs');

const HEADER_SIZE = 64;
const MACHINES = new Map([
  [3, 'ia32'],
  [40, 'arm'],
  [62, 'x64'],
  [183, 'arm64'],
]);

/**
 * Returns what is wrong with a file for Linux, or undefined if its header is that of a complete
 * library for this processor. Other systems have other formats, which are not checked.
 *
 * @param {string} file
 * @returns {string | undefined}
 */
function problemOf(file) {
  if (process.platform !== 'linux') return undefined;
  let header;
  let size;
  try {
    ({ header, size } = beginning(file));
  } catch (error) {
    return `cannot be read: ${error.message}`;
  }
  if (header.length < HEADER_SIZE) return `is truncated: it has only ${size} bytes`;
  if (header.readUInt32BE(0) !== 0x7f454c46) return `is not a library for Linux: it begins with the bytes ${header.toString('hex', 0, 4)}`;
  const machine = header.readUInt16LE(18);
  const processor = MACHINES.get(machine);
  if (processor !== process.arch) return `is for ${processor ?? `the machine ${machine} of ELF`}, but this Node.js runs as ${process.arch}`;
  // 64-bit processors only. The table of sections is the last part of the file.
  if (header[4] !== 2) return undefined;
  const complete = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
  return size < complete ? `is truncated: it has ${size} of ${complete} bytes` : undefined;
}

function beginning(file) {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(HEADER_SIZE);
    const { size } = fstatSync(descriptor);
    return { header: buffer.subarray(0, readSync(descriptor, buffer, 0, HEADER_SIZE, 0)), size };
  } finally {
    closeSync(descriptor);
  }
}

module.exports = { problemOf };
