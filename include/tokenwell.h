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
/// ## Cancellation and signals
///
/// A thread cannot be canceled (`pthread_cancel`) while it is in a function of this library, or in
/// a callback that such a function calls: the request takes effect at the next cancellation point
/// after the call. The cancellation type of a thread that calls the library must be
/// PTHREAD_CANCEL_DEFERRED, the default. The library's own threads cannot be canceled, and all
/// signals are blocked on them. No call raises SIGPIPE.
///
/// ## Blocking
///
/// `tokenwell_client_token`, `tokenwell_client_revoke`, `tokenwell_client_invalidate`,
/// `tokenwell_client_request` and `tokenwell_client_drain` may block; the description of each
/// function says for how long, and which function does the same without blocking.
/// `tokenwell_operation_wait` and `tokenwell_queue_wait` block if they are told to.
/// `tokenwell_client_new` reads configuration files. `tokenwell_log_set`,
/// `tokenwell_client_log_set` and `tokenwell_client_free` wait for a log callback that is running.
/// No other function blocks.
///
/// ## Event loops
///
/// A function whose name ends in `_async` or `_queued` never blocks. It returns
/// TOKENWELL_STATUS_PENDING if the result comes later, in a callback or in a queue. A program with
/// an event loop adds the descriptor of a queue to it (`tokenwell_queue_descriptor`).
///
/// ## Callbacks
///
/// Callbacks run on threads of the library, log callbacks also on the thread of the caller. A call
/// that would block fails in a callback. A `user_data` pointer is used until its `destroy` callback
/// was called.
///
/// ## Fork
///
/// A child process may continue to use the objects of its parent, except operations, which never
/// end in the child. exec and exit need no preparation.
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
/// The version of this header, for the preprocessor: the first number.
#define TOKENWELL_VERSION_MAJOR 0
/// The second number of the version of this header.
#define TOKENWELL_VERSION_MINOR 1
/// The third number of the version of this header.
#define TOKENWELL_VERSION_PATCH 0
/// The version of this header as a string. `tokenwell_version()` is that of the loaded library.
#define TOKENWELL_VERSION "0.1.0"
/// The version of this header as one number: 1000000 * major + 1000 * minor + patch. To use a
/// function that 1.2.0 added: `#if TOKENWELL_VERSION_NUMBER >= 1002000`.
#define TOKENWELL_VERSION_NUMBER 1000


/// The version of this ABI.
///
/// It changes when the meaning of a function or struct changes. Additions do not change it.
#define TOKENWELL_ABI_VERSION 1

/// A flag of `tokenwell_client_token`: return a token other than the current one.
///
/// It does not skip a cooldown: the time after a failed refresh during which the remembered
/// error is returned and no token request is sent.
#define TOKENWELL_FORCE_REFRESH 1

/// A flag of the functions that return a token: return only a token that is in memory.
///
/// Nothing is started, no file is read, and the call does not block. Without a usable token it
/// returns TOKENWELL_STATUS_NOT_CACHED.
#define TOKENWELL_CACHED_ONLY 2

/// A flag of the functions that return a token: an operation ends when its token is also saved.
///
/// A token request is answered as soon as the token is known; then the token is saved for other
/// processes. With this flag the operation ends after the save, or 200 ms after the token is
/// known if the save takes longer, so that a program that exits then leaves its token to the next
/// process. `tokenwell_client_token` always waits for the save in this way.
#define TOKENWELL_WAIT_FOR_SAVE 4

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
  /// `unauthorized_client` or `invalid_scope`. Also if an API rejected several new tokens.
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
  /// The client or queue was closed, or the operation was canceled.
  TOKENWELL_STATUS_CLOSED = 12,
  /// A bug in tokenwell.
  TOKENWELL_STATUS_INTERNAL = 13,
  /// The result is not available yet: the operation was started and continues. Never an error.
  TOKENWELL_STATUS_PENDING = 14,
  /// No usable token is in memory, and the caller allowed nothing else.
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

/// A request to the Admin API: its method, its path, its query and its body.
///
/// It is created by `tokenwell_api_request_new`, owned by the caller, and released with
/// `tokenwell_api_request_free`, which also wipes the body. It is sent by
/// `tokenwell_client_request`, `tokenwell_client_request_async` or
/// `tokenwell_client_request_queued`, any number of times and by any client. A call that was begun
/// does not refer to it.
///
/// Threads: only one thread at a time may change it. While no thread does, any number of threads
/// may send it.
/// Fork: parent and child each have their own copy.
typedef struct tokenwell_api_request tokenwell_api_request;

/// A response of the Admin API, with any status except a redirect.
///
/// It is returned by `tokenwell_client_request` and `tokenwell_operation_response`, owned by the
/// caller, and released with `tokenwell_api_response_free`. It remains valid after its client and
/// its operation are freed. The body may contain a secret: its memory is wiped when the response
/// and its operation are released.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
typedef struct tokenwell_api_response tokenwell_api_response;

/// A client: obtains and caches the access token of one service account.
///
/// It is created by `tokenwell_client_new`, owned by the caller, and released with
/// `tokenwell_client_free`. The token that it caches is its current token.
///
/// A refresh gets a new current token: it reads the token cache that processes share and, if
/// that has no usable token, sends a token request.
///
/// Threads: any number of threads may concurrently call the functions that take a const client.
/// Between refreshes a client uses no thread and no socket.
/// Fork: the child may continue to use the client. The child keeps the valid token and obtains
/// the next one itself. exec and exit need no preparation.
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

/// An operation: a call that was begun and whose result comes later.
///
/// It is created by a function whose name ends in `_async` or `_queued`, if that returns
/// TOKENWELL_STATUS_PENDING. It is owned by the caller and released with
/// `tokenwell_operation_free`, before or after its end. It remains valid after its client is
/// freed.
///
/// Threads: any number of threads may concurrently use it.
/// Fork: an operation exists only in the process that began it. In a forked child it never ends:
/// no callback comes, and `tokenwell_operation_wait` returns TOKENWELL_STATUS_CLOSED.
typedef struct tokenwell_operation tokenwell_operation;

