/*
 * Checks what a compiled program depends on: numbers, sizes, offsets and signatures. The test is
 * that this file compiles. It is valid C99, C11, C++11 and C++17.
 */
#include <tokenwell.h>

#include <stddef.h>

/* C99 has no static assertion, so an array of size -1 is used. */
#define FIXED(name, condition) typedef char fixed_##name[(condition) ? 1 : -1]

FIXED(abi_version, TOKENWELL_ABI_VERSION == 1);
FIXED(force_refresh, TOKENWELL_FORCE_REFRESH == 1);
FIXED(cached_only, TOKENWELL_CACHED_ONLY == 2);
FIXED(wait_for_save, TOKENWELL_WAIT_FOR_SAVE == 4);

FIXED(ok, TOKENWELL_STATUS_OK == 0);
FIXED(invalid_argument, TOKENWELL_STATUS_INVALID_ARGUMENT == 1);
FIXED(not_configured, TOKENWELL_STATUS_NOT_CONFIGURED == 2);
FIXED(credential_rejected, TOKENWELL_STATUS_CREDENTIAL_REJECTED == 3);
FIXED(token_limit, TOKENWELL_STATUS_TOKEN_LIMIT == 4);
FIXED(rate_limited, TOKENWELL_STATUS_RATE_LIMITED == 5);
FIXED(network, TOKENWELL_STATUS_NETWORK == 6);
FIXED(tls, TOKENWELL_STATUS_TLS == 7);
FIXED(deadline, TOKENWELL_STATUS_DEADLINE == 8);
FIXED(server, TOKENWELL_STATUS_SERVER == 9);
FIXED(protocol, TOKENWELL_STATUS_PROTOCOL == 10);
FIXED(refused, TOKENWELL_STATUS_REFUSED == 11);
FIXED(closed, TOKENWELL_STATUS_CLOSED == 12);
FIXED(internal, TOKENWELL_STATUS_INTERNAL == 13);
FIXED(pending, TOKENWELL_STATUS_PENDING == 14);
FIXED(not_cached, TOKENWELL_STATUS_NOT_CACHED == 15);
FIXED(cannot_write, TOKENWELL_STATUS_CANNOT_WRITE == 16);
FIXED(status_size, sizeof(tokenwell_status) == 4);

FIXED(stats_size, sizeof(tokenwell_stats) == 8 * 8);
FIXED(stats_hits, offsetof(tokenwell_stats, hits) == 0);
FIXED(stats_waits, offsetof(tokenwell_stats, waits) == 8);
FIXED(stats_refreshes, offsetof(tokenwell_stats, refreshes) == 16);
FIXED(stats_mints, offsetof(tokenwell_stats, mints) == 24);
FIXED(stats_mint_failures, offsetof(tokenwell_stats, mint_failures) == 32);
FIXED(stats_stale_served, offsetof(tokenwell_stats, stale_served) == 40);
FIXED(stats_cooldown_answers, offsetof(tokenwell_stats, cooldown_answers) == 48);
FIXED(stats_invalidations, offsetof(tokenwell_stats, invalidations) == 56);

/*
 * A wrong signature is an error: a pointer of another type to the function causes a diagnostic, and
 * -Werror is set.
 */
extern tokenwell_status (*const fixed_config_new)(tokenwell_config **, tokenwell_error **);
tokenwell_status (*const fixed_config_new)(tokenwell_config **, tokenwell_error **) = tokenwell_config_new;
extern tokenwell_status (*const fixed_config_set)(tokenwell_config *, const char *, size_t, const char *, size_t, tokenwell_error **);
tokenwell_status (*const fixed_config_set)(tokenwell_config *, const char *, size_t, const char *, size_t, tokenwell_error **) =
    tokenwell_config_set;
extern tokenwell_status (*const fixed_config_use_environment)(tokenwell_config *, tokenwell_error **);
tokenwell_status (*const fixed_config_use_environment)(tokenwell_config *, tokenwell_error **) = tokenwell_config_use_environment;
extern void (*const fixed_config_free)(tokenwell_config *);
void (*const fixed_config_free)(tokenwell_config *) = tokenwell_config_free;

