// tokenwell: access tokens of MongoDB Atlas Service Accounts (and of any other RFC 6749 server), from one cache.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
// Generated from src/ffi by `make header`: do not edit.
//
// Conventions
//   Objects     are opaque. What a function hands out through `out` belongs to the caller, who ends it with the `_free` function of its type;
//               `_free(NULL)` does nothing. Texts that an accessor returns belong to the object.
//   Status      0 is success. The numbers are stable and are never reused. Outputs are written on success only.
//   Errors      Every function that can fail takes a last `tokenwell_error **error`, which may be NULL. On failure it receives an error that says
//               what happened and what to do; on success it is left alone. What the variable held before is overwritten and not freed: end an
//               error before its variable is used again, or it leaks. There is no "last error" of a thread.
//   Texts       go in as pointer and length, UTF-8, without a terminating NUL; they come out NUL-terminated.
//   Threads     A const object may be used from any number of threads at once. Freeing it needs to be alone.
//   Waiting     `tokenwell_client_token`, `tokenwell_client_revoke` and `tokenwell_client_invalidate` may wait, each for as long as its own text says.
//               `tokenwell_client_new` reads files of settings. `tokenwell_log_set` waits for a callback that is running. No other function waits.
//   Fork        A child may go on using what its parent made. exec and exit need no preparation.
//   NULL        is an error that names the parameter, never a crash; where it has a meaning the parameter's text says so.
//   Memory      that cannot be had ends a call with an error, or the process with SIGABRT. The shared cache serves others as before.


#ifndef TOKENWELL_H
#define TOKENWELL_H

#include <stddef.h>
#include <stdint.h>

// The version of this ABI. It changes when a function or struct of it changes its meaning; additions leave it as it is.
#define TOKENWELL_ABI_VERSION 1

// A flag of `tokenwell_client_token`: another token than the current one. Does not skip a cooldown.
#define TOKENWELL_FORCE_REFRESH 1

// The stable outcome numbers shared by every language and by the command's exit code. Numbers are never reused.
enum tokenwell_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The call succeeded.
  TOKENWELL_STATUS_OK = 0,
  // An argument or setting of this call is wrong.
  TOKENWELL_STATUS_INVALID_ARGUMENT = 1,
  // There is no usable credential, or settings contradict each other.
  TOKENWELL_STATUS_NOT_CONFIGURED = 2,
  // The authorization server rejected the client: `invalid_client`, `unauthorized_client`, `invalid_scope` …
  TOKENWELL_STATUS_CREDENTIAL_REJECTED = 3,
  // The account already has as many live tokens as Atlas allows (100).
  TOKENWELL_STATUS_TOKEN_LIMIT = 4,
  // The authorization server asked to be left alone for a while.
  TOKENWELL_STATUS_RATE_LIMITED = 5,
  // The server could not be reached, or the connection broke.
  TOKENWELL_STATUS_NETWORK = 6,
  // The TLS handshake failed: unknown authority, wrong name, expired certificate …
  TOKENWELL_STATUS_TLS = 7,
  // The caller's own time was over. A refresh in progress may still finish for others.
  TOKENWELL_STATUS_DEADLINE = 8,
  // The server answered with a 5xx status.
  TOKENWELL_STATUS_SERVER = 9,
  // The server's reply is not a token response.
  TOKENWELL_STATUS_PROTOCOL = 10,
  // Not done for safety's sake: a redirect, plain http off loopback, an unsafe file …
  TOKENWELL_STATUS_REFUSED = 11,
  // The client was closed.
  TOKENWELL_STATUS_CLOSED = 12,
  // A bug in tokenwell.
  TOKENWELL_STATUS_INTERNAL = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum tokenwell_status tokenwell_status;
#else
typedef int32_t tokenwell_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Hands out the live access token of one service account.
//
// Made by `tokenwell_client_new`, owned by the caller, ended with `tokenwell_client_free`. Every function that takes a const client may be
// called from any number of threads at once. Between refreshes it holds no thread and no socket. After fork the child may go on using it: it
// keeps the live token and fetches the next one for itself; exec and exit need no preparation.
typedef struct tokenwell_client tokenwell_client;