/// A completion queue: the ends of operations and the changes of clients, in their order.
///
/// It is for programs with an event loop, and for languages into which a thread of the library
/// must not call. It is created by `tokenwell_queue_new`, owned by the caller, and released with
/// `tokenwell_queue_free`. Operations that are to end in a queue that was freed end unseen.
///
/// Nothing is lost and nothing blocks if it is not read: each operation has one entry, and each
/// watched client has at most one.
///
/// Threads: any number of threads may concurrently use it.
/// Fork: the child has an empty queue, with a descriptor of its own, which is another one. The
/// descriptor of the parent stays open in the child until exec.
typedef struct tokenwell_queue tokenwell_queue;

/// A request for the client secret, which the program answers exactly once.
///
/// It is passed to a `tokenwell_secret_callback`, which then owns it. It is answered and released
/// by `tokenwell_secret_request_provide` or `tokenwell_secret_request_fail`, in the callback or
/// later.
///
/// Threads: it may be answered by any thread.
/// Fork: a child cannot answer the requests of its parent. It may release them: an answer returns
/// TOKENWELL_STATUS_CLOSED.
typedef struct tokenwell_secret_request tokenwell_secret_request;

/// An access token that was valid when it was returned.
///
/// It is created by `tokenwell_client_token`, owned by the caller, and released with
/// `tokenwell_token_free`. It remains valid after its client is freed. Its memory is wiped when the
/// last reference to the same token is released; the client's cache also has a reference.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
typedef struct tokenwell_token tokenwell_token;

/// A callback that delivers the client secret.
///
/// It runs on a thread of its own, on which all signals are blocked. It must not use the client
/// that needs the secret: calls that would wait fail with TOKENWELL_STATUS_INVALID_ARGUMENT. It may
/// use other clients.
///
/// @param user_data The pointer that was passed to `tokenwell_config_set_secret_callback`.
/// @param request The request, owned by the callback, which must answer it now or later.
typedef void (*tokenwell_secret_callback)(void *user_data, tokenwell_secret_request *request);

/// A callback that is called once when the library no longer uses a `user_data` pointer.
///
/// It comes after the other callback has returned, or when it is certain that it never comes.
/// Only then may the data be released. It may be called from any thread, also by the call that
/// drops the last reference.
///
/// @param user_data The pointer that was passed together with this callback.
typedef void (*tokenwell_destroy_callback)(void *user_data);

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

/// A callback that is called once when an operation ends.
///
/// It is called on a thread of the library. Only if the system can create no thread, a function
/// of the library may call it. All callbacks run one after another, so it should return
/// quickly. If it takes longer than 200 ms, another thread runs the callbacks that wait, up to 64
/// threads.
///
/// It may call any function of tokenwell, for this client too, except that a call which would
/// block fails with TOKENWELL_STATUS_INVALID_ARGUMENT. `tokenwell_operation_wait` returns the
/// result.
///
/// Like every callback of this library it must return: no `longjmp`, no `pthread_exit` and no C++
/// exception may leave it. Its stack has 2 MiB.
///
/// @param user_data The pointer that was passed to the function that began the operation.
/// @param operation The operation. It is valid during the call only, and must not be freed by
///   it.
typedef void (*tokenwell_operation_callback)(void *user_data, tokenwell_operation *operation);

/// A callback that receives one log line.
///
/// It may be called from any thread, and from several threads concurrently. It must not call any
/// function of tokenwell.
///
/// A line is a message and its details as `name=value`. The last one is the number of the client
/// that the line is about, for example `client=3`: a process numbers its clients from 1 in the
/// order in which it creates them. A line that is not about one client has no such number.
///
/// @param user_data The pointer that was passed with the callback.
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

/// Returns the error code that the server sent (RFC 6749 section 5.2), for example
/// "invalid_client".
///
/// It is the member `error` of the server's reply, or of its WWW-Authenticate header. Characters
/// that are not printable are escaped. It has at most 64 characters.
///
/// @param error The error. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated UTF-8 string, owned by `error`. NULL if the server sent no such code or
///   `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed. `len` must be writable.
const char *tokenwell_error_oauth_code(const tokenwell_error *error,
                                       size_t *len);

/// Returns whether this is the remembered error of an earlier call.
///
/// After a failed refresh its error is remembered. During the cooldown that follows, calls return
/// it and no token request is sent.
///
/// @param error The error. May be NULL.
/// @return 1 if the error is remembered. 0 if it is new or `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
int32_t tokenwell_error_is_remembered(const tokenwell_error *error);

/// Returns how long before the call that returned this error the remembered error occurred.
///
/// @param error The error. May be NULL.
/// @return The time in milliseconds. 0 if the error is not remembered. -1 if `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
int64_t tokenwell_error_age_ms(const tokenwell_error *error);

/// Returns how many requests the failure took, including retries.
///
/// A request for which no connection was established counts too. For a remembered error these are
/// the requests of the earlier call, which may have been in another process.
///
/// @param error The error. May be NULL.
/// @return The number of requests. 0 if the failure is not that of a request, or `error` is NULL.
/// @since 0.1
///
/// @pre `error` must be an error that was not freed.
uint32_t tokenwell_error_attempts(const tokenwell_error *error);

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
/// `tokenwell_config_set_secret_callback` sets a callback instead of a client secret.
///
/// The settings:
/// - `client_id`
/// - `client_secret`
/// - `client_secret_file`
/// - `base_url`
/// - `token_url`
/// - `revocation_url`
/// - `auth_method`: `client_secret_basic_raw`, `client_secret_basic`, `client_secret_post` or
///   `auto` (not for Atlas).
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
///   the proxy, the certificate authorities and the cache directory. One
///   exception: if the server is Atlas, a copy of the environment is searched for the variable that
///   `tokenwell emulator` sets.
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

