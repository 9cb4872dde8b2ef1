// SPDX-License-Identifier: Apache-2.0 OR MIT
// Generated from src/ffi by `make header`. Do not edit.

/// @file tokenwell.h
/// @brief One cache of access tokens for MongoDB Atlas Service Accounts and other RFC 6749 servers.
///
/// The following rules apply to every function.
///
/// ## Objects and ownership
///
/// All objects are opaque. Objects returned through `out` are owned by the caller and must be
/// released with the matching `_free` function. `_free(NULL)` has no effect.
/// Strings returned by a function that reads an object are owned by that object.
///
/// ## Status
///
/// 0 (`TOKENWELL_STATUS_OK`) means success. The numbers are stable and are never reused.
/// Outputs are written on success only.
///
/// ## Errors
///
/// Every function that can fail has a last parameter `tokenwell_error **error`, which may be NULL.
/// On failure it receives an error that says what happened and what to do. On success it is not
/// changed. A previous value is overwritten and not released: release an error before the same
/// variable is used for another call, otherwise it leaks. There is no per-thread "last error".
///
/// ## Strings
///
/// Strings are passed in as a pointer and a length in bytes, in UTF-8, without a terminating NUL.
/// Returned strings are NUL-terminated.
///
/// ## Threads
///
/// Any number of threads may use a const object concurrently. `_free` must not run concurrently
/// with any other call on the same object.
///
/// ## Blocking
///
/// `tokenwell_client_token`, `tokenwell_client_revoke` and `tokenwell_client_invalidate` may block;
/// the description of each function says for how long. `tokenwell_client_new` reads configuration
/// files. `tokenwell_log_set` waits for a callback that is running. No other function blocks.
///
/// ## Fork
///
/// A child process may continue to use the objects of its parent. exec and exit need no
/// preparation.
///
/// ## NULL
///
/// NULL for a parameter that must not be NULL is an error that names the parameter, never a crash.
/// The description of a parameter says if it may be NULL.
///
/// ## Preconditions
///
/// `@pre` says what the caller must ensure because the library cannot check it. It applies to
/// pointers that are not NULL.
///
/// ## Allocation failure
///
/// On allocation failure a call returns an error or the process aborts (SIGABRT). Other processes
/// can still use the shared cache.


#ifndef TOKENWELL_H
#define TOKENWELL_H

#include <stddef.h>
#include <stdint.h>

/// The version of this ABI.
///
/// It changes when the meaning of a function or struct changes. Additions do not change it.
#define TOKENWELL_ABI_VERSION 1

/// A flag of `tokenwell_client_token`: return a token other than the current one.
///
/// It does not skip a cooldown: the time after a failed refresh during which the remembered error
/// is returned and no token request is sent.
#define TOKENWELL_FORCE_REFRESH 1

/// The status of a call.
///
/// The numbers are stable and the same in every language. The exit code of the `tokenwell` command
/// is derived from them. Numbers are never reused.
enum tokenwell_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /// The call succeeded.
  TOKENWELL_STATUS_OK = 0,
  /// An argument or setting of this call is invalid.
  TOKENWELL_STATUS_INVALID_ARGUMENT = 1,
  /// There is no usable credential, or settings contradict each other.
  TOKENWELL_STATUS_NOT_CONFIGURED = 2,
  /// The authorization server rejected the client, for example with `invalid_client`,
  /// `unauthorized_client` or `invalid_scope`.
  TOKENWELL_STATUS_CREDENTIAL_REJECTED = 3,
  /// The account already has as many valid access tokens as Atlas allows (100).
  TOKENWELL_STATUS_TOKEN_LIMIT = 4,
  /// The authorization server requires a pause before the next token request.
  TOKENWELL_STATUS_RATE_LIMITED = 5,
  /// The server could not be reached, or the connection broke.
  TOKENWELL_STATUS_NETWORK = 6,
  /// The TLS handshake failed, for example because of an unknown certificate authority, a wrong
  /// host name or an expired certificate.
  TOKENWELL_STATUS_TLS = 7,
  /// The deadline of this call was exceeded. A refresh in progress may still finish for other
  /// callers.
  TOKENWELL_STATUS_DEADLINE = 8,
  /// The server answered with an HTTP 5xx status.
  TOKENWELL_STATUS_SERVER = 9,
  /// The server's reply is not a token response.
  TOKENWELL_STATUS_PROTOCOL = 10,
  /// tokenwell refused to continue for safety, for example because of a redirect, plain http to a
  /// host that is not loopback, or an unsafe file.
  TOKENWELL_STATUS_REFUSED = 11,
  /// The client was closed.
  TOKENWELL_STATUS_CLOSED = 12,
  /// A bug in tokenwell.
  TOKENWELL_STATUS_INTERNAL = 13,
  /// The result is not available yet: the operation was started and continues. Never an error.
  /// Planned: no function returns it yet.
  TOKENWELL_STATUS_PENDING = 14,
  /// No usable token is cached, and the caller did not allow a token request. Planned: no function
  /// returns it yet.
  TOKENWELL_STATUS_NOT_CACHED = 15,
  /// A file or standard output cannot be written. Returned only by the `tokenwell` command.
  TOKENWELL_STATUS_CANNOT_WRITE = 16,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
