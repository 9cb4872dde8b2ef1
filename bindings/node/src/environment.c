#include "environment.h"

#include <stdlib.h>

#include "mailbox.h"
#include "operation.h"
#include "values.h"

static void end(void *data);
static void release(napi_env env, void *data, void *hint);

bool environment_begin(napi_env env)
{
    struct environment *environment = allocate(sizeof *environment);
    environment->env = env;
    environment->mailbox = mailbox_new(env, operation_settle_ended, environment);
    if (!environment->mailbox) {
        free(environment);
        return false;
    }
    // Hooks run in the reverse order. This one is added after that of the thread-safe function, and so runs before it.
    return OK(napi_set_instance_data(env, environment, release, NULL)) && OK(napi_add_env_cleanup_hook(env, end, environment));
}

struct environment *environment_of(napi_env env)
{
    void *data = NULL;
    return OK(napi_get_instance_data(env, &data)) ? data : NULL;
}

/*
 * No JavaScript runs in this environment any more. Threads of the library may still be in a callback. Node finalizes the
 * handles of the clients next, which frees the clients.
 */
static void end(void *data)
{
    struct environment *environment = data;
    mailbox_close(environment->mailbox);
    while (environment->waiters) waiter_abandon(environment->env, environment->waiters);
}

/* Node calls it after the hooks. */
static void release(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    struct environment *environment = data;
    mailbox_release(environment->mailbox);
    free(environment);
}