/// Sets a callback that delivers the client secret whenever one is needed.
///
/// It replaces the settings `client_secret` and `client_secret_file`, which must not be set too.
/// The setting `client_id` is required.
///
/// A client calls it for every refresh, and again after the server rejected the secret: once
/// immediately, and then, while the rejection is remembered, at most once per second and only if a
/// token is requested. A client has one request at a time.
///
/// A request may take half of `timeout_ms`. Without an answer within that time the refresh fails
/// with TOKENWELL_STATUS_NOT_CONFIGURED. The next refresh makes another request if the callback has
/// returned; otherwise it waits for the callback that is running.
///
/// If `tokenwell_client_close` or `tokenwell_client_free` is called while a request is pending, the
/// request must still be answered. In a forked child, the callback is called for the child's own
/// refreshes.
///
/// @param config The config. Must not be NULL.
/// @param callback The callback. NULL removes it; the next two parameters are then ignored.
/// @param user_data Passed to the callback. May be NULL.
/// @param destroy Releases `user_data`: it is called exactly once, after this config was freed or
///   got another callback, the clients that were created from it were freed, their refreshes have
///   ended, and all requests were answered. A forked child calls it for its own copy, unless a
///   thread of the parent was in a refresh at the fork. It is not called if this function fails.
///   May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be using it.
/// `callback` must be callable with `user_data` from any thread until `destroy` is called, and
/// `destroy` from any thread. `error` must be writable.
tokenwell_status tokenwell_config_set_secret_callback(tokenwell_config *config,
                                                      tokenwell_secret_callback callback,
                                                      void *user_data,
                                                      tokenwell_destroy_callback destroy,
                                                      tokenwell_error **error);

/// Answers a request with the client secret, and releases the request.
///
/// The string is copied. The memory of the copy is wiped when it is released.
///
/// @param request The request. Must not be NULL. It is released whatever this function returns.
/// @param secret The client secret: visible ASCII and spaces. Must not be NULL.
/// @param secret_len The length of `secret` in bytes, without a terminating NUL: 1 to 65536.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the secret cannot be used. The refresh fails.
/// - TOKENWELL_STATUS_DEADLINE: the request took too long, and the secret is not used.
/// - TOKENWELL_STATUS_CLOSED: this process is a forked child of the one that made the request.
///
/// @since 0.1
///
/// @pre `request` must be a request that was not answered. `secret` must be readable for its
/// length. `error` must be writable.
tokenwell_status tokenwell_secret_request_provide(tokenwell_secret_request *request,
                                                  const char *secret,
                                                  size_t secret_len,
                                                  tokenwell_error **error);

/// Answers a request with the reason why there is no client secret, and releases the request.
///
/// The refresh fails with TOKENWELL_STATUS_NOT_CONFIGURED and a message that contains the reason.
///
/// @param request The request. Must not be NULL. It is released whatever this function returns.
/// @param message The reason, in UTF-8. It must not contain a secret. Must not be NULL.
/// @param message_len The length of `message` in bytes, without a terminating NUL. May be 0.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return As for `tokenwell_secret_request_provide`.
/// @since 0.1
///
/// @pre `request` must be a request that was not answered. `message` must be readable for its
/// length. `error` must be writable.
tokenwell_status tokenwell_secret_request_fail(tokenwell_secret_request *request,
                                               const char *message,
                                               size_t message_len,
                                               tokenwell_error **error);

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

/// Returns another reference to a token: the same token, which each holder releases for itself.
///
/// It does not copy the string, and costs as much as returning a cached token.
///
/// @param token The token. May be NULL.
/// @return A reference that the caller owns; release it with `tokenwell_token_free`. NULL if
///   `token` is NULL.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed.
tokenwell_token *tokenwell_token_clone(const tokenwell_token *token);

/// Releases the caller's reference to a token.
///
/// @param token The token. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `token` must be a token that was not freed. No other thread may be using it through this
/// pointer.
void tokenwell_token_free(tokenwell_token *token);

/// Waits for the end of an operation, and returns its result.
///
/// It may be called any number of times, also after the end. An operation that was begun without
/// callbacks and without a queue needs no thread of the library: the threads that wait for it
/// continue it. So a program can wait in short steps and look after something else in between.
///
/// @param operation The operation. Must not be NULL.
/// @param ms How long to wait, in milliseconds. 0 does not wait.
/// @param token Receives the token of an operation that returned one; release it with
///   `tokenwell_token_free`. Receives NULL for other operations. May be NULL. The response of a
///   request is returned by `tokenwell_operation_response`.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_PENDING if the operation has not ended. TOKENWELL_STATUS_OK if it
///   has succeeded. Otherwise one of:
/// - TOKENWELL_STATUS_CLOSED: the client was closed, the operation was canceled, or this is a
///   forked child.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the call would block in a callback of the library, or
///   `operation` is NULL.
/// - The status of the error with which it has ended.
///
/// @since 0.1
///
/// @pre `operation` must be an operation that was not freed. `token` and `error` must be
/// writable.
tokenwell_status tokenwell_operation_wait(const tokenwell_operation *operation,
                                          uint64_t ms,
                                          tokenwell_token **token,
                                          tokenwell_error **error);

/// Cancels an operation: it ends without a result, if it has none yet.
///
/// A later wait returns its result, or TOKENWELL_STATUS_CLOSED if it had none. The work that
/// other callers share, such as a refresh, continues. The call never blocks. It may be made in
/// the callback, after the end and more than once.
///
/// @param operation The operation. May be NULL.
/// @return 1 if the callback, or the entry in the queue, never comes. The destroy callback comes
///   all the same. 0 if the callback is running or has returned, or the entry was taken, and if
///   `operation` is NULL.
/// @since 0.1
///
/// @pre `operation` must be an operation that was not freed.
int32_t tokenwell_operation_cancel(const tokenwell_operation *operation);

/// Releases the caller's reference to an operation. Does not cancel it: its callback still
/// comes.
///
/// @param operation The operation. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `operation` must be an operation that was not freed. No other thread may be using it
/// through this pointer.
void tokenwell_operation_free(tokenwell_operation *operation);

/// Creates a queue.
///
/// @param out Receives the queue; release it with `tokenwell_queue_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the process has too many open descriptors.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: `out` is NULL.
///
/// @since 0.1
///
/// @pre `out` and `error` must be writable.
tokenwell_status tokenwell_queue_new(tokenwell_queue **out, tokenwell_error **error);

/// Returns the descriptor of a queue, for poll, epoll, kqueue or an event loop.
///
/// It is readable while the queue has entries, and after the queue was closed. Never read from
/// it, write to it or close it: `tokenwell_queue_take` makes it not readable again. It is closed
/// with the queue. In a forked child, call this function again: the descriptor of the parent
/// tells the child nothing.
///
/// @param queue The queue. Must not be NULL.
/// @param out Receives the descriptor; -1 on Windows, where `tokenwell_queue_wait` is the way to
///   wait. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: in a forked child, the process has too many open
///   descriptors.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is NULL.
///
/// @since 0.1
///
/// @pre `queue` must be a queue that was not freed. `out` and `error` must be writable.
tokenwell_status tokenwell_queue_descriptor(const tokenwell_queue *queue,
                                            int32_t *out,
                                            tokenwell_error **error);

