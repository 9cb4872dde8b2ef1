/* Closes, frees, clones and drains clients while operations are pending. */
#define _GNU_SOURCE
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void close_ends_all_pending_operations(void)
{
    enum { OPERATIONS = 20 };
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    seen data[OPERATIONS] = {{0}};
    tokenwell_operation *operations[OPERATIONS], *queued[OPERATIONS];
    emulator_faults(HANGING);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        operations[i] = begin_get(client, 0, 0, &data[i]);
        queued[i] = begin_queued_get(client, 0, queue, i);
    }
    CHECK(emulator_wait_for("token_requests", 1));

    uint64_t started = now_ms();
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        check_seen(1, TOKENWELL_STATUS_CLOSED, &data[i]);
        CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(operations[i], 60000, NULL, &error), &error);
    }
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t tag;
        tokenwell_operation *taken = NULL;
        CHECK_OK(tokenwell_queue_wait(queue, 60000, &error), &error);
        CHECK_OK(tokenwell_queue_take(queue, &tag, &taken, &error), &error);
        CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(taken, 0, NULL, &error), &error);
        tokenwell_operation_free(taken);
    }
    check_empty(queue);
    CHECK(now_ms() - started < 30000);

    /* Nothing can be begun any more. */
    tokenwell_token *now = NULL;
    tokenwell_operation *none = NULL;
    seen later = {0};
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token_async(client, 0, 0, 0, on_end, &later, on_destroy, &now, &none, &error),
                &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token_queued(client, 0, 0, 0, queue, 1, &now, &none, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token_async(client, 0, 0, TOKENWELL_CACHED_ONLY, on_end, &later, on_destroy,
                                                                      &now, &none, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_invalidate_async(client, "x", 1, 0, on_end, &later, on_destroy, &none, &error),
                &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_revoke_async(client, 0, on_end, &later, on_destroy, &none, &error), &error);
    CHECK_UINT(0, atomic_load(&later.called) + atomic_load(&later.destroyed));
    CHECK(now == NULL && none == NULL);
    for (unsigned i = 0; i < OPERATIONS; i++) tokenwell_operation_free(operations[i]), tokenwell_operation_free(queued[i]);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void freeing_the_client_ends_its_operations(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    seen owned = {0}, unowned = {0};
    emulator_faults(HANGING);
    tokenwell_operation *operation = begin_get(client, 0, 0, &owned);
    begin_unowned_get(client, 0, 0, &unowned);

    tokenwell_client_free(client);

    check_seen(1, TOKENWELL_STATUS_CLOSED, &owned);
    check_seen(1, TOKENWELL_STATUS_CLOSED, &unowned);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
    CHECK_INT(0, tokenwell_operation_cancel(operation));
    tokenwell_operation_free(operation);
}

static void freeing_an_operation_does_not_cancel_it(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    seen data = {0};
    emulator_faults(SLOW(50));

    tokenwell_operation_free(begin_get(client, 0, 0, &data));

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    tokenwell_client_free(client);
}

static void a_clone_keeps_the_client_open(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK), *clone = NULL, *third = NULL;
    tokenwell_error *error = NULL;
    tokenwell_token *token = NULL;
    seen data = {0};
    emulator_faults(SLOW(200));
    CHECK_OK(tokenwell_client_clone(client, &clone, &error), &error);
    CHECK_OK(tokenwell_client_clone(clone, &third, &error), &error);

    /* The pending operation of a freed reference ends as usual. */
    tokenwell_operation *operation = begin_get(client, 0, 0, &data);
    tokenwell_client_free(client);
    CHECK_OK(tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
    check_seen(1, TOKENWELL_STATUS_OK, &data);
    tokenwell_token_free(get(clone));
    CHECK_UINT(1, emulator_counter("token_requests"));
    CHECK_UINT(1, stats_of(third).mints);

    /* Closing one closes all. */
    CHECK_OK(tokenwell_client_close(clone, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token(third, 0, 0, 0, &token, &error), &error);
    tokenwell_client_free(clone);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token(third, 0, 0, 0, &token, &error), &error);
    tokenwell_client_free(third);
    tokenwell_operation_free(operation);
}

static void the_last_reference_closes_whatever_the_order(void)
{
    for (int order = 0; order < 2; order++) {
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK), *clone = NULL;
        tokenwell_error *error = NULL;
        seen data = {0};
        emulator_faults(HANGING);
        CHECK_OK(tokenwell_client_clone(client, &clone, &error), &error);
        tokenwell_operation *operation = begin_get(client, 0, 0, &data);

        tokenwell_client_free(order ? client : clone);
        CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_operation_wait(operation, 50, NULL, NULL));
        tokenwell_client_free(order ? clone : client);

        check_seen(1, TOKENWELL_STATUS_CLOSED, &data);
        tokenwell_operation_free(operation);
        emulator_reset();
    }
}