extern tokenwell_status (*const fixed_client_new)(const tokenwell_config *, tokenwell_client **, tokenwell_error **);
tokenwell_status (*const fixed_client_new)(const tokenwell_config *, tokenwell_client **, tokenwell_error **) = tokenwell_client_new;
extern tokenwell_status (*const fixed_client_token)(const tokenwell_client *, uint64_t, uint64_t, uint32_t, tokenwell_token **,
    tokenwell_error **);
tokenwell_status (*const fixed_client_token)(const tokenwell_client *, uint64_t, uint64_t, uint32_t, tokenwell_token **, tokenwell_error
    **) = tokenwell_client_token;
extern tokenwell_status (*const fixed_client_invalidate)(const tokenwell_client *, const char *, size_t, tokenwell_error **);
tokenwell_status (*const fixed_client_invalidate)(const tokenwell_client *, const char *, size_t, tokenwell_error **) =
    tokenwell_client_invalidate;
extern tokenwell_status (*const fixed_client_revoke)(const tokenwell_client *, uint64_t, tokenwell_error **);
tokenwell_status (*const fixed_client_revoke)(const tokenwell_client *, uint64_t, tokenwell_error **) = tokenwell_client_revoke;
extern tokenwell_status (*const fixed_client_stats)(const tokenwell_client *, tokenwell_stats *, size_t, tokenwell_error **);
tokenwell_status (*const fixed_client_stats)(const tokenwell_client *, tokenwell_stats *, size_t, tokenwell_error **) =
    tokenwell_client_stats;
extern tokenwell_status (*const fixed_client_request)(const tokenwell_client *, const tokenwell_api_request *, uint64_t,
    tokenwell_api_response **, tokenwell_error **);
tokenwell_status (*const fixed_client_request)(const tokenwell_client *, const tokenwell_api_request *, uint64_t,
    tokenwell_api_response **, tokenwell_error **) = tokenwell_client_request;
extern tokenwell_status (*const fixed_client_request_queued)(const tokenwell_client *, const tokenwell_api_request *, uint64_t,
    const tokenwell_queue *, uint64_t, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_request_queued)(const tokenwell_client *, const tokenwell_api_request *, uint64_t,
    const tokenwell_queue *, uint64_t, tokenwell_operation **, tokenwell_error **) = tokenwell_client_request_queued;
extern tokenwell_status (*const fixed_operation_response)(const tokenwell_operation *, tokenwell_api_response **, tokenwell_error **);
tokenwell_status (*const fixed_operation_response)(const tokenwell_operation *, tokenwell_api_response **, tokenwell_error **) =
    tokenwell_operation_response;
extern tokenwell_status (*const fixed_api_request_new)(const char *, size_t, const char *, size_t, tokenwell_api_request **,
    tokenwell_error **);
tokenwell_status (*const fixed_api_request_new)(const char *, size_t, const char *, size_t, tokenwell_api_request **,
    tokenwell_error **) = tokenwell_api_request_new;
extern const char *(*const fixed_client_base_url)(const tokenwell_client *, size_t *);
const char *(*const fixed_client_base_url)(const tokenwell_client *, size_t *) = tokenwell_client_base_url;
extern const char *(*const fixed_client_setting)(const tokenwell_client *, size_t, const char **);
const char *(*const fixed_client_setting)(const tokenwell_client *, size_t, const char **) = tokenwell_client_setting;
extern const uint64_t *(*const fixed_client_generation)(const tokenwell_client *);
const uint64_t *(*const fixed_client_generation)(const tokenwell_client *) = tokenwell_client_generation;
extern uint64_t (*const fixed_client_fresh_for_ms)(const tokenwell_client *, const tokenwell_token *);
uint64_t (*const fixed_client_fresh_for_ms)(const tokenwell_client *, const tokenwell_token *) = tokenwell_client_fresh_for_ms;
extern tokenwell_status (*const fixed_client_advance_clock)(const tokenwell_client *, uint64_t, tokenwell_error **);
tokenwell_status (*const fixed_client_advance_clock)(const tokenwell_client *, uint64_t, tokenwell_error **) =
    tokenwell_client_advance_clock;
