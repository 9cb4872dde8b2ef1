'use strict';

// Finds the shared library, checks its ABI version and declares its functions.

const path = require('node:path');
const koffi = require('koffi');

const ABI_VERSION = 1;

// As in tokenwell.h. Opaque types are `void *`, because koffi's named types are global to the
// process, and a process may contain two copies of this package. Strings are passed in as bytes and
// returned as copies.
const PROTOTYPES = [
  'const char *tokenwell_version()',
  'const char *tokenwell_status_name(int32_t status)',

  'int32_t tokenwell_config_new(_Inout_ void **out, _Inout_ void **error)',
  'int32_t tokenwell_config_set(void *config, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, _Inout_ void **error)',
  'int32_t tokenwell_config_use_environment(void *config, _Inout_ void **error)',
  'void tokenwell_config_free(void *config)',

  'int32_t tokenwell_client_new(void *config, _Inout_ void **out, _Inout_ void **error)',
  'int32_t tokenwell_client_token(void *client, uint64_t min_ttl_ms, uint64_t deadline_ms, uint32_t flags, _Inout_ void **out, _Inout_ void **error)',
  'int32_t tokenwell_client_invalidate(void *client, const uint8_t *value, size_t value_len, _Inout_ void **error)',
  'int32_t tokenwell_client_revoke(void *client, uint64_t deadline_ms, _Inout_ void **error)',
  'int32_t tokenwell_client_stats(void *client, void *out, size_t out_size, _Inout_ void **error)',
  'void *tokenwell_client_generation(void *client)',
  'int32_t tokenwell_client_advance_clock(void *client, uint64_t ms, _Inout_ void **error)',
  'int32_t tokenwell_client_close(void *client, _Inout_ void **error)',
  'void tokenwell_client_free(void *client)',

  'const char *tokenwell_token_value(void *token, void *len)',
  'const char *tokenwell_token_authorization(void *token, void *len)',
  'const char *tokenwell_token_scope(void *token, void *len)',
  'int64_t tokenwell_token_expires_at_ms(void *token)',
  'uint64_t tokenwell_token_generation(void *token)',
  'uint64_t tokenwell_client_fresh_for_ms(void *client, void *token)',
  'void tokenwell_token_free(void *token)',

  'int32_t tokenwell_error_status(void *error)',
  'const char *tokenwell_error_name(void *error)',
  'const char *tokenwell_error_message(void *error, void *len)',
  'const char *tokenwell_error_hint(void *error, void *len)',
  'int32_t tokenwell_error_http_status(void *error)',
  'int64_t tokenwell_error_retry_after_ms(void *error)',
  'void tokenwell_error_free(void *error)',
];

/**
 * No usable shared library was found. `places` lists each location that was tried and what was
 * `found` there.
 */
class LibraryError extends Error {
  constructor(places, hint) {
    super(['no usable tokenwell library was found; tried:', ...places.map(({ place, found }) => `  ${place}: ${found}`), hint].join('\n'));
    this.places = places;
    this.hint = hint;
  }

  get name() {
    return 'LibraryError';
  }
}

let loaded;

/**
 * Returns the functions of the library by their names without `tokenwell_`. The first call loads
 * it, so that an import never fails.
 *
 * @throws {LibraryError} No usable library was found.
 */
function load() {
  loaded ??= find();
  return loaded;
}

/**
 * Returns the version of the shared library.
 *
 * @returns {string}
 * @throws {LibraryError} No usable library was found.
 */
function libraryVersion() {
  return load().version();
}

function find() {
  const configured = process.env.TOKENWELL_LIBRARY;
  const candidates = configured
    ? [{ place: `TOKENWELL_LIBRARY=${configured}`, file: path.resolve(configured) }]
    : [
        { place: path.join(__dirname, '..', '_lib', fileName()), file: path.join(__dirname, '..', '_lib', fileName()) },
        { place: `the dynamic loader, ${fileName()}`, file: fileName() },
      ];

  const places = [];
  for (const { place, file } of candidates) {
    try {
      return open(file);
    } catch (error) {
      places.push({ place, found: error.message });
    }
  }
  throw new LibraryError(places, configured ? NAMED_HINT : HINT);
}

const HINT = 'Install the tokenwell library, or set TOKENWELL_LIBRARY to its path. In a source tree, run `make library`.';
const NAMED_HINT = 'Set TOKENWELL_LIBRARY to the path of a usable library, or unset it: while it is set, no other location is tried.';

function open(file) {
  const library = koffi.load(file);
  const abi = declare(library, 'uint32_t tokenwell_abi_version()')();
  if (abi !== ABI_VERSION) throw new Error(`has ABI version ${abi}, but this package requires ${ABI_VERSION}`);

  return Object.fromEntries(PROTOTYPES.map((prototype) => [shortName(prototype), declare(library, prototype)]));
}

function declare(library, prototype) {
  try {
    return library.func(prototype);
  } catch (error) {
    throw new Error(`is not a compatible tokenwell library: it does not export tokenwell_${shortName(prototype)}`, { cause: error });
  }
}

function shortName(prototype) {
  return /tokenwell_(\w+)\(/.exec(prototype)[1];
}

function fileName() {
  switch (process.platform) {
    case 'darwin':
      return 'libtokenwell.0.dylib';
    case 'win32':
      return 'tokenwell.dll';
    default:
      return 'libtokenwell.so.0';
  }
}

module.exports = { LibraryError, libraryVersion, load };
