/* Completion queues, and the changes of the token as their entries. */
#define _GNU_SOURCE
#include "operations.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- the queue ---- */

typedef struct { pthread_t thread; const tokenwell_queue *queue; atomic_uint *inside; tokenwell_status status; } queue_waiter;

static void *wait_for_entry(void *data)
{
    queue_waiter *self = data;
    atomic_fetch_add(self->inside, 1);
    self->status = tokenwell_queue_wait(self->queue, 60000, NULL);
    return NULL;
}

static void closing_a_queue_wakes_all_its_waits(void)
{
    enum { WAITERS = 4 };
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    tokenwell_operation *operation = NULL;
    queue_waiter waiters[WAITERS];
    atomic_uint inside = 0;
    uint64_t tag;
    emulator_faults(SLOW(500));
    tokenwell_operation *pending = begin_queued_get(client, 0, queue, 1);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (queue_waiter){.queue = queue, .inside = &inside};
        if (pthread_create(&waiters[i].thread, NULL, wait_for_entry, &waiters[i]) != 0) abort();
    }
    wait_for_count(&inside, WAITERS);

    CHECK_OK(tokenwell_queue_close(queue, &error), &error);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
        CHECK_INT(TOKENWELL_STATUS_CLOSED, waiters[i].status);
    }
    CHECK_OK(tokenwell_queue_close(queue, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_queue_take(queue, &tag, &operation, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_queue_wait(queue, 60000, &error), &error);

    /* The operation itself is not affected. */
    CHECK_OK(tokenwell_operation_wait(pending, 60000, NULL, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_queue_take(queue, &tag, &operation, &error), &error);
    CHECK(operation == NULL);
    tokenwell_operation_free(pending);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void a_queue_wait_ends_after_its_time(void)
{
    tokenwell_queue *queue = new_queue();
    uint64_t started = now_ms();

    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_queue_wait(queue, 100, NULL));

    CHECK(now_ms() - started >= 100);
    check_empty(queue);
    tokenwell_queue_free(queue);
}

static void the_descriptor_is_readable_while_there_are_entries(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK), *another = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    int32_t descriptor = descriptor_of(queue);
    CHECK(!readable_within(descriptor, 0));

    tokenwell_operation *first = begin_queued_get(client, 0, queue, 1), *second = begin_queued_get(another, 0, queue, 2);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(first, 60000, NULL, NULL));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(second, 60000, NULL, NULL));
    for (int left = 2; left > 0; left--) {
        uint64_t tag;
        tokenwell_operation *taken = NULL;
        CHECK(readable_within(descriptor, 60000));
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_wait(queue, 60000, NULL));
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_take(queue, &tag, &taken, NULL));
        tokenwell_operation_free(taken);
    }
    check_empty(queue);
    CHECK_INT(descriptor, descriptor_of(queue));

    /* It is readable after the close too, so that a loop that watches it learns of the close. */
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_close(queue, NULL));
    CHECK(readable_within(descriptor, 1000));
    tokenwell_operation_free(first), tokenwell_operation_free(second);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
    tokenwell_client_free(another);
}

static void a_queue_may_be_freed_before_its_operations_end(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    emulator_faults(SLOW(200));
    tokenwell_operation *operation = begin_queued_get(client, 0, queue, 1);
    CHECK_OK(tokenwell_client_watch(client, queue, 2, &error), &error);

    tokenwell_queue_free(queue);

    CHECK_OK(tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

/* ---- changes ---- */

static void check_change(const tokenwell_queue *queue, uint64_t tag)
{
    CHECK(take_one(queue, tag) == NULL);
    check_empty(queue);
}

static void each_change_of_the_token_is_one_entry(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_client_watch(client, queue, 42, &error), &error);
    check_empty(queue);

    /* A refresh. */
    tokenwell_token_free(get(client));
    check_change(queue, 42);
    tokenwell_token_free(get(client));
    check_empty(queue);

    /* Several changes that nobody has read are one entry. */
    for (int i = 0; i < 3; i++) {
        tokenwell_token *token = NULL;
        CHECK_OK(tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &token, &error), &error);
        tokenwell_token_free(token);
    }
    CHECK(readable_within(descriptor_of(queue), 0));
    check_change(queue, 42);

    /* An invalidation; the second one changes nothing. */
    char *value = get_value(client);
    CHECK_OK(tokenwell_client_invalidate(client, value, strlen(value), &error), &error);
    check_change(queue, 42);
    CHECK_OK(tokenwell_client_invalidate(client, value, strlen(value), &error), &error);
    check_empty(queue);

    /* A revocation. */
    tokenwell_token_free(get(client));
    check_change(queue, 42);
    CHECK_OK(tokenwell_client_revoke(client, 0, &error), &error);
    check_change(queue, 42);

    /* A close. */
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    check_change(queue, 42);
    free(value);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void two_queues_may_watch_and_unwatch_one_client(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *one = new_queue(), *two = new_queue();
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_client_watch(client, one, 1, &error), &error);
    CHECK_OK(tokenwell_client_watch(client, two, 2, &error), &error);

    tokenwell_token_free(get(client));
    check_change(one, 1);
    check_change(two, 2);

    CHECK_OK(tokenwell_client_unwatch(client, one, &error), &error);
    CHECK_OK(tokenwell_client_unwatch(client, one, &error), &error);
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    check_empty(one);
    check_change(two, 2);

    tokenwell_queue_free(one);
    tokenwell_queue_free(two);
    tokenwell_client_free(client);
}

const test operation_queue_tests[] = {
    TEST(closing_a_queue_wakes_all_its_waits),
    TEST(a_queue_wait_ends_after_its_time),
    TEST(the_descriptor_is_readable_while_there_are_entries),
    TEST(a_queue_may_be_freed_before_its_operations_end),
    TEST(each_change_of_the_token_is_one_entry),
    TEST(two_queues_may_watch_and_unwatch_one_client),
    END_OF_TESTS,
};
