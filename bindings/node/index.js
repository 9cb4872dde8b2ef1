'use strict';

// The entry point of the package. It contains types, object lifetimes, a local copy of the token
// and the waiting of callers; everything else is done by the library in the addon. Start reading at
// lib/client.js.

const { ApiError, Secret } = require('./lib/admin.js');
const { Client } = require('./lib/client.js');
const { check, errorFor, notWellFormed, ...classes } = require('./lib/errors.js');
const { LibraryError, libraryVersion } = require('./lib/library.js');
const { ApiResponse } = require('./lib/response.js');
const { ServiceAccounts } = require('./lib/service_accounts.js');
const { Token } = require('./lib/token.js');

module.exports = { ApiError, ApiResponse, Client, Secret, ServiceAccounts, Token, LibraryError, libraryVersion, ...classes };