/// A status: a value of `enum tokenwell_status`.
typedef enum tokenwell_status tokenwell_status;
#else
/// A status: a value of `enum tokenwell_status`.
typedef int32_t tokenwell_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// A client: obtains and caches the access token of one service account.
///
/// It is created by `tokenwell_client_new`, owned by the caller, and released with
/// `tokenwell_client_free`. The token that it caches is its current token.
///
/// A refresh gets a new current token: it reads the token cache that processes share and, if that
/// has no usable token, sends a token request.
///
/// Threads: any number of threads may concurrently call the functions that take a const client.
/// Between refreshes a client uses no thread and no socket.
/// Fork: the child may continue to use the client. The child keeps the valid token and obtains the
/// next one itself. exec and exit need no preparation.
typedef struct tokenwell_client tokenwell_client;

/// The settings that a client is created from.
///
/// It is created by `tokenwell_config_new`, owned by the caller, and released with
/// `tokenwell_config_free`, which also wipes the secret. A client does not refer to the config that
/// it was created from.
///
/// Threads: only one thread at a time may set a setting. While no thread does, any number of
/// threads may create clients from it.
/// Fork: parent and child each have their own copy.
typedef struct tokenwell_config tokenwell_config;

/// An error: what happened in a failed call, and what to do about it.
///
/// It is created by a failing call whose `error` parameter is not NULL. It is owned by the caller
/// and released with `tokenwell_error_free`. It remains valid after its client is freed.
///
/// It never contains a secret or a token.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
typedef struct tokenwell_error tokenwell_error;

/// An access token that was valid when it was returned.
///
/// It is created by `tokenwell_client_token`, owned by the caller, and released with
/// `tokenwell_token_free`. It remains valid after its client is freed. Its memory is wiped when the
/// last reference to the same token is released; the client's cache also has a reference.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
typedef struct tokenwell_token tokenwell_token;

/// The counters of a client, since it was created.
///
/// A "get" is one call of `tokenwell_client_token`. Later versions may add members at the end: the
/// `out_size` of `tokenwell_client_stats` says which members the caller knows.
typedef struct {
  /// Gets that returned a token from memory.
  uint64_t hits;
  /// Gets that waited for a refresh.
  uint64_t waits;
  /// Refreshes that were started.
  uint64_t refreshes;
  /// Token requests that returned a token.
  uint64_t mints;
  /// Refreshes that failed, except with a remembered error (see `cooldown_answers`).
  uint64_t mint_failures;
  /// Gets that returned the current token, which is still valid, because a refresh failed.
  uint64_t stale_served;
  /// Gets that returned the remembered error during a cooldown (see `TOKENWELL_FORCE_REFRESH`).
  uint64_t cooldown_answers;
  /// Calls of `tokenwell_client_invalidate` and `tokenwell_client_revoke` that dropped a token.
  uint64_t invalidations;
} tokenwell_stats;

