'use strict';

// The package's front door: a client hands out access tokens, an error says what went wrong and what to do about it.
// Everything here is types, lifetimes, the kept string and waiting; the rest is the shared library's. Start at lib/client.js.

const { Client } = require('./lib/client.js');
const { check, notText, timeOver, ...classes } = require('./lib/errors.js');
const { LibraryError, libraryVersion } = require('./lib/library.js');
const { Token } = require('./lib/token.js');

module.exports = { Client, Token, LibraryError, libraryVersion, ...classes };