/// Takes the next entry from a queue. Never blocks.
///
/// @param queue The queue. Must not be NULL.
/// @param tag Receives the tag that was passed when the operation was begun or the client was
///   watched. May be NULL.
/// @param operation Receives the operation that has ended: a reference of its own, which is
///   released with `tokenwell_operation_free`. Receives NULL if the generation of a watched
///   client has changed. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_PENDING if the queue has no entry,
///   TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT. The entry of an operation
///   that was canceled is skipped, so the queue may turn out to be empty although its descriptor
///   was readable.
/// @since 0.1
///
/// @pre `queue` must be a queue that was not freed. `tag`, `operation` and `error` must be
/// writable.
tokenwell_status tokenwell_queue_take(const tokenwell_queue *queue,
                                      uint64_t *tag,
                                      tokenwell_operation **operation,
                                      tokenwell_error **error);

/// Waits until a queue has an entry. For programs that have a thread for it.
///
/// @param queue The queue. Must not be NULL.
/// @param ms How long to wait, in milliseconds. 0 does not wait.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK if the queue has an entry. With several readers, another one may
///   take it. Otherwise TOKENWELL_STATUS_PENDING if the time has passed,
///   TOKENWELL_STATUS_CLOSED, or TOKENWELL_STATUS_INVALID_ARGUMENT, also if the call would block
///   in a callback of the library.
/// @since 0.1
///
/// @pre `queue` must be a queue that was not freed. `error` must be writable.
tokenwell_status tokenwell_queue_wait(const tokenwell_queue *queue,
                                      uint64_t ms,
                                      tokenwell_error **error);

/// Closes a queue for all its users: later and waiting calls return TOKENWELL_STATUS_CLOSED.
///
/// Its entries are dropped. The operations are not canceled. It may be called any number of
/// times.
///
/// @param queue The queue. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `queue` must be a queue that was not freed. `error` must be writable.
tokenwell_status tokenwell_queue_close(const tokenwell_queue *queue, tokenwell_error **error);

/// Closes a queue, releases its memory and closes its descriptor.
///
/// @param queue The queue. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `queue` must be a queue that was not freed. No other call on it may be running or
/// follow. The event loop must no longer use its descriptor.
void tokenwell_queue_free(tokenwell_queue *queue);

/// Creates a client.
///
/// It reads configuration files and environment variables, which no other thread may change
/// meanwhile; see `tokenwell_config_use_variables`. It opens no connection: the first call of
/// `tokenwell_client_token` does.
///
/// @param config The settings. Remains owned by the caller. Must not be NULL.
/// @param out Receives the client; release it with `tokenwell_client_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the client id or secret is missing, or settings contradict
///   each other.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: as for `tokenwell_config_set`, or TOKENWELL_LOG is
///   invalid (see `tokenwell_log_set`).
/// - TOKENWELL_STATUS_REFUSED: as for `tokenwell_config_set`.
///
/// @since 0.1
///
/// @pre `config` must be a config that was not freed. No other thread may be setting it. `out`
/// and `error` must be writable.
tokenwell_status tokenwell_client_new(const tokenwell_config *config,
                                      tokenwell_client **out,
                                      tokenwell_error **error);

/// Returns one more reference to a client.
///
/// Each reference is released with `tokenwell_client_free`. The last one closes the client;
/// `tokenwell_client_close` closes it for all.
///
/// @param client The client. Must not be NULL.
/// @param out Receives the reference. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `out` and `error` must be writable.
tokenwell_status tokenwell_client_clone(const tokenwell_client *client,
                                        tokenwell_client **out,
                                        tokenwell_error **error);

/// Returns a valid token: immediately if one is cached, otherwise after a refresh.
///
/// All callers share one refresh. The call blocks only for a refresh, and no longer than the
/// deadline. Returns the refresh error if no cached token satisfies `min_ttl_ms`.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms For how many milliseconds the token must still be valid. 0 means the
///   default minimum: the smaller of 60 s and a tenth of the token's lifetime.
/// @param deadline_ms How long the call may block, in milliseconds; 0 for the configured
///   timeout.
/// @param flags 0, or TOKENWELL_FORCE_REFRESH or TOKENWELL_CACHED_ONLY, each also with
///   TOKENWELL_WAIT_FOR_SAVE.
/// @param out Receives the token; release it with `tokenwell_token_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_NOT_CACHED: see TOKENWELL_CACHED_ONLY.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: `min_ttl_ms` is not shorter than the lifetime of the
///   server's tokens, or the call would block in a callback of the library.
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
/// In this process the token is dropped immediately. If processes share tokens in files, the
/// token is then removed from those files. The call blocks until that is done, and no longer
/// than the configured timeout; the removal continues after that. An event loop calls
/// `tokenwell_client_invalidate_async`.
///
/// @param client The client. Must not be NULL.
/// @param value The string of the rejected token. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT,
///   also in a callback of the library.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `value` must be readable for `value_len`
/// bytes. `error` must be writable.
tokenwell_status tokenwell_client_invalidate(const tokenwell_client *client,
                                             const char *value,
                                             size_t value_len,
                                             tokenwell_error **error);

/// Revokes the current token at the server (RFC 7009), and drops it once the server has
/// confirmed that.
///
/// Without a current token, the call does nothing. It blocks until the server answers, and no
/// longer than the deadline. If it fails, the token remains the current one, so that a second
/// attempt finds it; `tokenwell_client_invalidate` drops it all the same.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms How long the call may block, in milliseconds; 0 for the configured
///   timeout.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is invalid, or this is a callback of the
///   library.
/// - The status of an error of the server or the network. Assume then that the server accepts
///   the token until it expires.
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
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `out` must be writable for `out_size`
/// bytes. `error` must be writable.
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
/// The counter is an atomic 64-bit integer in the memory of the client. Never write it. Do not
/// read it after `tokenwell_client_free`. Read it with a single load with acquire ordering:
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