extern tokenwell_status (*const fixed_client_close)(const tokenwell_client *, tokenwell_error **);
tokenwell_status (*const fixed_client_close)(const tokenwell_client *, tokenwell_error **) = tokenwell_client_close;
extern void (*const fixed_client_free)(tokenwell_client *);
void (*const fixed_client_free)(tokenwell_client *) = tokenwell_client_free;

typedef const char *(*text_of_token)(const tokenwell_token *, size_t *);
extern const text_of_token fixed_token_texts[];
const text_of_token fixed_token_texts[] = {tokenwell_token_value, tokenwell_token_authorization, tokenwell_token_scope};
extern int64_t (*const fixed_token_expires_at_ms)(const tokenwell_token *);
int64_t (*const fixed_token_expires_at_ms)(const tokenwell_token *) = tokenwell_token_expires_at_ms;
extern uint64_t (*const fixed_token_generation)(const tokenwell_token *);
uint64_t (*const fixed_token_generation)(const tokenwell_token *) = tokenwell_token_generation;
extern tokenwell_token *(*const fixed_token_clone)(const tokenwell_token *);
tokenwell_token *(*const fixed_token_clone)(const tokenwell_token *) = tokenwell_token_clone;
extern void (*const fixed_token_free)(tokenwell_token *);
void (*const fixed_token_free)(tokenwell_token *) = tokenwell_token_free;

typedef const char *(*text_of_error)(const tokenwell_error *, size_t *);
extern const text_of_error fixed_error_texts[];
const text_of_error fixed_error_texts[] = {tokenwell_error_message, tokenwell_error_hint};
extern const char *(*const fixed_error_name)(const tokenwell_error *);
const char *(*const fixed_error_name)(const tokenwell_error *) = tokenwell_error_name;
extern tokenwell_status (*const fixed_error_status)(const tokenwell_error *);
tokenwell_status (*const fixed_error_status)(const tokenwell_error *) = tokenwell_error_status;
extern int32_t (*const fixed_error_http_status)(const tokenwell_error *);
int32_t (*const fixed_error_http_status)(const tokenwell_error *) = tokenwell_error_http_status;
extern int64_t (*const fixed_error_retry_after_ms)(const tokenwell_error *);
int64_t (*const fixed_error_retry_after_ms)(const tokenwell_error *) = tokenwell_error_retry_after_ms;
extern const char *(*const fixed_error_oauth_code)(const tokenwell_error *, size_t *);
const char *(*const fixed_error_oauth_code)(const tokenwell_error *, size_t *) = tokenwell_error_oauth_code;
extern int32_t (*const fixed_error_is_remembered)(const tokenwell_error *);
int32_t (*const fixed_error_is_remembered)(const tokenwell_error *) = tokenwell_error_is_remembered;
extern int64_t (*const fixed_error_age_ms)(const tokenwell_error *);
int64_t (*const fixed_error_age_ms)(const tokenwell_error *) = tokenwell_error_age_ms;
extern uint32_t (*const fixed_error_attempts)(const tokenwell_error *);
uint32_t (*const fixed_error_attempts)(const tokenwell_error *) = tokenwell_error_attempts;
extern void (*const fixed_error_free)(tokenwell_error *);
void (*const fixed_error_free)(tokenwell_error *) = tokenwell_error_free;

extern tokenwell_status (*const fixed_config_set_secret_callback)(tokenwell_config *, tokenwell_secret_callback, void *,
    tokenwell_destroy_callback,
                                                                  tokenwell_error **);
tokenwell_status (*const fixed_config_set_secret_callback)(tokenwell_config *, tokenwell_secret_callback, void *,
    tokenwell_destroy_callback,
                                                           tokenwell_error **) = tokenwell_config_set_secret_callback;
