/*
 * As concurrent.c, for operations and queues: threads begin them, wait for them, cancel them inside
 * and outside callbacks and release them at any moment, while the client is closed, cloned, drained
 * and freed, the queue is closed, and the process forks.
 *
 * The user data of each callback is one allocation that only `destroy` frees. So a callback that
 * comes too late or twice is an access to freed memory, and a `destroy` that never comes is a leak.
 */
#define _GNU_SOURCE
#include "concurrent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BEGINNERS = 4, TAKERS = 2, STEPS = 30, ENOUGH_MS = 60000 };

/* What must agree at the end of a round. */
typedef struct {
    const tokenwell_client *client;
    tokenwell_queue *queue;
    unsigned round;
    atomic_uint begun, called, canceled, destroyed; /* operations with a callback */
    atomic_uint queued, taken, changes;             /* operations with a queue */
    atomic_bool stop;
} crowd;

typedef struct {
    crowd *all;
    unsigned turn, called;
} user_data;

typedef struct {
    crowd *all;
    unsigned number;
} member;

/* ---- callbacks ---- */

static void read_the_end(const tokenwell_operation *operation)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_operation_wait(operation, 0, &token, &error);
    CHECK(status != TOKENWELL_STATUS_PENDING);
    CHECK((status == TOKENWELL_STATUS_OK) == (error == NULL));
    if (error) CHECK(strlen(tokenwell_error_message(error, NULL)) > 0);
    if (token) CHECK(strlen(tokenwell_token_value(token, NULL)) > 0);
    tokenwell_token_free(token);
    tokenwell_error_free(error);
}

static void on_end(void *pointer, tokenwell_operation *operation)
{
    user_data *data = pointer;
    CHECK_UINT(1, ++data->called);
    atomic_fetch_add(&data->all->called, 1);
    switch (data->turn % 4) {
    case 0: CHECK_INT(0, tokenwell_operation_cancel(operation)); break;
    case 1: read_the_end(operation); break;
    case 2: {
        /* A call that would block fails, and one that does not may be made. */
        tokenwell_token *token = NULL;
        tokenwell_status status = tokenwell_client_token(data->all->client, 0, 0, TOKENWELL_CACHED_ONLY, &token, NULL);
        CHECK((status == TOKENWELL_STATUS_OK) == (token != NULL));
        tokenwell_token_free(token);
        break;
    }
    default: break;
    }
}

static void on_destroy(void *pointer)
{
    user_data *data = pointer;
    crowd *all = data->all;
    free(data);
    atomic_fetch_add(&all->destroyed, 1);
}

/* ---- threads that begin operations ---- */

static void *wait_a_while(void *operation)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_operation_wait(operation, 30, &token, &error);
    tokenwell_token_free(token);
    tokenwell_error_free(error);
    return NULL;
}

/* Waits, cancels and releases in some order. Returns whether a cancel prevented the end. */
static bool use(tokenwell_operation *operation, dice *own)
{
    bool canceled = false;
    pthread_t other;
    bool two = roll(own, 3) == 0;
    if (two) start_thread(&other, wait_a_while, operation);
    switch (roll(own, 4)) {
    case 0: wait_a_while(operation); break;
    case 1: canceled = tokenwell_operation_cancel(operation) == 1; break;
    case 2:
        wait_a_while(operation);
        canceled = tokenwell_operation_cancel(operation) == 1;
        if (canceled) read_the_end(operation);
        break;
    default: break;
    }
    if (two) pthread_join(other, NULL);
    tokenwell_operation_free(operation);
    return canceled;
}

static uint32_t random_flags(dice *own)
{
    return (roll(own, 3) ? TOKENWELL_FORCE_REFRESH : 0u) | (roll(own, 2) ? TOKENWELL_WAIT_FOR_SAVE : 0u);
}

static tokenwell_status begin(crowd *all, const tokenwell_client *client, dice *own, tokenwell_token **now, tokenwell_operation **operation)
{
    uint32_t flags = random_flags(own);
    uint64_t deadline_ms = roll(own, 3) ? 0 : 1 + roll(own, 20);
    unsigned what = roll(own, 8);
    tokenwell_error *error = NULL;
    user_data *data = calloc(1, sizeof *data);
    if (!data) abort();
    *data = (user_data){.all = all, .turn = roll(own, 100)};
    tokenwell_status status =
        what == 0 ? tokenwell_client_invalidate_async(client, "unknown", 7, deadline_ms, on_end, data, on_destroy, operation, &error)
        : what == 1 ? tokenwell_client_revoke_async(client, deadline_ms, on_end, data, on_destroy, operation, &error)
                    : tokenwell_client_token_async(client, 0, deadline_ms, flags, on_end, data, on_destroy, now, operation, &error);
    if (status == TOKENWELL_STATUS_PENDING) atomic_fetch_add(&all->begun, 1); else free(data);
    CHECK((error != NULL) == (status != TOKENWELL_STATUS_PENDING && status != TOKENWELL_STATUS_OK));
    tokenwell_error_free(error);
    return status;
}

