/* Cancels operations. */
#define _GNU_SOURCE
#include "operations.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void a_canceled_operation_has_no_callback(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    seen data = {0};
    emulator_faults(HANGING);
    tokenwell_operation *operation = begin_get(client, 0, 0, &data), *queued = begin_queued_get(client, 0, queue, 1);

    CHECK_INT(1, tokenwell_operation_cancel(operation));
    CHECK_INT(1, tokenwell_operation_cancel(queued));

    check_seen(0, 0, &data);
    for (int i = 0; i < 2; i++) {
        CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
        CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(queued, 60000, NULL, &error), &error);
        /* The callback never comes: canceling again says the same. */
        CHECK_INT(1, tokenwell_operation_cancel(operation));
        CHECK_INT(1, tokenwell_operation_cancel(queued));
    }
    check_empty(queue);
    CHECK_UINT(1, atomic_load(&data.destroyed));
    tokenwell_operation_free(operation), tokenwell_operation_free(queued);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void an_end_that_waits_in_a_queue_can_be_canceled_again_and_again(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_operation *queued = begin_queued_get(client, 0, queue, 1);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(queued, 60000, NULL, NULL));

    for (int i = 0; i < 3; i++) CHECK_INT(1, tokenwell_operation_cancel(queued));

    uint64_t tag = 0;
    tokenwell_operation *taken = NULL;
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_queue_take(queue, &tag, &taken, NULL));
    CHECK_INT(1, tokenwell_operation_cancel(queued));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(queued, 0, NULL, NULL));
    tokenwell_operation_free(queued);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void cancel_inside(seen *self, tokenwell_operation *operation)
{
    (void)self;
    for (int i = 0; i < 3; i++) CHECK_INT(0, tokenwell_operation_cancel(operation));
}

static void cancel_in_the_callback_and_after_the_end_returns_0(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    seen data = {.inside = cancel_inside};
    emulator_faults(SLOW(300));
    tokenwell_operation *operation = begin_get(client, 0, 0, &data), *queued = begin_queued_get(client, 0, queue, 1);

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    CHECK_INT(0, tokenwell_operation_cancel(operation));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(operation, 0, NULL, NULL));
    tokenwell_operation *taken = take_one(queue, 1);
    CHECK_INT(0, tokenwell_operation_cancel(taken));
    CHECK_INT(0, tokenwell_operation_cancel(queued));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(queued, 0, NULL, NULL));

    tokenwell_operation_free(operation), tokenwell_operation_free(queued), tokenwell_operation_free(taken);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

enum { RACERS = 64 };
typedef struct { tokenwell_operation **operations; int *canceled; unsigned pause_us, first, step; } canceler;

static void *cancel_some(void *data)
{
    canceler *self = data;
    struct timespec pause = {.tv_nsec = (long)self->pause_us * 1000};
    nanosleep(&pause, NULL);
    for (unsigned i = self->first; i < RACERS; i += self->step) self->canceled[i] = tokenwell_operation_cancel(self->operations[i]);
    return NULL;
}

/*
 * Each round begins many gets, which one refresh completes, and cancels them from two threads at
 * about the moment when they are completed. The pause adapts, so that both outcomes are frequent.
 */
static void a_cancel_that_races_with_the_completion_has_one_outcome(void)
{
    unsigned rounds = getenv("UNDER_VALGRIND") ? 5 : 150, both = 0, pause_us = 2000, canceled_in_all = 0;
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    emulator_settings("{\"token_cap\":1000000}");
    for (unsigned round = 0; round < rounds; round++) {
        static seen data[RACERS];
        tokenwell_operation *operations[RACERS];
        int canceled[RACERS] = {0};
        bool pending[RACERS];
        unsigned won = 0, in_queue = 0;
        memset(data, 0, sizeof data);
        for (unsigned i = 0; i < RACERS; i++) {
            operations[i] = begin_forced_get(client, i % 2 ? queue : NULL, i, &data[i], &pending[i]);
        }
        canceler odd = {operations, canceled, pause_us, 1, 2}, even = {operations, canceled, pause_us, 0, 2};
        pthread_t thread;
        if (pthread_create(&thread, NULL, cancel_some, &odd) != 0) abort();
        cancel_some(&even);
        pthread_join(thread, NULL);

        bool taken[RACERS] = {0};
        for (unsigned i = 1; i < RACERS; i += 2) in_queue += pending[i] && !canceled[i];
        for (uint64_t since = now_ms(); in_queue > 0 && now_ms() - since < 60000;) {
            uint64_t tag = RACERS;
            tokenwell_operation *each = NULL;
            CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_wait(queue, 60000, NULL));
            /* The entry of an operation that was canceled may wake the queue, but is not taken. */
            if (tokenwell_queue_take(queue, &tag, &each, NULL) != TOKENWELL_STATUS_OK) continue;
            in_queue--;
            if (CHECK(tag < RACERS)) {
                CHECK(!taken[tag]);
                taken[tag] = true;
            }
            tokenwell_operation_free(each);
        }
        CHECK_UINT(0, in_queue);
        tokenwell_operation *more = NULL;
        CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_queue_take(queue, NULL, &more, NULL));
        for (unsigned i = 0; i < RACERS; i++) {
            won += canceled[i] == 1;
            if (!pending[i]) continue;
            if (i % 2) CHECK(taken[i] == (canceled[i] == 0));
            else check_seen(canceled[i] == 0, TOKENWELL_STATUS_OK, &data[i]);
            /* A result that was known before the cancel stays, but it is not announced. */
            tokenwell_status status = tokenwell_operation_wait(operations[i], 60000, NULL, NULL);
            CHECK(status == TOKENWELL_STATUS_OK || (canceled[i] && status == TOKENWELL_STATUS_CLOSED));
            tokenwell_operation_free(operations[i]);
        }
        check_empty(queue);
        both += won > 0 && won < RACERS;
        canceled_in_all += won;
        if (won > RACERS / 2) pause_us += pause_us / 8 + 50;
        else if (pause_us > 100) pause_us -= pause_us / 8;
    }
    printf("  %u rounds, %u with both outcomes, %u of %u canceled\n", rounds, both, canceled_in_all, rounds * RACERS);
    CHECK_OK(tokenwell_client_drain(client, 60000, NULL), NULL);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

const test operation_cancel_tests[] = {
    TEST(a_canceled_operation_has_no_callback),
    TEST(an_end_that_waits_in_a_queue_can_be_canceled_again_and_again),
    TEST(cancel_in_the_callback_and_after_the_end_returns_0),
    TEST(a_cancel_that_races_with_the_completion_has_one_outcome),
    END_OF_TESTS,
};