extern tokenwell_status (*const fixed_secret_request_provide)(tokenwell_secret_request *, const char *, size_t, tokenwell_error **);
tokenwell_status (*const fixed_secret_request_provide)(tokenwell_secret_request *, const char *, size_t, tokenwell_error **) =
    tokenwell_secret_request_provide;
extern tokenwell_status (*const fixed_secret_request_fail)(tokenwell_secret_request *, const char *, size_t, tokenwell_error **);
tokenwell_status (*const fixed_secret_request_fail)(tokenwell_secret_request *, const char *, size_t, tokenwell_error **) =
    tokenwell_secret_request_fail;

extern tokenwell_status (*const fixed_log_set)(tokenwell_log_callback, void *, int32_t, tokenwell_error **);
tokenwell_status (*const fixed_log_set)(tokenwell_log_callback, void *, int32_t, tokenwell_error **) = tokenwell_log_set;
extern tokenwell_status (*const fixed_client_log_set)(const tokenwell_client *, tokenwell_log_callback, void *, int32_t, tokenwell_error
    **);
tokenwell_status (*const fixed_client_log_set)(const tokenwell_client *, tokenwell_log_callback, void *, int32_t, tokenwell_error **) =
    tokenwell_client_log_set;
extern void (*const fixed_log_callback_type)(tokenwell_log_callback);
static void takes_callback(tokenwell_log_callback callback) { void (*plain)(void *, int32_t, const char *, size_t) = callback; (void)plain; }
void (*const fixed_log_callback_type)(tokenwell_log_callback) = takes_callback;

extern uint32_t (*const fixed_abi_version_function)(void);
uint32_t (*const fixed_abi_version_function)(void) = tokenwell_abi_version;
extern const char *(*const fixed_version)(void);
const char *(*const fixed_version)(void) = tokenwell_version;
extern const char *(*const fixed_status_name)(int32_t);
const char *(*const fixed_status_name)(int32_t) = tokenwell_status_name;

extern tokenwell_status (*const fixed_client_token_async)(const tokenwell_client *, uint64_t, uint64_t, uint32_t,
    tokenwell_operation_callback, void *, tokenwell_destroy_callback, tokenwell_token **, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_token_async)(const tokenwell_client *, uint64_t, uint64_t, uint32_t, tokenwell_operation_callback,
    void *, tokenwell_destroy_callback, tokenwell_token **, tokenwell_operation **, tokenwell_error **) = tokenwell_client_token_async;
extern tokenwell_status (*const fixed_client_token_queued)(const tokenwell_client *, uint64_t, uint64_t, uint32_t, const tokenwell_queue
    *, uint64_t, tokenwell_token **, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_token_queued)(const tokenwell_client *, uint64_t, uint64_t, uint32_t, const tokenwell_queue *,
    uint64_t, tokenwell_token **, tokenwell_operation **, tokenwell_error **) = tokenwell_client_token_queued;
extern tokenwell_status (*const fixed_client_invalidate_async)(const tokenwell_client *, const char *, size_t, uint64_t,
    tokenwell_operation_callback, void *, tokenwell_destroy_callback, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_invalidate_async)(const tokenwell_client *, const char *, size_t, uint64_t,
    tokenwell_operation_callback, void *, tokenwell_destroy_callback, tokenwell_operation **, tokenwell_error **) =
    tokenwell_client_invalidate_async;
extern tokenwell_status (*const fixed_client_invalidate_queued)(const tokenwell_client *, const char *, size_t, uint64_t, const
    tokenwell_queue *, uint64_t, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_invalidate_queued)(const tokenwell_client *, const char *, size_t, uint64_t, const tokenwell_queue
    *, uint64_t, tokenwell_operation **, tokenwell_error **) = tokenwell_client_invalidate_queued;