static tokenwell_status begin_queued(crowd *all, const tokenwell_client *client, dice *own, tokenwell_token **now,
                                     tokenwell_operation **operation)
{
    tokenwell_error *error = NULL;
    /* Counted before: another thread may take the entry before this call returns. */
    unsigned tag = 1 + atomic_fetch_add(&all->queued, 1);
    uint32_t flags = random_flags(own);
    tokenwell_status status = roll(own, 5) ? tokenwell_client_token_queued(client, 0, 0, flags, all->queue, tag, now, operation, &error)
                                           : tokenwell_client_invalidate_queued(client, "unknown", 7, 0, all->queue, tag, operation, &error);
    if (status != TOKENWELL_STATUS_PENDING) atomic_fetch_sub(&all->queued, 1);
    tokenwell_error_free(error);
    return status;
}

/* Without a callback and without a queue: the threads that wait continue it. */
static tokenwell_status begin_waited(crowd *all, const tokenwell_client *client, dice *own, tokenwell_token **now,
                                     tokenwell_operation **operation)
{
    (void)all;
    uint32_t flags = random_flags(own);
    uint64_t deadline_ms = roll(own, 3) ? 0 : 1 + roll(own, 20);
    switch (roll(own, 8)) {
    case 0: return tokenwell_client_invalidate_async(client, "unknown", 7, deadline_ms, NULL, NULL, NULL, operation, NULL);
    case 1: return tokenwell_client_revoke_async(client, deadline_ms, NULL, NULL, NULL, operation, NULL);
    default: return tokenwell_client_token_async(client, 0, deadline_ms, flags, NULL, NULL, NULL, now, operation, NULL);
    }
}

static void *begin_operations(void *pointer)
{
    member *self = pointer;
    crowd *all = self->all;
    tokenwell_client *own_reference = NULL;
    dice own;
    seed_dice(&own, all->round, 10 + self->number);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_clone(all->client, &own_reference, NULL));
    for (int i = 0; i < STEPS; i++) {
        tokenwell_token *now = NULL;
        tokenwell_operation *operation = NULL;
        unsigned way = roll(&own, 3);
        if (roll(&own, 6) == 0) change_the_mood_of_the_server(&own);
        if (roll(&own, 10) == 0) tokenwell_client_watch(own_reference, all->queue, 0, NULL);
        if (roll(&own, 10) == 0) tokenwell_client_unwatch(own_reference, all->queue, NULL);
        tokenwell_status status = (way == 0 ? begin : way == 1 ? begin_queued : begin_waited)(all, own_reference, &own, &now, &operation);
        CHECK((operation != NULL) == (status == TOKENWELL_STATUS_PENDING));
        if (operation && use(operation, &own)) {
            if (way == 0) atomic_fetch_add(&all->canceled, 1);
            if (way == 1) atomic_fetch_sub(&all->queued, 1);
        }
        tokenwell_token_free(now);
    }
    tokenwell_client_free(own_reference);
    return NULL;
}

/* ---- threads that take from the queue ---- */

static void *take_entries(void *pointer)
{
    member *self = pointer;
    crowd *all = self->all;
    while (tokenwell_queue_wait(all->queue, ENOUGH_MS, NULL) != TOKENWELL_STATUS_CLOSED) {
        uint64_t tag = 0;
        tokenwell_operation *operation = NULL;
        tokenwell_status status = tokenwell_queue_take(all->queue, &tag, &operation, NULL);
        if (status != TOKENWELL_STATUS_OK) continue; /* the other thread was faster */
        if (!operation) {
            atomic_fetch_add(&all->changes, 1);
            continue;
        }
        CHECK(tag > 0);
        read_the_end(operation);
        tokenwell_operation_free(operation);
        atomic_fetch_add(&all->taken, 1);
    }
    return NULL;
}

/* ---- one round ---- */

static bool comes_to(const atomic_uint *counter, unsigned wanted)
{
    for (uint64_t started = now_ms(); now_ms() - started < ENOUGH_MS; pause_ms(1)) {
        if (atomic_load(counter) == wanted) return true;
    }
    return CHECK_UINT(wanted, atomic_load(counter));
}

static int use_in_the_child(tokenwell_client *client, tokenwell_queue *queue, tokenwell_operation *operation)
{
    tokenwell_token *token = NULL;
    tokenwell_operation *taken = NULL;
    uint64_t tag = 0;
    int32_t descriptor = -1;
    if (operation && tokenwell_operation_wait(operation, ENOUGH_MS, &token, NULL) != TOKENWELL_STATUS_CLOSED) return 1;
    tokenwell_operation_free(operation);
    if (tokenwell_queue_take(queue, &tag, &taken, NULL) != TOKENWELL_STATUS_PENDING || taken) return 2;
    if (tokenwell_queue_descriptor(queue, &descriptor, NULL) != TOKENWELL_STATUS_OK) return 3;
    tokenwell_status status = tokenwell_client_token(client, 0, 0, 0, &token, NULL);
    if ((status == TOKENWELL_STATUS_OK) != (token != NULL)) return 4;
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_queue_free(queue);
    return 0;
}

