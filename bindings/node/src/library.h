/*
 * The functions of the tokenwell library, as a table of pointers. Their types are those of tokenwell.h, so the compiler
 * checks every call. Nothing else in this addon refers to a symbol of the library, so that each client can use another
 * one: the library that is linked into the addon, or a shared library that TOKENWELL_LIBRARY names.
 */
#ifndef TOKENWELL_NODE_LIBRARY_H
#define TOKENWELL_NODE_LIBRARY_H

#include <stddef.h>
#include <tokenwell.h>

#define LIBRARY_FUNCTIONS(EACH) \
    EACH(abi_version) \
    EACH(version) \
    EACH(status_name) \
    EACH(config_new) \
    EACH(config_set) \
    EACH(config_use_environment) \
    EACH(config_use_variables) \
    EACH(config_set_variable) \
    EACH(config_free) \
    EACH(client_new) \
    EACH(client_base_url) \
    EACH(client_setting) \
    EACH(client_token_async) \
    EACH(client_invalidate_async) \
    EACH(client_revoke_async) \
    EACH(client_request_async) \
    EACH(client_stats) \
    EACH(client_generation) \
    EACH(client_fresh_for_ms) \
    EACH(client_advance_clock) \
    EACH(client_close) \
    EACH(client_free) \
    EACH(operation_wait) \
    EACH(operation_response) \
    EACH(operation_cancel) \
    EACH(operation_free) \
    EACH(api_request_new) \
    EACH(api_request_set_version) \
    EACH(api_request_add_query) \
    EACH(api_request_set_body) \
    EACH(api_request_set_max_body) \
    EACH(api_request_free) \
    EACH(api_response_status) \
    EACH(api_response_header_count) \
    EACH(api_response_header_name) \
    EACH(api_response_header_value) \
    EACH(api_response_body) \
    EACH(api_response_free) \
    EACH(token_value) \
    EACH(token_authorization) \
    EACH(token_scope) \
    EACH(token_expires_at_ms) \
    EACH(token_generation) \
    EACH(token_free) \
    EACH(error_status) \
    EACH(error_name) \
    EACH(error_message) \
    EACH(error_hint) \
    EACH(error_http_status) \
    EACH(error_retry_after_ms) \
    EACH(error_oauth_code) \
    EACH(error_is_remembered) \
    EACH(error_age_ms) \
    EACH(error_attempts) \
    EACH(error_free)

struct library {
#define MEMBER(name) __typeof__(tokenwell_##name) *name;
    LIBRARY_FUNCTIONS(MEMBER)
#undef MEMBER
    void *file;
    struct library *next;
};

/* The size of the buffer for the reason why a library cannot be used. */
enum { PROBLEM_SIZE = 512 };

/* The library that is linked into this addon. */
const struct library *library_linked(void);

/*
 * Loads the library at `path`, in UTF-8: a file, or a name that the dynamic loader searches for. The result remains
 * loaded until the process exits and is shared by all environments. NULL if it cannot be used: `problem` says why.
 */
const struct library *library_open(const char *path, char problem[PROBLEM_SIZE]);

#endif