/// Returns how long a copy of a token may be used without calling `tokenwell_client_token`
/// again.
///
/// The result applies only while the client's generation equals the generation of the token.
///
/// @param client The client. May be NULL.
/// @param token The token. May be NULL.
/// @return The time in milliseconds from now. 0 means: call `tokenwell_client_token` every time.
///   It is 0 if `token` is no longer the current token, if the client uses a manual clock, and
///   if `client` or `token` is NULL.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `token` must be a token that was not
/// freed.
uint64_t tokenwell_client_fresh_for_ms(const tokenwell_client *client,
                                       const tokenwell_token *token);

/// Advances the clock of a client that was configured with `manual_clock_ms`. For tests.
///
/// @param client The client. Must not be NULL.
/// @param ms By how many milliseconds to advance the clock.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
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
/// It may be called from any thread, any number of times. Pending operations end with
/// TOKENWELL_STATUS_CLOSED; their callbacks may come after this call has returned. The memory is
/// not released until `tokenwell_client_free`. The token remains valid at the server and for
/// other clients.
///
/// @param client The client. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `error` must be writable.
tokenwell_status tokenwell_client_close(const tokenwell_client *client, tokenwell_error **error);

/// Waits until nothing of a client runs any more: no refresh, no save, no operation and no
/// callback of an operation. A secret callback that exceeded its time may still run.
///
/// A program calls it before it exits, so that a token is saved for other processes, and after
/// `tokenwell_client_close`, to know that no callback of an operation comes any more. If the
/// client is not closed, other threads can start new work at any time.
///
/// @param client The client. Must not be NULL.
/// @param ms How long to wait, in milliseconds. 0 does not wait.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_DEADLINE if something still runs, or
///   TOKENWELL_STATUS_INVALID_ARGUMENT, also in a callback of the library.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `error` must be writable.
tokenwell_status tokenwell_client_drain(const tokenwell_client *client,
                                        uint64_t ms,
                                        tokenwell_error **error);

/// Releases a reference to a client. The last one closes the client and releases its memory.
///
/// Tokens, errors and operations that came from it remain valid. Pending operations end with
/// TOKENWELL_STATUS_CLOSED; their callbacks may come after this call has returned. If the client
/// has a log callback of its own, the last call waits while that is running (see
/// `tokenwell_client_log_set`).
///
/// @param client The client. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. No other call with this reference may
/// be running or follow.
void tokenwell_client_free(tokenwell_client *client);

/// Returns the base URL of the API that accepts the tokens: "https://cloud.mongodb.com".
///
/// @param client The client. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated string, owned by `client`. NULL if the server was set by `token_url`,
///   or `client` is NULL.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `len` must be writable.
const char *tokenwell_client_base_url(const tokenwell_client *client, size_t *len);

/// Returns the name of a setting that is in effect, and where its value came from.
///
/// A program that shows where its credential came from calls it with `index` 0, 1, and so on, until
/// it returns NULL. A setting without a default is in effect only if it was set. The order is that
/// of `tokenwell_config_set`.
///
/// @param client The client. May be NULL.
/// @param index The index of the setting, from 0.
/// @param source Receives the source, a NUL-terminated UTF-8 string owned by `client`: "option
///   client_id", "environment variable TOKENWELL_CLIENT_ID", "profile staging in
///   /home/x/.config/tokenwell/config.toml", "the secret callback" or "the default" for example. It
///   never contains a value. Receives NULL if the function returns NULL. May be NULL.
/// @return The name of the setting, a NUL-terminated string owned by `client`. NULL if there are no
///   more settings, or `client` is NULL.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `source` must be writable.
const char *tokenwell_client_setting(const tokenwell_client *client,
                                     size_t index,
                                     const char **source);

/// Like `tokenwell_client_token`, but never blocks: the token comes later if it needs a refresh.
///
/// All callers share one refresh, and an operation uses no thread of its own.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms As for `tokenwell_client_token`.
/// @param deadline_ms After how many milliseconds the operation ends with
///   TOKENWELL_STATUS_DEADLINE; 0 for the configured timeout.
/// @param flags As for `tokenwell_client_token`.
/// @param callback Called once when the operation ends, if this call returns
///   TOKENWELL_STATUS_PENDING and the operation is not canceled. May be NULL: see
///   `tokenwell_operation_wait`.
/// @param user_data Passed to the callbacks. May be NULL.
/// @param destroy Called once when `user_data` is no longer used, if this call returns
///   TOKENWELL_STATUS_PENDING. May be NULL.
/// @param now Receives the token with TOKENWELL_STATUS_OK; release it with
///   `tokenwell_token_free`. Must not be NULL.
/// @param operation Receives the operation with TOKENWELL_STATUS_PENDING; release it with
///   `tokenwell_operation_free`. May be NULL: then it cannot be canceled.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK: a token was cached, and there is no operation.
///   TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise there is no operation, and no
///   callback comes:
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_NOT_CACHED: see TOKENWELL_CACHED_ONLY.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: as for `tokenwell_client_token`.
/// - TOKENWELL_STATUS_NOT_CONFIGURED: no thread can be created.
/// - The status of a remembered refresh error.
///
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `callback` and `destroy` must be
/// callable with `user_data` from any thread until `destroy` was called. `now`, `operation` and
/// `error` must be writable.
tokenwell_status tokenwell_client_token_async(const tokenwell_client *client,
                                              uint64_t min_ttl_ms,
                                              uint64_t deadline_ms,
                                              uint32_t flags,
                                              tokenwell_operation_callback callback,
                                              void *user_data,
                                              tokenwell_destroy_callback destroy,
                                              tokenwell_token **now,
                                              tokenwell_operation **operation,
                                              tokenwell_error **error);

/// Like `tokenwell_client_token_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms As for `tokenwell_client_token`.
/// @param deadline_ms As for `tokenwell_client_token_async`.
/// @param flags As for `tokenwell_client_token`.
/// @param queue The queue that receives an entry when the operation ends. Must not be NULL.
/// @param tag Returned by `tokenwell_queue_take` with this entry.
/// @param now As for `tokenwell_client_token_async`. Must not be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return As for `tokenwell_client_token_async`. TOKENWELL_STATUS_CLOSED also if the queue is
///   closed.
/// @since 0.1
///
/// @pre `client` must be a client and `queue` a queue that was not freed. `now`, `operation`
/// and `error` must be writable.
tokenwell_status tokenwell_client_token_queued(const tokenwell_client *client,
                                               uint64_t min_ttl_ms,
                                               uint64_t deadline_ms,
                                               uint32_t flags,
                                               const tokenwell_queue *queue,
                                               uint64_t tag,
                                               tokenwell_token **now,
                                               tokenwell_operation **operation,
                                               tokenwell_error **error);

