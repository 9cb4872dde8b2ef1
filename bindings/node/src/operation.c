#include "operation.h"

#include <stdlib.h>

#include "request.h"
#include "values.h"

/* ---- the waiter, and its two owners */

static void release(struct waiter *waiter)
{
    if (atomic_fetch_sub_explicit(&waiter->references, 1, memory_order_acq_rel) > 1) return;
    mailbox_release(waiter->mailbox);
    free(waiter);
}

/* Called on a thread of the library. */
static void has_ended(void *user_data, tokenwell_operation *operation)
{
    (void)operation;
    struct waiter *waiter = user_data;
    mailbox_put(waiter->mailbox, waiter);
}

/* Called on any thread. */
static void is_unused(void *user_data)
{
    release(user_data);
}

/* Node requires a finalizer. There is nothing to do: the waiter holds the function, not the other way round. */
static void not_needed(napi_env env, void *data, void *hint)
{
    (void)env, (void)data, (void)hint;
}

/* Connects a waiter with its function, before the operation begins. */
static struct waiter *waiter_new(napi_env env, struct client *client, napi_value settle)
{
    struct waiter *waiter = allocate(sizeof *waiter);
    if (!OK(napi_wrap(env, settle, waiter, not_needed, NULL, &waiter->callback))) {
        free(waiter);
        return NULL;
    }
    napi_reference_ref(env, waiter->callback, NULL);
    atomic_init(&waiter->references, 2);
    waiter->mailbox = mailbox_retain(environment_of(env)->mailbox);
    waiter->client = client_retain(client);
    return waiter;
}

static void remember(napi_env env, struct waiter *waiter)
{
    struct environment *environment = environment_of(env);
    waiter->next = environment->waiters;
    waiter->link = &environment->waiters;
    if (waiter->next) waiter->next->link = &waiter->next;
    environment->waiters = waiter;
    if (environment->pending++ == 0) mailbox_keep_alive(env, environment->mailbox, true);
}

static void no_longer_pending(napi_env env)
{
    struct environment *environment = environment_of(env);
    if (--environment->pending == 0) mailbox_keep_alive(env, environment->mailbox, false);
}

/* Disconnects a waiter from its function, which it returns. */
static napi_value disconnect(napi_env env, struct waiter *waiter)
{
    napi_value settle = NULL;
    // If this fails, the environment is ending, and no JavaScript runs any more.
    bool unwrapped = OK(napi_get_reference_value(env, waiter->callback, &settle)) && OK(napi_remove_wrap(env, settle, NULL));
    napi_delete_reference(env, waiter->callback);
    return unwrapped ? settle : NULL;
}

/* Ends the ownership of the environment. */
static void drop(struct waiter *waiter)
{
    *waiter->link = waiter->next;
    if (waiter->next) waiter->next->link = waiter->link;
    waiter->client->library->operation_free(waiter->operation);
    client_release(waiter->client);
    release(waiter);
}

void waiter_abandon(napi_env env, struct waiter *waiter)
{
    if (!waiter->is_canceled) napi_delete_reference(env, waiter->callback);
    waiter->client->library->operation_cancel(waiter->operation);
    drop(waiter);
}

/* ---- outcomes */

/* The fields of a token. Frees it. */
static napi_value token_fields(napi_env env, const struct client *client, tokenwell_token *token)
{
    const struct library *library = client->library;
    // A client that was closed meanwhile says that its token is not fresh.
    double fresh_for = client->client ? (double)library->client_fresh_for_ms(client->client, token) : 0;
    napi_value fields;
    bool complete = OK(napi_create_object(env, &fields)) && set_string(env, fields, "value", library->token_value(token, NULL))
        && set_string(env, fields, "authorization", library->token_authorization(token, NULL))
        && set_string(env, fields, "scope", library->token_scope(token, NULL))
        && set_number(env, fields, "expiresAtMs", (double)library->token_expires_at_ms(token))
        && set_number(env, fields, "generation", (double)library->token_generation(token)) && set_number(env, fields, "freshForMs", fresh_for);
    library->token_free(token);
    return complete ? fields : NULL;
}