extern tokenwell_status (*const fixed_client_revoke_async)(const tokenwell_client *, uint64_t, tokenwell_operation_callback, void *,
    tokenwell_destroy_callback, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_revoke_async)(const tokenwell_client *, uint64_t, tokenwell_operation_callback, void *,
    tokenwell_destroy_callback, tokenwell_operation **, tokenwell_error **) = tokenwell_client_revoke_async;
extern tokenwell_status (*const fixed_client_revoke_queued)(const tokenwell_client *, uint64_t, const tokenwell_queue *, uint64_t,
    tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_client_revoke_queued)(const tokenwell_client *, uint64_t, const tokenwell_queue *, uint64_t,
    tokenwell_operation **, tokenwell_error **) = tokenwell_client_revoke_queued;
extern tokenwell_status (*const fixed_operation_wait)(const tokenwell_operation *, uint64_t, tokenwell_token **, tokenwell_error **);
tokenwell_status (*const fixed_operation_wait)(const tokenwell_operation *, uint64_t, tokenwell_token **, tokenwell_error **) =
    tokenwell_operation_wait;
extern int32_t (*const fixed_operation_cancel)(const tokenwell_operation *);
int32_t (*const fixed_operation_cancel)(const tokenwell_operation *) = tokenwell_operation_cancel;
extern void (*const fixed_operation_free)(tokenwell_operation *);
void (*const fixed_operation_free)(tokenwell_operation *) = tokenwell_operation_free;
extern tokenwell_status (*const fixed_queue_new)(tokenwell_queue **, tokenwell_error **);
tokenwell_status (*const fixed_queue_new)(tokenwell_queue **, tokenwell_error **) = tokenwell_queue_new;
extern tokenwell_status (*const fixed_queue_descriptor)(const tokenwell_queue *, int32_t *, tokenwell_error **);
tokenwell_status (*const fixed_queue_descriptor)(const tokenwell_queue *, int32_t *, tokenwell_error **) = tokenwell_queue_descriptor;
extern tokenwell_status (*const fixed_queue_take)(const tokenwell_queue *, uint64_t *, tokenwell_operation **, tokenwell_error **);
tokenwell_status (*const fixed_queue_take)(const tokenwell_queue *, uint64_t *, tokenwell_operation **, tokenwell_error **) =
    tokenwell_queue_take;
extern tokenwell_status (*const fixed_queue_wait)(const tokenwell_queue *, uint64_t, tokenwell_error **);
tokenwell_status (*const fixed_queue_wait)(const tokenwell_queue *, uint64_t, tokenwell_error **) = tokenwell_queue_wait;
extern tokenwell_status (*const fixed_queue_close)(const tokenwell_queue *, tokenwell_error **);
tokenwell_status (*const fixed_queue_close)(const tokenwell_queue *, tokenwell_error **) = tokenwell_queue_close;
extern void (*const fixed_queue_free)(tokenwell_queue *);
void (*const fixed_queue_free)(tokenwell_queue *) = tokenwell_queue_free;
extern tokenwell_status (*const fixed_client_watch)(const tokenwell_client *, const tokenwell_queue *, uint64_t, tokenwell_error **);
tokenwell_status (*const fixed_client_watch)(const tokenwell_client *, const tokenwell_queue *, uint64_t, tokenwell_error **) =
    tokenwell_client_watch;
extern tokenwell_status (*const fixed_client_unwatch)(const tokenwell_client *, const tokenwell_queue *, tokenwell_error **);
tokenwell_status (*const fixed_client_unwatch)(const tokenwell_client *, const tokenwell_queue *, tokenwell_error **) =
    tokenwell_client_unwatch;
extern tokenwell_status (*const fixed_client_clone)(const tokenwell_client *, tokenwell_client **, tokenwell_error **);
tokenwell_status (*const fixed_client_clone)(const tokenwell_client *, tokenwell_client **, tokenwell_error **) = tokenwell_client_clone;
extern tokenwell_status (*const fixed_client_drain)(const tokenwell_client *, uint64_t, tokenwell_error **);
tokenwell_status (*const fixed_client_drain)(const tokenwell_client *, uint64_t, tokenwell_error **) = tokenwell_client_drain;