/// A callback that receives one log line.
///
/// It may be called from any thread, and from several threads concurrently. It must not call any
/// function of tokenwell.
///
/// @param user_data The pointer that was passed to `tokenwell_log_set`.
/// @param level 1 for errors, 2 for warnings, 3 for information, 4 for details.
/// @param message The line: a NUL-terminated UTF-8 string, valid only during the call.
/// @param message_len The length of `message` in bytes, without the NUL.
typedef void (*tokenwell_log_callback)(void *user_data,
                                       int32_t level,
                                       const char *message,
                                       size_t message_len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Returns the ABI version of the loaded library.
///
/// Compare it with the `TOKENWELL_ABI_VERSION` that the program was compiled with.
///
/// @return The `TOKENWELL_ABI_VERSION` of the loaded library.
/// @since 0.1
uint32_t tokenwell_abi_version(void);

/// Returns the version of the library, for example "0.1.0".
///
/// @return A static, NUL-terminated string.
/// @since 0.1
const char *tokenwell_version(void);

/// Returns the name of a status number, for example "RATE_LIMITED".
///
/// @param status A status number.
/// @return A static, NUL-terminated string: "UNKNOWN" for a number that this version does not know.
/// @since 0.1
const char *tokenwell_status_name(int32_t status);

/// Returns the status of an error: the status that the failing call returned.
///
/// @param error The error. May be NULL.
/// @return The status. TOKENWELL_STATUS_OK if `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
tokenwell_status tokenwell_error_status(const tokenwell_error *error);

/// Returns the name of an error's status, for example "RATE_LIMITED".
///
/// @param error The error. May be NULL.
/// @return A NUL-terminated string, owned by `error`. NULL if `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
const char *tokenwell_error_name(const tokenwell_error *error);

/// Returns the message of an error: what happened and to what, without secrets.
///
/// The message is one or two sentences in English.
///
/// @param error The error. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated UTF-8 string, owned by `error`. NULL if `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed. `len` must be writable.
const char *tokenwell_error_message(const tokenwell_error *error, size_t *len);

/// Returns the hint of an error: what to do about it.
///
/// @param error The error. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated UTF-8 string, owned by `error`. It may be empty. NULL only if `error`
///   is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed. `len` must be writable.
const char *tokenwell_error_hint(const tokenwell_error *error, size_t *len);

/// Returns the HTTP status of the server's reply.
///
/// @param error The error. May be NULL.
/// @return The HTTP status. 0 if there was no reply or `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
int32_t tokenwell_error_http_status(const tokenwell_error *error);

/// Returns how long to wait before the next attempt.
///
/// @param error The error. May be NULL.
/// @return The time in milliseconds. -1 if it is not known or `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
int64_t tokenwell_error_retry_after_ms(const tokenwell_error *error);

/// Releases an error.
///
/// @param error The error. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed. No other thread may be using it.
void tokenwell_error_free(tokenwell_error *error);

/// Creates an empty config: no setting is set.
///
/// @param out Receives the config; release it with `tokenwell_config_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `out` and `error` must be writable.
tokenwell_status tokenwell_config_new(tokenwell_config **out,
                                      tokenwell_error **error);

/// Sets one setting.
///
/// A later value replaces an earlier one. After an error the earlier value is still in effect. The
/// strings are copied. The memory of a secret is wiped when it is released.
///
/// The settings:
/// - `client_id`
/// - `client_secret`
/// - `client_secret_file`
/// - `base_url`
/// - `token_url`
/// - `revocation_url`
/// - `auth_method`: `client_secret_basic_raw`, `client_secret_basic` or `client_secret_post`.
/// - `scope`
/// - `audience`
/// - `resource`
/// - `timeout_ms`: 1 to 600000. The timeout of one refresh and the default deadline of a call.
/// - `ca_file`: a PEM file, or `system` for the authorities of the operating system.
/// - `ca_pem`: the content of a PEM file.
/// - `proxy`: `http://host:port` or `https://host:port`, or `none`.
/// - `no_proxy`: hosts that are reached without the proxy, separated by commas.
/// - `profile`: a profile of a configuration file. Requires `tokenwell_config_use_environment`.
/// - `cache`: `on` or `off`.
/// - `cache_dir`
/// - `cache_unsafe`: `on` or `off`.
/// - `environment`: `on` or `off`. If it is `off`, no environment variable is read, not even for
///   the proxy, the certificate authorities and the cache directory.
/// - `manual_clock_ms`: milliseconds since the Unix epoch. For tests.
///
/// @param config The config. Must not be NULL.
/// @param name The name of the setting. Must not be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param value The value, always as a string. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
///   The message names the setting and never contains a secret.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the name is unknown, or the value cannot be used.
/// - TOKENWELL_STATUS_REFUSED: the value is a URL to which a secret must not be sent.
///
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be using it. `name` and
/// `value` must be readable for their lengths. `error` must be writable.
tokenwell_status tokenwell_config_set(tokenwell_config *config,
                                      const char *name,
                                      size_t name_len,
                                      const char *value,
                                      size_t value_len,
                                      tokenwell_error **error);

/// Uses the environment and a profile for all settings that were not set.
///
/// The sources are searched in this order: the variables `TOKENWELL_*`, `MONGODB_ATLAS_*`,
/// `MCLI_*`, then a profile in tokenwell/config.toml or of the Atlas CLI. They are read when a
/// client is created, not by this call.
///
/// Without this call, a client reads only the variables of the host: of the shared cache, the
/// proxy, the certificate authorities and the log. No variable is read later, by a refresh for
/// example.
///
/// In a process with more privileges than the user that started it (set-user-ID, set-group-ID or
/// file capabilities), no variable and no profile is used, with or without this call.
///
/// @param config The config. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be using it. `error` must
/// be writable.
tokenwell_status tokenwell_config_use_environment(tokenwell_config *config,
                                                  tokenwell_error **error);

/// Uses only variables that `tokenwell_config_set_variable` adds, instead of those of the process.
///
/// The environment of the process is not safe to read while another thread changes it: `setenv`,
/// `putenv` and `unsetenv` may free the memory that `getenv` reads. After this call, creating a
/// client from this config does not read it. Which variables are used for what does not change:
/// `tokenwell_config_use_environment` is still required for the settings and profiles.
///
/// Without any variable, the environment is empty. Variables that were already added are kept.
///
/// @param config The config. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be using it. `error` must
/// be writable.
tokenwell_status tokenwell_config_use_variables(tokenwell_config *config,
                                                tokenwell_error **error);

/// Adds one variable to those that are used instead of the variables of the process.
///
/// This includes `tokenwell_config_use_variables`. A later value replaces an earlier one. The
/// strings are copied, and wiped when they are released. A variable that tokenwell does not read is
/// not kept, so a program may pass its whole environment, which it copies under its own lock.
///
/// @param config The config. Must not be NULL.
/// @param name The name of the variable. Must not be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param value The value. It does not have to be UTF-8. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL. 0 counts as not set.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT: the name is empty or contains
///   a `=`, or one of them contains a NUL.
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be using it. `name` and
/// `value` must be readable for their lengths. `error` must be writable.
tokenwell_status tokenwell_config_set_variable(tokenwell_config *config,
                                               const char *name,
                                               size_t name_len,
                                               const char *value,
                                               size_t value_len,
                                               tokenwell_error **error);

/// Releases a config and wipes its secret.
///
/// Clients that were created from it continue to work.
///
/// @param config The config. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be using it.
void tokenwell_config_free(tokenwell_config *config);

/// Returns the access token, as the authorization server issued it.
///
/// The string is opaque: do not parse it, and do not log it.
///
/// @param token The token. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `token`. NULL if `token` is NULL.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed. `len` must be writable.
const char *tokenwell_token_value(const tokenwell_token *token, size_t *len);

/// Returns the value of the Authorization header: "Bearer " and the token (RFC 6750 section 2.1).
///
/// @param token The token. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `token`. NULL if `token` is NULL.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed. `len` must be writable.
const char *tokenwell_token_authorization(const tokenwell_token *token, size_t *len);

/// Returns the scope that the server granted (RFC 6749 section 5.1).
///
/// @param token The token. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `token`. NULL if the server named no scope or
///   `token` is NULL.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed. `len` must be writable.
const char *tokenwell_token_scope(const tokenwell_token *token, size_t *len);

/// Returns when the token expires, by the wall clock.
///
/// @param token The token. May be NULL.
/// @return The time in milliseconds since the Unix epoch. 0 if `token` is NULL.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed.
int64_t tokenwell_token_expires_at_ms(const tokenwell_token *token);

/// Returns the value that the client's generation counter got when this token became current.
///
/// See `tokenwell_client_generation`.
///
/// @param token The token. May be NULL.
/// @return The generation. 0 if `token` is NULL. UINT64_MAX if the token was never the client's
///   current one because the server's reply does not allow it to be cached.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed.
uint64_t tokenwell_token_generation(const tokenwell_token *token);

/// Releases the caller's reference to a token.
///
/// @param token The token. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed. No other thread may be using it through this
/// pointer.
void tokenwell_token_free(tokenwell_token *token);

/// Creates a client.
///
/// It reads configuration files and environment variables, which no other thread may change
/// meanwhile; see `tokenwell_config_use_variables`. It opens no connection: the first call of
/// `tokenwell_client_token` does.
///
/// @param config The settings. Remains owned by the caller. Must not be NULL.
/// @param out Receives the client; release it with `tokenwell_client_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the client id or secret is missing, or settings contradict
///   each other.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: as for `tokenwell_config_set`, or TOKENWELL_LOG is invalid
///   (see `tokenwell_log_set`).
/// - TOKENWELL_STATUS_REFUSED: as for `tokenwell_config_set`.
///
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be setting it. `out` and
/// `error` must be writable.
tokenwell_status tokenwell_client_new(const tokenwell_config *config,
                                      tokenwell_client **out,
                                      tokenwell_error **error);

/// Returns a valid token: immediately if one is cached, otherwise after a refresh.
///
/// All callers share one refresh. The call blocks only for a refresh, and no longer than the
/// deadline. Returns the refresh error if no cached token satisfies `min_ttl_ms`.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms For how many milliseconds the token must still be valid. 0 means the default
///   minimum: the smaller of 60 s and a tenth of the token's lifetime.
/// @param deadline_ms How long the call may block, in milliseconds; 0 for the configured timeout.
/// @param flags 0 or TOKENWELL_FORCE_REFRESH.
/// @param out Receives the token; release it with `tokenwell_token_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: `min_ttl_ms` is not shorter than the lifetime of the
///   server's tokens.
/// - The status of the refresh error (see above).
///
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `out` and `error` must be writable.
tokenwell_status tokenwell_client_token(const tokenwell_client *client,
                                        uint64_t min_ttl_ms,
                                        uint64_t deadline_ms,
                                        uint32_t flags,
                                        tokenwell_token **out,
                                        tokenwell_error **error);

/// Drops the current token after a resource server rejected it with HTTP status 401.
///
/// A current token other than `value` is kept.
///
/// In this process the token is dropped immediately. If processes share tokens in files, the token
/// is then removed from those files. This blocks for up to a second while another process works on
/// the same token, and for a few seconds if the file system does not answer. If the calling thread
/// runs an event loop, call this function on another thread.
///
/// @param client The client. Must not be NULL.
/// @param value The string of the rejected token. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `value` must be readable for `value_len`
/// bytes. `error` must be writable.
tokenwell_status tokenwell_client_invalidate(const tokenwell_client *client,
                                             const char *value,
                                             size_t value_len,
                                             tokenwell_error **error);

/// Revokes the current token at the server (RFC 7009) and drops it, whatever the server answers.
///
/// Without a current token, the call does nothing. The token is dropped first; then the call blocks
/// until the server answers, and no longer than the deadline.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms How long the call may block, in milliseconds; 0 for the configured timeout.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - The status of an error of the server or the network. Assume then that the server accepts the
///   token until it expires.
///
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `error` must be writable.
tokenwell_status tokenwell_client_revoke(const tokenwell_client *client,
                                         uint64_t deadline_ms,
                                         tokenwell_error **error);

/// Reads the counters of a client.
///
/// @param client The client. Must not be NULL.
/// @param out Receives the counters. Must not be NULL.
/// @param out_size `sizeof(tokenwell_stats)` in the caller's build. At most this many bytes are
///   written. Members that this version does not know are set to zero.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `out` must be writable for `out_size` bytes.
/// `error` must be writable.
tokenwell_status tokenwell_client_stats(const tokenwell_client *client,
                                        tokenwell_stats *out,
                                        size_t out_size,
                                        tokenwell_error **error);

/// Returns the generation counter of a client.
///
/// The counter changes whenever the current token changes: when it is replaced, invalidated or
/// revoked, and when the client is closed.
///
/// While the counter equals `tokenwell_token_generation` and the time of
/// `tokenwell_client_fresh_for_ms` has not passed, a caller may use its own copy of the token's
/// string instead of calling `tokenwell_client_token`.
///
/// The counter is an atomic 64-bit integer in the memory of the client. Never write it. Do not read
/// it after `tokenwell_client_free`. Read it with a single load with acquire ordering:
/// - GCC and Clang: `__atomic_load_n(generation, __ATOMIC_ACQUIRE)`
/// - MSVC: `ReadAcquire64((const volatile LONG64 *)generation)`
/// - C11: `atomic_load_explicit((const _Atomic uint64_t *)generation, memory_order_acquire)`
///
/// @param client The client. May be NULL.
/// @return The address of the counter. NULL if `client` is NULL.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed.
const uint64_t *tokenwell_client_generation(const tokenwell_client *client);

/// Returns how long a copy of a token may be used without calling `tokenwell_client_token` again.
///
/// The result applies only while the client's generation equals the generation of the token.
///
/// @param client The client. May be NULL.
/// @param token The token. May be NULL.
/// @return The time in milliseconds from now. 0 means: call `tokenwell_client_token` every time. It
///   is 0 if `token` is no longer the current token, if the client uses a manual clock, and if
///   `client` or `token` is NULL.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `token` must be a token that was not freed.
uint64_t tokenwell_client_fresh_for_ms(const tokenwell_client *client,
                                       const tokenwell_token *token);

/// Advances the clock of a client that was configured with `manual_clock_ms`. For tests.
///
/// @param client The client. Must not be NULL.
/// @param ms By how many milliseconds to advance the clock.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the client uses the system's clock.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
///
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `error` must be writable.
tokenwell_status tokenwell_client_advance_clock(const tokenwell_client *client,
                                                uint64_t ms,
                                                tokenwell_error **error);

/// Closes a client for all its users: later and waiting calls return TOKENWELL_STATUS_CLOSED.
///
/// It may be called from any thread, any number of times. The memory is not released until
/// `tokenwell_client_free`. The token remains valid at the server and for other clients.
///
/// @param client The client. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `error` must be writable.
tokenwell_status tokenwell_client_close(const tokenwell_client *client,
                                        tokenwell_error **error);

/// Closes a client and releases its memory.
///
/// Tokens and errors that came from it remain valid.
///
/// @param client The client. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. No other call on it may be running or follow.
void tokenwell_client_free(tokenwell_client *client);

/// Sends log lines to a callback, which replaces an earlier callback.
///
/// No line contains a secret or a token.
///
/// It applies to the whole process. It may be called from any thread, but not from inside a
/// callback. It blocks while the earlier callback is running. When it returns, the earlier callback
/// is not running and is not called again, so its `user_data` may be freed.
///
/// If a program never calls this function, its log can be enabled with the environment variable
/// TOKENWELL_LOG: `error`, `warning`, `info` or `debug`. The first client that is created then
/// sends lines of that level and of the more severe levels to standard error. It is read from the
/// environment that the config of that client uses.
///
/// @param callback The callback. NULL means that nothing is logged from now on.
/// @param user_data Passed to the callback. May be NULL.
/// @param max_level The most detailed level to log: 1 to 4, as in `tokenwell_log_callback`.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `callback` must be callable with `user_data` from any thread until it is replaced. `error`
/// must be writable.
tokenwell_status tokenwell_log_set(tokenwell_log_callback callback,
                                   void *user_data,
                                   int32_t max_level,
                                   tokenwell_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TOKENWELL_H */
