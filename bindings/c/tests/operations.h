/* What the tests of the asynchronous functions share. */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "check.h"

#include <stdatomic.h>

/* The token request takes this long. */
#define SLOW(ms) "[{\"path\":\"/api/oauth/token\",\"delay_ms\":" #ms ",\"then_serve\":true}]"
/* No test waits for this reply. */
#define HANGING SLOW(120000)

/*
 * The user data of an operation: what its callbacks did. `inside`, if it is not NULL, is called in
 * the callback.
 */
typedef struct seen {
    atomic_uint called, destroyed, out_of_order; /* the last counts a callback after or during `destroy`, and a second one */
    atomic_int status;                           /* what a wait in the callback returned */
    atomic_bool running, got_token;
    void (*inside)(struct seen *self, tokenwell_operation *operation);
    const tokenwell_client *client;
    void *more;
} seen;

void on_end(void *user_data, tokenwell_operation *operation);
void on_destroy(void *user_data);
/* Begins a get with `on_end` and `on_destroy`, which must be PENDING. */
tokenwell_operation *begin_get(const tokenwell_client *client, uint64_t deadline_ms, uint32_t flags, seen *data);
/* The same without the operation: the caller only wants the callback. */
void begin_unowned_get(const tokenwell_client *client, uint64_t deadline_ms, uint32_t flags, seen *data);
/* Waits for at most a minute until `destroy` has been called. */
bool wait_for_destroy(const seen *data);
/* Checks that the callback came `called` times (0 or 1) with this status, and then `destroy`. */
void check_seen(unsigned called, tokenwell_status status, const seen *data);

/*
 * For tests that force refreshes while others end: then the get may also return the token that has
 * just come, and `pending` is false. With a queue the tag is used, otherwise `data`.
 */
tokenwell_operation *begin_forced_get(const tokenwell_client *client, const tokenwell_queue *queue, uint64_t tag, seen *data,
                                      bool *pending);

tokenwell_queue *new_queue(void);
int32_t descriptor_of(const tokenwell_queue *queue);
/* Whether the descriptor is readable within this time. */
bool readable_within(int descriptor, int ms);
/* Begins a get whose completion appears in the queue, which must be PENDING. */
tokenwell_operation *begin_queued_get(const tokenwell_client *client, uint32_t flags, const tokenwell_queue *queue, uint64_t tag);
/* Waits for an entry, takes it and checks its tag. Returns its operation, or NULL for a change. */
tokenwell_operation *take_one(const tokenwell_queue *queue, uint64_t tag);
void check_empty_at(const tokenwell_queue *queue, const char *file, int line);
#define check_empty(queue) check_empty_at((queue), __FILE__, __LINE__)
/* Checks that `counter` reaches `wanted` within a minute. */
void wait_for_count(const atomic_uint *counter, unsigned wanted);

#endif