/// Like `tokenwell_client_invalidate`, but never blocks.
///
/// When it returns, the token is no longer the current one. The operation ends when the token is
/// removed from the files that processes share.
///
/// @param client The client. Must not be NULL.
/// @param value As for `tokenwell_client_invalidate`. Must not be NULL.
/// @param value_len As for `tokenwell_client_invalidate`.
/// @param deadline_ms As for `tokenwell_client_token_async`. The operation then succeeds, and the
///   removal continues.
/// @param callback As for `tokenwell_client_token_async`. May be NULL.
/// @param user_data As for `tokenwell_client_token_async`. May be NULL.
/// @param destroy As for `tokenwell_client_token_async`. May be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK: nothing is left to do, and there is no operation.
///   TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise TOKENWELL_STATUS_CLOSED,
///   TOKENWELL_STATUS_INVALID_ARGUMENT, or TOKENWELL_STATUS_NOT_CONFIGURED if no thread can be
///   created.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `value` must be readable for
/// `value_len` bytes. `callback` and `destroy` must be callable as for
/// `tokenwell_client_token_async`. `operation` and `error` must be writable.
tokenwell_status tokenwell_client_invalidate_async(const tokenwell_client *client,
                                                   const char *value,
                                                   size_t value_len,
                                                   uint64_t deadline_ms,
                                                   tokenwell_operation_callback callback,
                                                   void *user_data,
                                                   tokenwell_destroy_callback destroy,
                                                   tokenwell_operation **operation,
                                                   tokenwell_error **error);

/// Like `tokenwell_client_invalidate_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param value As for `tokenwell_client_invalidate`. Must not be NULL.
/// @param value_len As for `tokenwell_client_invalidate`.
/// @param deadline_ms As for `tokenwell_client_invalidate_async`.
/// @param queue As for `tokenwell_client_token_queued`. Must not be NULL.
/// @param tag As for `tokenwell_client_token_queued`.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return As for `tokenwell_client_invalidate_async`. TOKENWELL_STATUS_CLOSED also if the queue
///   is closed.
/// @since 0.1
///
/// @pre `client` must be a client and `queue` a queue that was not freed. `value` must be
/// readable for `value_len` bytes. `operation` and `error` must be writable.
tokenwell_status tokenwell_client_invalidate_queued(const tokenwell_client *client,
                                                    const char *value,
                                                    size_t value_len,
                                                    uint64_t deadline_ms,
                                                    const tokenwell_queue *queue,
                                                    uint64_t tag,
                                                    tokenwell_operation **operation,
                                                    tokenwell_error **error);

/// Like `tokenwell_client_revoke`, but never blocks.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms As for `tokenwell_client_token_async`. The revocation continues after
///   that.
/// @param callback As for `tokenwell_client_token_async`. May be NULL.
/// @param user_data As for `tokenwell_client_token_async`. May be NULL.
/// @param destroy As for `tokenwell_client_token_async`. May be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK: there is no current token, and no operation.
///   TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise TOKENWELL_STATUS_CLOSED,
///   TOKENWELL_STATUS_INVALID_ARGUMENT, or TOKENWELL_STATUS_NOT_CONFIGURED if no thread can be
///   created.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `callback` and `destroy` must be
/// callable as for `tokenwell_client_token_async`. `operation` and `error` must be writable.
tokenwell_status tokenwell_client_revoke_async(const tokenwell_client *client,
                                               uint64_t deadline_ms,
                                               tokenwell_operation_callback callback,
                                               void *user_data,
                                               tokenwell_destroy_callback destroy,
                                               tokenwell_operation **operation,
                                               tokenwell_error **error);

/// Like `tokenwell_client_revoke_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms As for `tokenwell_client_revoke_async`.
/// @param queue As for `tokenwell_client_token_queued`. Must not be NULL.
/// @param tag As for `tokenwell_client_token_queued`.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return As for `tokenwell_client_revoke_async`. TOKENWELL_STATUS_CLOSED also if the queue is
///   closed.
/// @since 0.1
///
/// @pre `client` must be a client and `queue` a queue that was not freed. `operation` and
/// `error` must be writable.
tokenwell_status tokenwell_client_revoke_queued(const tokenwell_client *client,
                                                uint64_t deadline_ms,
                                                const tokenwell_queue *queue,
                                                uint64_t tag,
                                                tokenwell_operation **operation,
                                                tokenwell_error **error);

/// Watches a client: a queue receives an entry whenever the generation of the client changes.
///
/// At most one such entry waits in the queue. Only changes in this process are seen. A client that
/// the queue watches already gets the new tag. A forked child watches nothing: call this function
/// again there.
///
/// @param client The client. Must not be NULL.
/// @param queue The queue. Must not be NULL.
/// @param tag Returned by `tokenwell_queue_take` with the entry, which has no operation.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client and `queue` a queue that was not freed. `error` must be
/// writable.
tokenwell_status tokenwell_client_watch(const tokenwell_client *client,
                                        const tokenwell_queue *queue,
                                        uint64_t tag,
                                        tokenwell_error **error);

/// Stops watching a client. An entry that is in the queue already stays there.
///
/// @param client The client. Must not be NULL.
/// @param queue The queue, which receives no more entries for changes of this client. Must not
///   be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `client` must be a client and `queue` a queue that was not freed. `error` must be
/// writable.
tokenwell_status tokenwell_client_unwatch(const tokenwell_client *client,
                                          const tokenwell_queue *queue,
                                          tokenwell_error **error);