static void a_token_clone_is_a_reference_of_its_own(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = get(client), *clone = tokenwell_token_clone(token);
    char *value = strdup(tokenwell_token_value(token, NULL));

    tokenwell_token_free(token);
    tokenwell_client_free(client);

    CHECK_TEXT(value, tokenwell_token_value(clone, NULL));
    tokenwell_token_free(clone);
    free(value);
}

static void drain_waits_until_nothing_runs(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    seen data = {0}, canceled = {0};
    unsigned idle = threads_of_this_process();

    /* Nothing runs. */
    CHECK_OK(tokenwell_client_drain(client, 0, &error), &error);

    emulator_faults(SLOW(1000));
    tokenwell_operation *operation = begin_get(client, 0, 0, &data), *other = begin_get(client, 0, 0, &canceled);
    uint64_t started = now_ms();
    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_client_drain(client, 100, &error), &error);
    CHECK(now_ms() - started >= 100);
    tokenwell_operation_cancel(other);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    CHECK_UINT(1, atomic_load(&data.called));
    CHECK_UINT(1, atomic_load(&data.destroyed));
    CHECK_UINT(0, atomic_load(&canceled.called));
    CHECK_UINT(1, atomic_load(&canceled.destroyed));
    CHECK_UINT(1, emulator_counter("tokens_minted"));

    /* The client works as before, and is drained again after a close. */
    seen closed = {0};
    emulator_faults(SLOW(300));
    begin_unowned_get(client, 0, TOKENWELL_FORCE_REFRESH, &closed);
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    CHECK_UINT(1, atomic_load(&closed.called));
    CHECK_UINT(1, atomic_load(&closed.destroyed));
    CHECK_INT(TOKENWELL_STATUS_CLOSED, atomic_load(&closed.status));
    for (uint64_t since = now_ms(); threads_of_this_process() > idle && now_ms() - since < 10000;) pause_ms(1);
    CHECK_UINT(idle, threads_of_this_process());
    tokenwell_operation_free(operation), tokenwell_operation_free(other);
    tokenwell_client_free(client);
}

/* Close and free come at a random moment of many gets: before, during and after their completion. */
static void close_and_free_may_come_at_any_moment(void)
{
    enum { GETS = 8 };
    unsigned rounds = getenv("UNDER_VALGRIND") ? 5 : 100, closed = 0, finished = 0;
    emulator_settings("{\"token_cap\":1000000}");
    for (unsigned round = 0; round < rounds; round++) {
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
        tokenwell_queue *queue = new_queue();
        seen data[GETS] = {{0}};
        bool pending[GETS], queued;
        for (unsigned i = 0; i < GETS; i++) {
            tokenwell_operation_free(begin_forced_get(client, NULL, 0, &data[i], &pending[i]));
            tokenwell_operation_free(begin_forced_get(client, queue, i, NULL, &queued));
        }
        struct timespec pause = {.tv_nsec = (long)(round * 7919 % 12000) * 1000};
        nanosleep(&pause, NULL);
        if (round % 3 == 0) tokenwell_client_close(client, NULL);
        if (round % 2) tokenwell_queue_free(queue);
        tokenwell_client_free(client);
        for (unsigned i = 0; i < GETS; i++) {
            if (!pending[i]) continue;
            wait_for_destroy(&data[i]);
            tokenwell_status status = atomic_load(&data[i].status);
            CHECK_UINT(1, atomic_load(&data[i].called));
            CHECK_UINT(0, atomic_load(&data[i].out_of_order));
            CHECK(status == TOKENWELL_STATUS_OK || status == TOKENWELL_STATUS_CLOSED);
            if (status == TOKENWELL_STATUS_OK) finished++; else closed++;
        }
        if (round % 2 == 0) tokenwell_queue_free(queue);
    }
    printf("  %u gets returned a token, %u CLOSED\n", finished, closed);
}

const test operation_close_tests[] = {
    TEST(close_ends_all_pending_operations),
    TEST(freeing_the_client_ends_its_operations),
    TEST(freeing_an_operation_does_not_cancel_it),
    TEST(a_clone_keeps_the_client_open),
    TEST(the_last_reference_closes_whatever_the_order),
    TEST(a_token_clone_is_a_reference_of_its_own),
    TEST(drain_waits_until_nothing_runs),
    TEST(close_and_free_may_come_at_any_moment),
    END_OF_TESTS,
};