static napi_value outcome_of(napi_env env, const struct client *client, tokenwell_status status, tokenwell_token *token, tokenwell_error *error)
{
    if (status != TOKENWELL_STATUS_OK) return failure(env, client->library, status, error);
    return token ? token_fields(env, client, token) : nothing(env);
}

/* ---- settling */

/* The token that was settled last. All callers that waited for the same one get the same object. */
struct recent {
    const struct client *client;
    uint64_t generation;
    napi_value fields;
};

static napi_value ended_outcome(napi_env env, napi_escapable_handle_scope scope, const struct waiter *waiter, struct recent *recent)
{
    const struct library *library = waiter->client->library;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = library->operation_wait(waiter->operation, 0, &token, &error);
    if (waiter->is_request && status == TOKENWELL_STATUS_OK) return response_of(env, library, waiter->operation);
    uint64_t generation = library->token_generation(token);
    // A token that was never the current one has no generation of its own.
    if (status != TOKENWELL_STATUS_OK || !token || generation == UINT64_MAX) return outcome_of(env, waiter->client, status, token, error);

    if (recent->fields && recent->client == waiter->client && recent->generation == generation) {
        library->token_free(token);
        return recent->fields;
    }
    napi_value fields = token_fields(env, waiter->client, token);
    *recent = (struct recent){.client = waiter->client, .generation = generation};
    if (fields) napi_escape_handle(env, scope, fields, &recent->fields);
    return fields;
}

/* Calls the function of one waiter. False if an exception is pending. */
static bool settle(napi_env env, struct waiter *waiter, struct recent *recent)
{
    napi_escapable_handle_scope scope;
    napi_value undefined, outcome, function;
    if (waiter->is_canceled) {
        drop(waiter);
        return true;
    }
    if (!OK(napi_open_escapable_handle_scope(env, &scope))) return false;
    // First, because it is not possible while an exception is pending.
    function = disconnect(env, waiter);
    outcome = function ? ended_outcome(env, scope, waiter, recent) : NULL;
    drop(waiter);
    no_longer_pending(env);
    bool called = outcome && OK(napi_get_undefined(env, &undefined)) && OK(napi_call_function(env, undefined, function, 1, &outcome, NULL));
    napi_close_escapable_handle_scope(env, scope);
    return called;
}

void operation_settle_ended(napi_env env, napi_value function, void *context, void *data)
{
    (void)function, (void)data;
    // Node empties the queue of an environment that has ended.
    if (!env) return;
    struct environment *environment = context;
    struct recent recent = {0};
    for (struct waiter *waiter; (waiter = mailbox_take(environment->mailbox));) {
        // Node reports the exception, or stops this worker. The others are settled by another call.
        if (!settle(env, waiter, &recent)) {
            mailbox_wake(environment->mailbox);
            return;
        }
    }
}

/* ---- functions of JavaScript */

/* What to return for an operation that `status` says was begun or not. */
static napi_value begun(napi_env env, struct waiter *waiter, tokenwell_status status, tokenwell_token *token, tokenwell_error *error)
{
    napi_value result = NULL;
    if (status == TOKENWELL_STATUS_PENDING) {
        remember(env, waiter);
        return OK(napi_get_undefined(env, &result)) ? result : NULL;
    }
    // There is no operation, and no callback comes.
    disconnect(env, waiter);
    result = outcome_of(env, waiter->client, status, token, error);
    client_release(waiter->client);
    mailbox_release(waiter->mailbox);
    free(waiter);
    return result;
}