/// Creates a request without a body.
///
/// The request is sent to the server of the client's base URL and to no other one.
///
/// @param method GET, POST, PUT, PATCH or DELETE. Must not be NULL.
/// @param method_len The length of `method` in bytes, without a terminating NUL.
/// @param path The path on the server, for example "/api/atlas/v2/orgs", percent-encoded where
///   that is necessary. It may have a query. Must not be NULL.
/// @param path_len The length of `path` in bytes, without a terminating NUL.
/// @param out Receives the request; release it with `tokenwell_api_request_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_REFUSED: the path is a URL or names a server in another way, or it has a
///   segment "." or "..", also a percent-encoded one.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is invalid for another reason.
///
/// @since 0.1
///
/// @pre `method` and `path` must be readable for their lengths. `out` and `error` must be writable.
tokenwell_status tokenwell_api_request_new(const char *method,
                                           size_t method_len,
                                           const char *path,
                                           size_t path_len,
                                           tokenwell_api_request **out,
                                           tokenwell_error **error);

/// Sets the version of the API: the date in the media type "application/vnd.atlas.DATE+json".
///
/// The media type is sent as Accept, and as Content-Type if there is a body. The default is
/// 2024-08-05.
///
/// @param request The request. Must not be NULL.
/// @param version The date, for example "2025-03-12", or another name of a version, for example
///   "preview". Must not be NULL.
/// @param version_len The length of `version` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `request` must be a request that was not freed. No other thread may be using it. `version`
/// must be readable for `version_len` bytes. `error` must be writable.
tokenwell_status tokenwell_api_request_set_version(tokenwell_api_request *request,
                                                   const char *version,
                                                   size_t version_len,
                                                   tokenwell_error **error);

/// Adds a parameter to the query of a request, which encodes it.
///
/// @param request The request. Must not be NULL.
/// @param name The name, not encoded. Must not be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param value The value, not encoded. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `request` must be a request that was not freed. No other thread may be using it. `name` and
/// `value` must be readable for their lengths. `error` must be writable.
tokenwell_status tokenwell_api_request_add_query(tokenwell_api_request *request,
                                                 const char *name,
                                                 size_t name_len,
                                                 const char *value,
                                                 size_t value_len,
                                                 tokenwell_error **error);

/// Sets the body of a request. A later body replaces an earlier one.
///
/// @param request The request. Must not be NULL.
/// @param json One JSON value, which is checked and sent as it is. Must not be NULL.
/// @param json_len The length of `json` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
///   The message never contains a part of the body.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `request` must be a request that was not freed. No other thread may be using it. `json`
/// must be readable for `json_len` bytes. `error` must be writable.
tokenwell_status tokenwell_api_request_set_body(tokenwell_api_request *request,
                                                const char *json,
                                                size_t json_len,
                                                tokenwell_error **error);

/// Sets the largest body of a response that is accepted.
///
/// @param request The request. Must not be NULL.
/// @param size The size in bytes. The default is 64 MiB.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// @pre `request` must be a request that was not freed. No other thread may be using it. `error`
/// must be writable.
tokenwell_status tokenwell_api_request_set_max_body(tokenwell_api_request *request,
                                                    uint64_t size,
                                                    tokenwell_error **error);

/// Releases a request and wipes its body. Calls that were begun with it continue.
///
/// @param request The request. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `request` must be a request that was not freed. No other thread may be using it.
void tokenwell_api_request_free(tokenwell_api_request *request);

/// Returns the HTTP status of a response. 4xx and 5xx are results too: the body says what is wrong.
///
/// @param response The response. May be NULL.
/// @return The status, for example 200. 0 if `response` is NULL.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed.
int32_t tokenwell_api_response_status(const tokenwell_api_response *response);

/// Returns a header of a response, for example Content-Type, Retry-After or RateLimit-Remaining.
///
/// @param response The response. May be NULL.
/// @param name The name of the header, in upper or lower case. May be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `response`: the first value if there are
///   several. NULL if the response has no such header, or `response` or `name` is NULL.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed. `name` must be readable for `name_len`
/// bytes. `len` must be writable.
const char *tokenwell_api_response_header(const tokenwell_api_response *response,
                                          const char *name,
                                          size_t name_len,
                                          size_t *len);

/// Returns the number of headers of a response. A header that was sent more than once counts as
/// often. Headers whose value is not visible ASCII are omitted.
///
/// @param response The response. May be NULL.
/// @return The number. 0 if `response` is NULL.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed.
size_t tokenwell_api_response_header_count(const tokenwell_api_response *response);

/// Returns the name of one of the headers of a response, in lower case.
///
/// @param response The response. May be NULL.
/// @param index The number of the header, in the order received, from 0.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `response`. NULL if there is no such header, or
///   `response` is NULL.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed. `len` must be writable.
const char *tokenwell_api_response_header_name(const tokenwell_api_response *response,
                                               size_t index,
                                               size_t *len);

/// Returns the value of one of the headers of a response.
///
/// @param response The response. May be NULL.
/// @param index The number of the header, in the order received, from 0.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `response`. NULL if there is no such header, or
///   `response` is NULL.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed. `len` must be writable.
const char *tokenwell_api_response_header_value(const tokenwell_api_response *response,
                                                size_t index,
                                                size_t *len);

/// Returns the body of a response, unchanged: JSON, also for most errors of the API.
///
/// A 4xx or 5xx of the API has the members `errorCode` and `detail`. A proxy may answer instead of
/// the API: check Content-Type.
///
/// @param response The response. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return The bytes, followed by a NUL, owned by `response`. They may contain a NUL. NULL if
///   `response` is NULL.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed. `len` must be writable.
const char *tokenwell_api_response_body(const tokenwell_api_response *response,
                                        size_t *len);

/// Releases a response.
///
/// @param response The response. If it is NULL, nothing happens.
/// @since 0.1
///
/// @pre `response` must be a response that was not freed. No other thread may be using it.
void tokenwell_api_response_free(tokenwell_api_response *response);

