/*
 * The operations that have ended and that the thread of an environment has not settled yet.
 *
 * Threads of the library put them in, and the thread of the environment takes them out. A thread-safe function of
 * Node-API wakes that thread up. Only the lock and `open` make this safe at the end of the environment: Node frees its
 * thread-safe function then, while threads of the library may be in a callback.
 */
#ifndef TOKENWELL_NODE_MAILBOX_H
#define TOKENWELL_NODE_MAILBOX_H

#include <node_api.h>
#include <stdbool.h>

struct mailbox;
struct waiter;

/*
 * Creates an open mailbox with one reference. `settle` is called with `context` on the thread of the environment after
 * something was put in. NULL if an exception is pending.
 */
struct mailbox *mailbox_new(napi_env env, napi_threadsafe_function_call_js settle, void *context);

struct mailbox *mailbox_retain(struct mailbox *mailbox);
void mailbox_release(struct mailbox *mailbox);

/* Called on any thread. Once the mailbox is closed, it does nothing. */
void mailbox_put(struct mailbox *mailbox, struct waiter *waiter);

/* The functions below are called on the thread of the environment only. */

/* Takes the waiter that was put in first. NULL if there is none. */
struct waiter *mailbox_take(struct mailbox *mailbox);

/* Calls `settle` again, if there is something to take. */
void mailbox_wake(struct mailbox *mailbox);

/* Whether the event loop stays alive for what will be put in. */
void mailbox_keep_alive(napi_env env, struct mailbox *mailbox, bool alive);

/* Forgets what is in it. When it returns, no thread uses anything of Node any more. */
void mailbox_close(struct mailbox *mailbox);

#endif