napi_value operation_token(napi_env env, napi_callback_info info)
{
    napi_value arguments[5];
    uint64_t min_ttl_ms, deadline_ms;
    bool force_refresh;
    if (!get_arguments(env, info, 5, arguments, NULL)) return NULL;
    struct client *client = client_of(env, arguments[0]);
    if (!client || !get_uint64(env, arguments[1], &min_ttl_ms) || !get_uint64(env, arguments[2], &deadline_ms)
        || !OK(napi_get_value_bool(env, arguments[3], &force_refresh))) {
        return NULL;
    }
    if (!client->client) return error_fields(env, client->library, client->closed);
    struct waiter *waiter = waiter_new(env, client, arguments[4]);
    if (!waiter) return NULL;

    // A program that exits as soon as it has its token leaves that token to other processes.
    uint32_t flags = TOKENWELL_WAIT_FOR_SAVE | (force_refresh ? TOKENWELL_FORCE_REFRESH : 0);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = client->library->client_token_async(client->client, min_ttl_ms, deadline_ms, flags, has_ended, waiter, is_unused, &token, &waiter->operation, &error);
    return begun(env, waiter, status, token, error);
}

napi_value operation_invalidate(napi_env env, napi_callback_info info)
{
    napi_value arguments[3];
    struct bytes value;
    if (!get_arguments(env, info, 3, arguments, NULL)) return NULL;
    struct client *client = client_of(env, arguments[0]);
    if (!client) return NULL;
    if (!client->client) return error_fields(env, client->library, client->closed);
    if (!get_bytes(env, arguments[1], &value)) return NULL;
    struct waiter *waiter = waiter_new(env, client, arguments[2]);
    tokenwell_error *error = NULL;
    tokenwell_status status = TOKENWELL_STATUS_OK;
    if (waiter) status = client->library->client_invalidate_async(client->client, value.data, value.length, 0, has_ended, waiter, is_unused, &waiter->operation, &error);
    release_bytes(&value);
    return waiter ? begun(env, waiter, status, NULL, error) : NULL;
}

napi_value operation_revoke(napi_env env, napi_callback_info info)
{
    napi_value arguments[3];
    uint64_t deadline_ms;
    if (!get_arguments(env, info, 3, arguments, NULL)) return NULL;
    struct client *client = client_of(env, arguments[0]);
    if (!client || !get_uint64(env, arguments[1], &deadline_ms)) return NULL;
    if (!client->client) return error_fields(env, client->library, client->closed);
    struct waiter *waiter = waiter_new(env, client, arguments[2]);
    if (!waiter) return NULL;

    tokenwell_error *error = NULL;
    tokenwell_status status = client->library->client_revoke_async(client->client, deadline_ms, has_ended, waiter, is_unused, &waiter->operation, &error);
    return begun(env, waiter, status, NULL, error);
}

napi_value operation_request(napi_env env, napi_callback_info info)
{
    napi_value arguments[3], failed = NULL;
    uint64_t deadline_ms;
    if (!get_arguments(env, info, 3, arguments, NULL)) return NULL;
    struct client *client = client_of(env, arguments[0]);
    if (!client) return NULL;
    if (!client->client) return error_fields(env, client->library, client->closed);
    tokenwell_api_request *request = request_from(env, client->library, arguments[1], &deadline_ms, &failed);
    if (!request) return failed;
    struct waiter *waiter = waiter_new(env, client, arguments[2]);
    tokenwell_error *error = NULL;
    tokenwell_status status = TOKENWELL_STATUS_OK;
    if (waiter) {
        waiter->is_request = true;
        status = client->library->client_request_async(client->client, request, deadline_ms, has_ended, waiter, is_unused, &waiter->operation, &error);
    }
    client->library->api_request_free(request);
    return waiter ? begun(env, waiter, status, NULL, error) : NULL;
}

napi_value operation_cancel(napi_env env, napi_callback_info info)
{
    napi_value callback;
    void *data = NULL;
    // A function without a waiter was called already.
    if (!get_arguments(env, info, 1, &callback, NULL) || napi_unwrap(env, callback, &data) != napi_ok) return NULL;
    struct waiter *waiter = data;
    disconnect(env, waiter);
    no_longer_pending(env);
    waiter->is_canceled = true;
    // Otherwise it is in the mailbox, or will be there in a moment, and is dropped when it is taken.
    if (waiter->client->library->operation_cancel(waiter->operation) == 1) drop(waiter);
    return NULL;
}
