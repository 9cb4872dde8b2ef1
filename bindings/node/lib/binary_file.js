'use strict';

// Why a file cannot be the addon or the command of this processor. The dynamic loader maps a truncated
// addon without an error, and the process would end with SIGBUS. An empty program would be run by
// /bin/sh, and succeed.

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
 * Returns what is wrong with a file for Linux, or undefined if its header is that of a complete file
 * for this processor. Other systems have other formats, of which only the size is checked.
 *
 * @param {string} file
 * @param {string} kind What the file must be: `library` or `program`.
 * @returns {string | undefined}
 */
function problemOf(file, kind) {
  let header;
  let size;
  try {
    ({ header, size } = beginning(file));
  } catch (error) {
    return `cannot be read: ${error.message}`;
  }
  if (header.length < HEADER_SIZE) return `is truncated: it has only ${size} bytes`;
  if (process.platform !== 'linux') return undefined;
  if (header.readUInt32BE(0) !== 0x7f454c46) return `is not a ${kind} for Linux: it begins with the bytes ${header.toString('hex', 0, 4)}`;
  const machine = header.readUInt16LE(18);
  const processor = MACHINES.get(machine);
  // The other processors are not checked. Some of them have another byte order.
  const isKnown = [...MACHINES.values()].includes(process.arch);
  if (isKnown && processor !== process.arch) return `is for ${processor ?? `the machine ${machine} of ELF`}, but this Node.js runs as ${process.arch}`;
  // 64 bits and little-endian only. The table of sections is the last part of the file.
  if (header[4] !== 2 || header[5] !== 1) return undefined;
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