/// Sends a request to the Admin API with a token of a client, and waits for its response.
///
/// If the API responds with 401, the token is invalidated (`tokenwell_client_invalidate`) and the
/// request is sent once more with a new token. The second response is returned, whatever its status
/// is. Without a new token, the 401 is. Nothing else is repeated, and redirects are not followed.
///
/// A response with status 4xx or 5xx is a success of this call. It fails if there is no token, and
/// if there is no complete response. After such a failure of a request that was sent, it is not
/// known whether it has taken effect; the hint of the error says so.
///
/// Each call uses a thread and a connection of its own until it ends. An event loop calls
/// `tokenwell_client_request_async` or `tokenwell_client_request_queued`.
///
/// @param client The client. Must not be NULL.
/// @param request The request. Must not be NULL.
/// @param deadline_ms How long the call may block, in milliseconds, with the waits for tokens; 0
///   for the configured timeout.
/// @param out Receives the response; release it with `tokenwell_api_response_free`. Must not be
///   NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_NETWORK, TOKENWELL_STATUS_TLS: there is no connection, or it broke.
/// - TOKENWELL_STATUS_PROTOCOL: the response is not HTTP, or larger than the request accepts.
/// - TOKENWELL_STATUS_REFUSED: the response is a redirect.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the client has no base URL, because its server was set by
///   `token_url`.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is NULL, or this is a callback of the library.
/// - The other statuses of `tokenwell_client_token`, for the token.
///
/// @since 0.1
///
/// @pre `client` must be a client and `request` a request that was not freed. No thread may be
/// changing the request. `out` and `error` must be writable.
tokenwell_status tokenwell_client_request(const tokenwell_client *client,
                                          const tokenwell_api_request *request,
                                          uint64_t deadline_ms,
                                          tokenwell_api_response **out,
                                          tokenwell_error **error);

/// Like `tokenwell_client_request`, but never blocks: `tokenwell_operation_response` returns the
/// response.
///
/// @param client The client. Must not be NULL.
/// @param request The request. Must not be NULL.
/// @param deadline_ms After how many milliseconds the operation ends with an error; 0 for the
///   configured timeout.
/// @param callback As for `tokenwell_client_token_async`. May be NULL.
/// @param user_data As for `tokenwell_client_token_async`. May be NULL.
/// @param destroy As for `tokenwell_client_token_async`. May be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL. To cancel the operation
///   ends its request, which may have taken effect.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise TOKENWELL_STATUS_CLOSED,
///   TOKENWELL_STATUS_INVALID_ARGUMENT, or TOKENWELL_STATUS_NOT_CONFIGURED, as for
///   `tokenwell_client_request` and if no thread can be created. Never TOKENWELL_STATUS_OK.
/// @since 0.1
///
/// @pre `client` must be a client and `request` a request that was not freed. No thread may be
/// changing the request. `callback` and `destroy` must be callable as for
/// `tokenwell_client_token_async`. `operation` and `error` must be writable.
tokenwell_status tokenwell_client_request_async(const tokenwell_client *client,
                                                const tokenwell_api_request *request,
                                                uint64_t deadline_ms,
                                                tokenwell_operation_callback callback,
                                                void *user_data,
                                                tokenwell_destroy_callback destroy,
                                                tokenwell_operation **operation,
                                                tokenwell_error **error);

/// Like `tokenwell_client_request_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param request The request. Must not be NULL.
/// @param deadline_ms As for `tokenwell_client_request_async`.
/// @param queue As for `tokenwell_client_token_queued`. Must not be NULL.
/// @param tag As for `tokenwell_client_token_queued`.
/// @param operation As for `tokenwell_client_request_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return As for `tokenwell_client_request_async`. TOKENWELL_STATUS_CLOSED also if the queue is
///   closed.
/// @since 0.1
///
/// @pre `client` must be a client, `request` a request and `queue` a queue that was not freed. No
/// thread may be changing the request. `operation` and `error` must be writable.
tokenwell_status tokenwell_client_request_queued(const tokenwell_client *client,
                                                 const tokenwell_api_request *request,
                                                 uint64_t deadline_ms,
                                                 const tokenwell_queue *queue,
                                                 uint64_t tag,
                                                 tokenwell_operation **operation,
                                                 tokenwell_error **error);

/// Returns the response of an operation that has ended. Never blocks.
///
/// `tokenwell_operation_wait` waits for its end. Each call returns a response of its own.
///
/// @param operation An operation of `tokenwell_client_request_async` or
///   `tokenwell_client_request_queued`. Must not be NULL.
/// @param out Receives the response; release it with `tokenwell_api_response_free`. Must not be
///   NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_PENDING: the operation has not ended.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is NULL, or the operation is not that of a
///   request.
/// - The other statuses of `tokenwell_operation_wait`.
///
/// @since 0.1
///
/// @pre `operation` must be an operation that was not freed. `out` and `error` must be writable.
tokenwell_status tokenwell_operation_response(const tokenwell_operation *operation,
                                              tokenwell_api_response **out,
                                              tokenwell_error **error);

/// Sends log lines to a callback, which replaces an earlier callback.
///
/// No line contains a secret or a token.
///
/// It applies to the lines of the whole process, except those of clients that have a callback of
/// their own (`tokenwell_client_log_set`). It may be called from any thread, but not from inside a
/// callback. It blocks while the earlier callback is running. When it returns, the earlier callback
/// is not running and is not called again, so its `user_data` may be freed. This also applies in a
/// forked child.
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
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT, also if it is called from
///   inside the earlier callback.
/// @since 0.1
///
/// @pre `callback` must be callable with `user_data` from any thread until it is replaced. `error`
/// must be writable.
tokenwell_status tokenwell_log_set(tokenwell_log_callback callback,
                                   void *user_data,
                                   int32_t max_level,
                                   tokenwell_error **error);

/// Sends the log lines of one client to a callback, which replaces an earlier callback of the
/// client.
///
/// The lines of this client then no longer go to the callback of `tokenwell_log_set` or to standard
/// error. Lines that are logged while the client is created come before this call can be made.
///
/// The rules of `tokenwell_log_set` apply. `tokenwell_client_free` removes the callback as a call
/// with NULL does: when the last reference to the client is freed, it waits for a callback that is
/// running, and the callback is not called again. Lines that a refresh writes later go to the
/// callback of the process.
///
/// @param client The client. Must not be NULL.
/// @param callback The callback. NULL: the lines of the client go to the callback of the process
///   again.
/// @param user_data Passed to the callback. May be NULL.
/// @param max_level The most detailed level to log: 1 to 4, as in `tokenwell_log_callback`.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT, also if it is called from
///   inside the client's earlier callback.
/// @since 0.1
///
/// @pre `client` must be a client that was not freed. `callback` must be callable with `user_data`
/// from any thread until it is replaced or the client is freed. `error` must be writable.
tokenwell_status tokenwell_client_log_set(const tokenwell_client *client,
                                          tokenwell_log_callback callback,
                                          void *user_data,
                                          int32_t max_level,
                                          tokenwell_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TOKENWELL_H */