// Settings for clients that are to be made.
//
// Made by `tokenwell_config_new`, owned by the caller, ended with `tokenwell_config_free`, which also wipes the secret. One thread
// at a time may set; any number may make clients from it while none sets. Clients keep nothing of it. After fork both processes have their own copy.
typedef struct tokenwell_config tokenwell_config;

// What went wrong in one call, and what to do about it.
//
// Made by a failing call that was given a place for it, and then owned by the caller, who ends it with `tokenwell_error_free`.
// Immutable: any number of threads may read it at once. It outlives the client it came from. It never holds a secret or a token.
// After fork both processes have their own copy.
typedef struct tokenwell_error tokenwell_error;

// A live access token.
//
// Made by `tokenwell_client_token` and then owned by the caller, who ends it with `tokenwell_token_free`; its memory is wiped when the last
// holder of the same token, the client's cache among them, is gone. Immutable: any number of threads may read it at once. It outlives the client it
// came from. After fork both processes have their own copy.
typedef struct tokenwell_token tokenwell_token;

// What a client has done since it was made. Later versions may add members at the end: the size that is passed along says which ones the caller knows.
typedef struct {
  // Gets answered from memory.
  uint64_t hits;
  // Gets that waited for a refresh.
  uint64_t waits;
  // Refreshes begun.
  uint64_t refreshes;
  // Token requests that brought a token.
  uint64_t mints;
  // Refreshes that ended in an error.
  uint64_t mint_failures;
  // Gets answered with a live token after a failed refresh.
  uint64_t stale_served;
  // Gets answered with a remembered error.
  uint64_t cooldown_answers;
  // Calls of tokenwell_client_invalidate that dropped a token.
  uint64_t invalidations;
} tokenwell_stats;

