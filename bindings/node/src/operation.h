/* Calls that wait. They use no thread of Node: the library calls back when they end. */
#ifndef TOKENWELL_NODE_OPERATION_H
#define TOKENWELL_NODE_OPERATION_H

#include <node_api.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client.h"
#include "environment.h"
#include "mailbox.h"

/* One pending operation, and the function of JavaScript that receives its outcome. */
struct waiter {
    /* One for the environment, until the operation is settled, and one for the library, until `destroy`. */
    atomic_int references;
    struct mailbox *mailbox;
    struct client *client;
    tokenwell_operation *operation;
    /* Keeps the function alive. The function wraps this waiter, by which it can be canceled. */
    napi_ref callback;
    bool is_canceled;
    /* Whether it returns a response of the Admin API. */
    bool is_request;
    /* The list in the environment. */
    struct waiter *next;
    struct waiter **link;
    /* The list in the mailbox. */
    struct waiter *next_ended;
};

/* Drops a waiter whose environment has ended. */
void waiter_abandon(napi_env env, struct waiter *waiter);

/* Settles everything that is in the mailbox of the environment, which is `context`. */
void operation_settle_ended(napi_env env, napi_value function, void *context, void *data);

/*
 * Functions of JavaScript. Each begins an operation and returns its outcome, or undefined if `settle` will be called with
 * the outcome later. The outcome is a token, null, the fields of an error, or those of a response.
 *
 *   token(handle, minTtlMs, deadlineMs, forceRefresh, settle)
 *   invalidate(handle, value, settle)
 *   revoke(handle, deadlineMs, settle)
 *   request(handle, description, settle)     see request.h
 *   cancel(settle)                      `settle` will not be called any more
 */
napi_value operation_token(napi_env env, napi_callback_info info);
napi_value operation_invalidate(napi_env env, napi_callback_info info);
napi_value operation_revoke(napi_env env, napi_callback_info info);
napi_value operation_request(napi_env env, napi_callback_info info);
napi_value operation_cancel(napi_env env, napi_callback_info info);

#endif
