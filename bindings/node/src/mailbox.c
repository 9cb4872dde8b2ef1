#include "mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lock.h"
#include "operation.h"
#include "values.h"

struct mailbox {
    atomic_int references;
    lock lock;
    /* The members below are guarded by `lock`. */
    bool open;
    napi_threadsafe_function wake;
    struct waiter *first;
    struct waiter **end;
};

struct mailbox *mailbox_new(napi_env env, napi_threadsafe_function_call_js settle, void *context)
{
    struct mailbox *mailbox = allocate(sizeof *mailbox);
    napi_value name;
    *mailbox = (struct mailbox){.references = 1, .lock = LOCK_INITIALIZER, .open = true, .end = &mailbox->first};
    if (OK(napi_create_string_utf8(env, "tokenwell", NAPI_AUTO_LENGTH, &name))
        && OK(napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, context, settle, &mailbox->wake))
        && OK(napi_unref_threadsafe_function(env, mailbox->wake))) {
        return mailbox;
    }
    free(mailbox);
    return NULL;
}

struct mailbox *mailbox_retain(struct mailbox *mailbox)
{
    atomic_fetch_add_explicit(&mailbox->references, 1, memory_order_relaxed);
    return mailbox;
}

void mailbox_release(struct mailbox *mailbox)
{
    if (atomic_fetch_sub_explicit(&mailbox->references, 1, memory_order_acq_rel) == 1) free(mailbox);
}

void mailbox_put(struct mailbox *mailbox, struct waiter *waiter)
{
    lock_acquire(&mailbox->lock);
    if (mailbox->open) {
        bool was_empty = !mailbox->first;
        *mailbox->end = waiter;
        mailbox->end = &waiter->next_ended;
        // The lock is held, so the environment cannot end during this call. It does not block.
        if (was_empty) napi_call_threadsafe_function(mailbox->wake, NULL, napi_tsfn_nonblocking);
    }
    lock_release(&mailbox->lock);
}

struct waiter *mailbox_take(struct mailbox *mailbox)
{
    lock_acquire(&mailbox->lock);
    struct waiter *waiter = mailbox->first;
    if (waiter) {
        mailbox->first = waiter->next_ended;
        if (!mailbox->first) mailbox->end = &mailbox->first;
    }
    lock_release(&mailbox->lock);
    return waiter;
}

void mailbox_wake(struct mailbox *mailbox)
{
    lock_acquire(&mailbox->lock);
    if (mailbox->open && mailbox->first) napi_call_threadsafe_function(mailbox->wake, NULL, napi_tsfn_nonblocking);
    lock_release(&mailbox->lock);
}

void mailbox_keep_alive(napi_env env, struct mailbox *mailbox, bool alive)
{
    if (alive) napi_ref_threadsafe_function(env, mailbox->wake);
    else napi_unref_threadsafe_function(env, mailbox->wake);
}

void mailbox_close(struct mailbox *mailbox)
{
    lock_acquire(&mailbox->lock);
    mailbox->open = false;
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    lock_release(&mailbox->lock);
    // Without the release, Node would not free the thread-safe function of an environment that ends.
    napi_release_threadsafe_function(mailbox->wake, napi_tsfn_abort);
}