// Receives one log line: `level` is 1 for errors, 2 for warnings, 3 for information, 4 for details; `message` is UTF-8 of `message_len` bytes with a
// NUL behind them, valid during the call. It may be called from any thread, from several at once, and must not call into tokenwell.
typedef void (*tokenwell_log_callback)(void *user_data, int32_t level, const char *message, size_t message_len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the ABI that the loaded library speaks: compare it with the TOKENWELL_ABI_VERSION that you were built for. Since 0.1.
uint32_t tokenwell_abi_version(void);

// The version of the library: "0.1.0". A static, NUL-terminated text. Since 0.1.
const char *tokenwell_version(void);

// The name of a status number: "RATE_LIMITED"; "UNKNOWN" for a number that this version does not know. A static, NUL-terminated text. Since 0.1.
const char *tokenwell_status_name(int32_t status);

// The status number of `error`: the one that the failing call returned.
//
// `error` may be NULL, which gives TOKENWELL_STATUS_OK. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed.
tokenwell_status tokenwell_error_status(const tokenwell_error *error);

// The name of the status: "RATE_LIMITED".
//
// `error` may be NULL, which gives NULL. The text is NUL-terminated and belongs to the error. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed.
const char *tokenwell_error_name(const tokenwell_error *error);

// What happened, and to what: one or two sentences in English, without secrets.
//
// `error` may be NULL, which gives NULL. `len` may be NULL; else it receives the number of bytes before the NUL. The text is UTF-8 and belongs
// to the error. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed; `len` must be NULL or writable.
const char *tokenwell_error_message(const tokenwell_error *error,
                                    size_t *len);

// What to do about it. Never NULL for an error that is not NULL, possibly empty.
//
// Parameters and ownership as for `tokenwell_error_message`. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed; `len` must be NULL or writable.
const char *tokenwell_error_hint(const tokenwell_error *error, size_t *len);

// The HTTP status of the server's reply; 0 where there was none.
//
// `error` may be NULL, which gives 0. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed.
int32_t tokenwell_error_http_status(const tokenwell_error *error);

// For how many milliseconds it is useless to ask again; -1 where that is not known.
//
// `error` may be NULL, which gives -1. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed.
int64_t tokenwell_error_retry_after_ms(const tokenwell_error *error);

// Ends an error. `error` may be NULL: then nothing happens. Since 0.1.
//
// Requirements:
// `error` must be NULL or an error that was not freed, and no other thread may be using it.
void tokenwell_error_free(tokenwell_error *error);

// Makes an empty set of settings.
//
// `out` must not be NULL; on success it receives an object that the caller ends with `tokenwell_config_free`. `error` may be NULL; on failure it
// receives an error that the caller ends with `tokenwell_error_free`. Errors: INVALID_ARGUMENT. Since 0.1.
//
// Requirements:
// `out` and `error` must be NULL or writable.
tokenwell_status tokenwell_config_new(tokenwell_config **out,
                                      tokenwell_error **error);

// Sets one setting by its name; the value is text. A later value replaces an earlier one; after an error the earlier one stands.
//
// The names: client_id, client_secret, client_secret_file, base_url, token_url, revocation_url, auth_method (client_secret_basic_raw,
// client_secret_basic or client_secret_post), scope, audience, resource, timeout_ms (1 to 600000: the time of one refresh and
// the default deadline of a caller), ca_file (PEM), profile (of a file; only where the environment is read), cache (on or off), cache_dir,
// cache_unsafe (on or off), manual_clock_ms (milliseconds since the Unix epoch; for tests).
//
// `config`, `name` and `value` must not be NULL. `name_len` and `value_len` count bytes without a terminating NUL. Both texts are copied; a secret is kept
// in memory that is wiped. `error` as for `tokenwell_config_new`. Errors: INVALID_ARGUMENT for an unknown name or a value that cannot be used, REFUSED for a
// URL that a secret must not be sent to. The message names the setting and never shows a secret. Since 0.1.
//
// Requirements:
// `config` must be NULL or live, and no other thread may be using it; the texts must be readable for their lengths; `error` must be NULL or writable.
tokenwell_status tokenwell_config_set(tokenwell_config *config,
                                      const char *name,
                                      size_t name_len,
                                      const char *value,
                                      size_t value_len,
                                      tokenwell_error **error);

// Lets what is not set come from the environment (TOKENWELL_*, then MONGODB_ATLAS_*, then MCLI_*), and below it from a profile in
// tokenwell/config.toml or of the Atlas CLI. They are read when a client is made.
//
// `config` must not be NULL. `error` as for `tokenwell_config_new`. Errors: INVALID_ARGUMENT. Since 0.1.
//
// Requirements:
// `config` must be NULL or live, and no other thread may be using it; `error` must be NULL or writable.
tokenwell_status tokenwell_config_use_environment(tokenwell_config *config,
                                                  tokenwell_error **error);

// Ends a set of settings and wipes its secret. `config` may be NULL: then nothing happens. Clients that were made from it go on. Since 0.1.
//
// Requirements:
// `config` must be NULL or live, and no other thread may be using it.
void tokenwell_config_free(tokenwell_config *config);

// The token's text, as the authorization server issued it. Opaque: do not parse it, do not log it.
//
// `token` may be NULL, which gives NULL. `len` may be NULL; else it receives the number of bytes before the NUL. The text is ASCII and
// belongs to the token. Since 0.1.
//
// Requirements:
// `token` must be NULL or a token that was not freed; `len` must be NULL or writable.
const char *tokenwell_token_value(const tokenwell_token *token,
                                  size_t *len);

// The value for the Authorization header: "Bearer " and the token (RFC 6750 section 2.1).
//
// Parameters and ownership as for `tokenwell_token_value`. Since 0.1.
//
// Requirements:
// `token` must be NULL or a token that was not freed; `len` must be NULL or writable.
const char *tokenwell_token_authorization(const tokenwell_token *token, size_t *len);

// The scope that the server granted; NULL where it named none (RFC 6749 section 5.1).
//
// Parameters and ownership as for `tokenwell_token_value`. Since 0.1.
//
// Requirements:
// `token` must be NULL or a token that was not freed; `len` must be NULL or writable.
const char *tokenwell_token_scope(const tokenwell_token *token, size_t *len);

// When the token ends, by the wall clock: milliseconds since the Unix epoch.
//
// `token` may be NULL, which gives 0. Since 0.1.
//
// Requirements:
// `token` must be NULL or a token that was not freed.
int64_t tokenwell_token_expires_at_ms(const tokenwell_token *token);

// The number of the client's generation that this token began; see `tokenwell_client_generation`. UINT64_MAX for a token that was never the client's
// current one, because its server said that it must not be kept.
//
// `token` may be NULL, which gives 0. Since 0.1.
//
// Requirements:
// `token` must be NULL or a token that was not freed.
uint64_t tokenwell_token_generation(const tokenwell_token *token);

// Ends the caller's hold on a token. `token` may be NULL: then nothing happens. Since 0.1.
//
// Requirements:
// `token` must be NULL or a token that was not freed, and no other thread may be using it through this pointer.
void tokenwell_token_free(tokenwell_token *token);

// Makes a client from settings. Opens no connection: the first get does.
//
// `config` must not be NULL and stays the caller's. `out` must not be NULL; on success it receives a client that the caller ends with `tokenwell_client_free`.
// `error` may be NULL; on failure it receives an error that the caller ends with `tokenwell_error_free`. Errors: NOT_CONFIGURED where id or secret are
// missing or settings contradict each other, INVALID_ARGUMENT and REFUSED as for `tokenwell_config_set`, INVALID_ARGUMENT also for a wrong TOKENWELL_LOG
// (see `tokenwell_log_set`). Since 0.1.
//
// Requirements:
// `config` must be NULL or live, and no other thread may be setting it; `out` and `error` must be NULL or writable.
tokenwell_status tokenwell_client_new(const tokenwell_config *config,
                                      tokenwell_client **out,
                                      tokenwell_error **error);

// A live token: at once where one is at hand, else after a refresh that all callers share.
//
// Waits only for a refresh, and no longer than its deadline. `client` and `out` must not be NULL. `min_ttl_ms`: for how many milliseconds more the token must live; 0 is the default floor (the lesser of 60 s and a tenth of its
// lifetime). `deadline_ms`: how long this call may wait; 0 is the configured timeout. `flags`: 0 or TOKENWELL_FORCE_REFRESH. On success `out` receives a
// token that the caller ends with `tokenwell_token_free`. `error` as for `tokenwell_client_new`. Errors: whatever kept the refresh from bringing a token, while none
// that lives for as long as was asked is at hand; DEADLINE; CLOSED; INVALID_ARGUMENT where the server's tokens do not live that long. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; `out` and `error` must be NULL or writable.
tokenwell_status tokenwell_client_token(const tokenwell_client *client,
                                        uint64_t min_ttl_ms,
                                        uint64_t deadline_ms,
                                        uint32_t flags,
                                        tokenwell_token **out,
                                        tokenwell_error **error);

// After a 401 at the resource: drops the token whose text is `value`, if it is still the current one. Another token stays.
//
// In this process it is dropped at once. Where processes share tokens in files it is then taken out of those, which waits: for up to a second while
// another process is at work on the same token, and for a few seconds where the file system does not answer. An event loop calls this on another thread.
//
// `client` and `value` must not be NULL; `value_len` counts bytes without a terminating NUL. `error` as for `tokenwell_client_new`.
// Errors: CLOSED, INVALID_ARGUMENT. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; `value` must be readable for `value_len` bytes; `error` must be NULL or writable.
tokenwell_status tokenwell_client_invalidate(const tokenwell_client *client,
                                             const char *value,
                                             size_t value_len,
                                             tokenwell_error **error);

// Asks the server to end the current token (RFC 7009) and drops it whatever the answer. Without a token there is nothing to do.
//
// Waits for the answer, and no longer than its deadline. The token is dropped before anything is waited for.
//
// `client` must not be NULL. `deadline_ms`: how long this call may wait; 0 is the configured timeout. `error` as for `tokenwell_client_new`. Errors: what the
// server or the network answered, and then the token must be assumed alive there until it expires; DEADLINE; CLOSED. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; `error` must be NULL or writable.
tokenwell_status tokenwell_client_revoke(const tokenwell_client *client,
                                         uint64_t deadline_ms,
                                         tokenwell_error **error);

// What the client has done so far.
//
// `client` and `out` must not be NULL. `out_size` is `sizeof(tokenwell_stats)` as the caller knows it: at most that many bytes are written, and what
// this version does not know is set to zero. `error` as for `tokenwell_client_new`. Errors: INVALID_ARGUMENT. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; `out` must be writable for `out_size` bytes; `error` must be NULL or writable.
tokenwell_status tokenwell_client_stats(const tokenwell_client *client,
                                        tokenwell_stats *out,
                                        size_t out_size,
                                        tokenwell_error **error);

// A counter that changes whenever the current token does: when another takes its place, and when it is invalidated, revoked or closed.
//
// With it and `tokenwell_client_fresh_for_ms` a caller may keep a token's text and skip the call. `client` may be NULL, which gives NULL. The counter is an atomic
// 64-bit integer in the client's memory: never write it, do not read it after `tokenwell_client_free`, and read it in one piece with acquire ordering:
// `__atomic_load_n(generation, __ATOMIC_ACQUIRE)` with GCC and Clang, `ReadAcquire64((const volatile LONG64 *)generation)` with MSVC, and with nothing but C11
// `atomic_load_explicit((const _Atomic uint64_t *)generation, memory_order_acquire)`. Since 0.1.
//
// Requirements:
// `client` must be NULL or live.
const uint64_t *tokenwell_client_generation(const tokenwell_client *client);

// For how many milliseconds from now a copy of `token` may be handed out without asking again, as long as the client's generation is the token's.
// 0: always ask; under a manual clock it is always 0, and for a token that is no longer the current one.
//
// `client` and `token` may be NULL, which gives 0. Since 0.1.
//
// Requirements:
// `client` and `token` must be NULL or live.
uint64_t tokenwell_client_fresh_for_ms(const tokenwell_client *client,
                                       const tokenwell_token *token);

// Moves the clock of a client that was configured with manual_clock_ms. For tests.
//
// `client` must not be NULL. `error` as for `tokenwell_client_new`. Errors: INVALID_ARGUMENT where the client runs on the system's clock; CLOSED. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; `error` must be NULL or writable.
tokenwell_status tokenwell_client_advance_clock(const tokenwell_client *client,
                                                uint64_t ms,
                                                tokenwell_error **error);

// Ends the client for all who use it: later calls and callers that wait get CLOSED. May be called from any thread, any number of times; the memory
// stays until `tokenwell_client_free`. The token stays valid at the server and for others.
//
// `client` must not be NULL. `error` as for `tokenwell_client_new`. Errors: INVALID_ARGUMENT. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; `error` must be NULL or writable.
tokenwell_status tokenwell_client_close(const tokenwell_client *client,
                                        tokenwell_error **error);

// Closes a client and gives its memory back. `client` may be NULL: then nothing happens. Tokens and errors that came from it stay. Since 0.1.
//
// Requirements:
// `client` must be NULL or live; no other call on it may be running or follow.
void tokenwell_client_free(tokenwell_client *client);

// Sends log lines to `callback`, in place of an earlier one. No line ever holds a secret or a token.
//
// `callback` may be NULL: then nothing is logged from now on. When this returns the earlier callback is not running and will not be called again, so its
// `user_data`, which may be NULL, may be freed. `max_level`: the most detailed level that is wanted, 1 to 4. `error` may be NULL; on failure
// it receives an error that the caller ends with `tokenwell_error_free`. Errors: INVALID_ARGUMENT. For the whole process; may be called from any thread, but not
// from inside a callback. Since 0.1.
//
// A program that never calls this can be made to show its log by who runs it: with TOKENWELL_LOG set to error, warning, info or debug in the environment the first
// client that is made sends lines of that level to standard error.
//
// Requirements:
// `callback` must be callable with `user_data` from any thread until it is replaced; `error` must be NULL or writable.
tokenwell_status tokenwell_log_set(tokenwell_log_callback callback,
                                   void *user_data,
                                   int32_t max_level,
                                   tokenwell_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TOKENWELL_H */
