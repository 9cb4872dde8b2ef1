'use strict';

// Finds the shared library, checks that it is the one this wrapper was written for, and declares its functions.

const path = require('node:path');
const koffi = require('koffi');

const ABI_VERSION = 1;

// As in tokenwell.h. Opaque types are `void *`: koffi's named types are global to the process, and two copies of this
// package may live in one. Text goes in as bytes and comes out as a copy.
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

/** No usable shared library was found. `places` tells where it was looked for and what was found there. */
class LibraryError extends Error {
  constructor(places, hint) {
    super(['no usable tokenwell library was found:', ...places.map(({ place, found }) => `  ${place}: ${found}`), hint].join('\n'));
    this.places = places;
    this.hint = hint;
  }

  get name() {
    return 'LibraryError';
  }
}

let loaded;

/** The library's functions by their names without `tokenwell_`. Loaded at the first call, so that an import never fails. */
function load() {
  loaded ??= find();
  return loaded;
}

/** The version of the shared library. */
function libraryVersion() {
  return load().version();
}

function find() {
  const named = process.env.TOKENWELL_LIBRARY;
  const candidates = named
    ? [{ place: `TOKENWELL_LIBRARY=${named}`, file: path.resolve(named) }]
    : [
        { place: path.join(__dirname, '..', '_lib', fileName()), file: path.join(__dirname, '..', '_lib', fileName()) },
        { place: `the system's loader, ${fileName()}`, file: fileName() },
      ];

  const places = [];
  for (const { place, file } of candidates) {
    try {
      return open(file);
    } catch (error) {
      places.push({ place, found: error.message });
    }
  }
  throw new LibraryError(places, named ? NAMED_HINT : HINT);
}

const HINT = 'Install the tokenwell library, or name its file in TOKENWELL_LIBRARY. In a source tree: make library.';
const NAMED_HINT = 'While TOKENWELL_LIBRARY is set no other place is tried: name a usable file there, or unset it.';

function open(file) {
  const library = koffi.load(file);
  const abi = foundIn(library, 'uint32_t tokenwell_abi_version()')();
  if (abi !== ABI_VERSION) throw new Error(`has ABI version ${abi}, this package needs ${ABI_VERSION}`);

  return Object.fromEntries(PROTOTYPES.map((prototype) => [shortName(prototype), foundIn(library, prototype)]));
}

function foundIn(library, prototype) {
  try {
    return library.func(prototype);
  } catch (error) {
    throw new Error(`is not a tokenwell library: it lacks tokenwell_${shortName(prototype)}`, { cause: error });
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
