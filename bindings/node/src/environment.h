/*
 * The state of this addon in one environment of Node: the main thread or a worker. It is the instance data of the
 * module, so that an environment, and each copy of the addon in it, has its own. All of it is used on the thread of the
 * environment only.
 */
#ifndef TOKENWELL_NODE_ENVIRONMENT_H
#define TOKENWELL_NODE_ENVIRONMENT_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

struct mailbox;
struct waiter;

struct environment {
    napi_env env;
    struct mailbox *mailbox;
    /* The waiters whose operations are not settled, and how many of them keep the event loop alive. */
    struct waiter *waiters;
    size_t pending;
};

/* Creates the state. It ends with the environment. False if an exception is pending. */
bool environment_begin(napi_env env);

struct environment *environment_of(napi_env env);

#endif