static void fork_once(crowd *all, tokenwell_client *client)
{
    tokenwell_token *now = NULL;
    tokenwell_operation *operation = NULL;
    tokenwell_client_token_async(client, 0, 0, TOKENWELL_FORCE_REFRESH, NULL, NULL, NULL, &now, &operation, NULL);
    pid_t child = fork();
    if (child == 0) _exit(use_in_the_child(client, all->queue, operation));
    CHECK_INT(0, code_of_child(child));
    tokenwell_token_free(now);
    tokenwell_operation_free(operation);
}

static void one_round(unsigned round, bool forks)
{
    pthread_t beginners[BEGINNERS], takers[TAKERS];
    member members[BEGINNERS + TAKERS];
    char directory[64];
    tokenwell_error *error = NULL;
    make_directory(directory, sizeof directory);
    emulator_reset();
    tokenwell_client *client = concurrent_client(round % 2 ? directory : NULL);
    crowd all = {.client = client, .round = round};
    CHECK_OK(tokenwell_queue_new(&all.queue, &error), &error);
    for (unsigned i = 0; i < BEGINNERS + TAKERS; i++) members[i] = (member){.all = &all, .number = i};
    for (unsigned i = 0; i < TAKERS; i++) start_thread(&takers[i], take_entries, &members[BEGINNERS + i]);
    for (unsigned i = 0; i < BEGINNERS; i++) start_thread(&beginners[i], begin_operations, &members[i]);

    if (forks) fork_once(&all, client);
    if (round % 3 == 1) CHECK_OK(tokenwell_client_close(client, &error), &error);
    for (unsigned i = 0; i < BEGINNERS; i++) pthread_join(beginners[i], NULL);

    /* Pending operations end with a status of their own, or with CLOSED. */
    if (round % 3 == 2) CHECK_OK(tokenwell_client_close(client, &error), &error);
    CHECK_OK(tokenwell_client_drain(client, ENOUGH_MS, &error), &error);
    CHECK_UINT(atomic_load(&all.begun), atomic_load(&all.destroyed));
    CHECK_UINT(atomic_load(&all.begun), atomic_load(&all.called) + atomic_load(&all.canceled));
    comes_to(&all.taken, atomic_load(&all.queued));
    CHECK_OK(tokenwell_queue_close(all.queue, &error), &error);
    for (unsigned i = 0; i < TAKERS; i++) pthread_join(takers[i], NULL);
    tokenwell_queue_free(all.queue);
    tokenwell_client_free(client);
    remove_directory(directory);
}

static void operations_may_be_used_by_all_threads_concurrently(void)
{
    for (unsigned round = 0; round < concurrent_rounds(); round++) one_round(round, false);
}

static void operations_may_be_used_by_all_threads_while_the_process_forks(void)
{
    for (unsigned round = 0; round < concurrent_rounds(); round++) one_round(round, true);
}

/* The client, the queue and the operations are released while everything is pending. */
static void everything_may_be_freed_while_operations_are_pending(void)
{
    enum { PENDING = 16 };
    for (unsigned round = 0; round < concurrent_rounds(); round++) {
        tokenwell_client *client = concurrent_client(NULL);
        crowd all = {.client = client, .round = round};
        emulator_reset();
        emulator_faults("[{\"path\":\"/api/oauth/token\",\"delay_ms\":30,\"then_serve\":true}]");
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_new(&all.queue, NULL));
        for (unsigned i = 0; i < PENDING; i++) {
            tokenwell_token *now = NULL;
            tokenwell_operation *operation = NULL;
            user_data *data = calloc(1, sizeof *data);
            if (!data) abort();
            *data = (user_data){.all = &all, .turn = 3};
            tokenwell_operation **out = i % 2 ? &operation : NULL;
            tokenwell_status status = tokenwell_client_token_async(client, 0, 0, 0, on_end, data, on_destroy, &now, out, NULL);
            if (CHECK_INT(TOKENWELL_STATUS_PENDING, status)) atomic_fetch_add(&all.begun, 1); else free(data);
            tokenwell_operation_free(operation);
            CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_token_queued(client, 0, 0, 0, all.queue, i, &now, NULL, NULL));
        }
        tokenwell_client_watch(client, all.queue, 99, NULL);
        if (round % 2) pause_ms(30);
        tokenwell_queue_free(all.queue);
        tokenwell_client_free(client);
        comes_to(&all.destroyed, atomic_load(&all.begun));
        CHECK_UINT(atomic_load(&all.begun), atomic_load(&all.called));
        /* The refresh that nobody waits for any more. */
        for (uint64_t started = now_ms(); threads_of_the_library() > 0 && now_ms() - started < 60000;) pause_ms(2);
    }
}

#define FORKS "valgrind would follow the children and report memory that they do not free on purpose"

const test concurrent_operation_tests[] = {
    TEST(operations_may_be_used_by_all_threads_concurrently),
    TEST(everything_may_be_freed_while_operations_are_pending),
    NATIVE_TEST(operations_may_be_used_by_all_threads_while_the_process_forks, FORKS),
    END_OF_TESTS,
};
