/* The asynchronous functions: arguments, callbacks, cancel, close, drain, and the cache alone. */
#define _GNU_SOURCE
#include "operations.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INVALID TOKENWELL_STATUS_INVALID_ARGUMENT

/* ---- what the tests share ---- */

void on_end(void *user_data, tokenwell_operation *operation)
{
    seen *data = user_data;
    tokenwell_token *token = NULL;
    if (atomic_fetch_add(&data->called, 1) > 0 || atomic_load(&data->destroyed) > 0) atomic_fetch_add(&data->out_of_order, 1);
    atomic_store(&data->running, true);
    atomic_store(&data->status, tokenwell_operation_wait(operation, 0, &token, NULL));
    atomic_store(&data->got_token, token != NULL);
    tokenwell_token_free(token);
    if (data->inside) data->inside(data, operation);
    atomic_store(&data->running, false);
}

void on_destroy(void *user_data)
{
    seen *data = user_data;
    if (atomic_load(&data->running) || atomic_load(&data->destroyed) > 0) atomic_fetch_add(&data->out_of_order, 1);
    atomic_fetch_add(&data->destroyed, 1);
}

tokenwell_operation *begin_get(const tokenwell_client *client, uint64_t deadline_ms, uint32_t flags, seen *data)
{
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_token_async(client, 0, deadline_ms, flags, on_end, data, on_destroy, &now, &operation,
                                                           &error);
    if (!CHECK_INT(TOKENWELL_STATUS_PENDING, status) && error) printf("  %s\n", tokenwell_error_message(error, NULL));
    CHECK(error == NULL && now == NULL && operation != NULL);
    tokenwell_error_free(error);
    tokenwell_token_free(now);
    return operation;
}

void begin_unowned_get(const tokenwell_client *client, uint64_t deadline_ms, uint32_t flags, seen *data)
{
    tokenwell_token *now = NULL;
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_token_async(client, 0, deadline_ms, flags, on_end, data, on_destroy, &now, NULL,
                                                                     NULL));
    tokenwell_token_free(now);
}

tokenwell_operation *begin_forced_get(const tokenwell_client *client, const tokenwell_queue *queue, uint64_t tag, seen *data, bool *pending)
{
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_status status = queue ? tokenwell_client_token_queued(client, 0, 0, TOKENWELL_FORCE_REFRESH, queue, tag, &now, &operation,
                                                                    NULL)
                                    : tokenwell_client_token_async(client, 0, 0, TOKENWELL_FORCE_REFRESH, on_end, data, on_destroy, &now,
                                                                   &operation, NULL);
    *pending = status == TOKENWELL_STATUS_PENDING;
    CHECK(*pending || status == TOKENWELL_STATUS_OK);
    CHECK(*pending == (operation != NULL) && *pending == (now == NULL));
    tokenwell_token_free(now);
    return operation;
}

bool wait_for_destroy(const seen *data)
{
    for (uint64_t started = now_ms(); now_ms() - started < 60000; pause_ms(1)) {
        if (atomic_load(&data->destroyed) > 0) return true;
    }
    return CHECK(!"destroy was called within a minute");
}

void check_seen(unsigned called, tokenwell_status status, const seen *data)
{
    wait_for_destroy(data);
    CHECK_UINT(called, atomic_load(&data->called));
    CHECK_UINT(1, atomic_load(&data->destroyed));
    CHECK_UINT(0, atomic_load(&data->out_of_order));
    if (called) CHECK_INT(status, atomic_load(&data->status));
    if (called) CHECK(atomic_load(&data->got_token) == (status == TOKENWELL_STATUS_OK));
}

tokenwell_queue *new_queue(void)
{
    tokenwell_queue *queue = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_queue_new(&queue, &error), &error);
    return queue;
}

int32_t descriptor_of(const tokenwell_queue *queue)
{
    int32_t descriptor = -1;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_queue_descriptor(queue, &descriptor, &error), &error);
    CHECK(descriptor >= 0);
    return descriptor;
}

bool readable_within(int descriptor, int ms)
{
    struct pollfd watched = {.fd = descriptor, .events = POLLIN};
    return poll(&watched, 1, ms) == 1 && (watched.revents & POLLIN);
}

tokenwell_operation *begin_queued_get(const tokenwell_client *client, uint32_t flags, const tokenwell_queue *queue, uint64_t tag)
{
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_token_queued(client, 0, 0, flags, queue, tag, &now, &operation, &error);
    if (!CHECK_INT(TOKENWELL_STATUS_PENDING, status) && error) printf("  %s\n", tokenwell_error_message(error, NULL));
    CHECK(error == NULL && now == NULL && operation != NULL);
    tokenwell_error_free(error);
    tokenwell_token_free(now);
    return operation;
}

tokenwell_operation *take_one(const tokenwell_queue *queue, uint64_t tag)
{
    uint64_t taken = ~tag;
    tokenwell_operation *operation = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_queue_wait(queue, 60000, &error), &error);
    CHECK_OK(tokenwell_queue_take(queue, &taken, &operation, &error), &error);
    CHECK_UINT(tag, taken);
    return operation;
}

void check_empty_at(const tokenwell_queue *queue, const char *file, int line)
{
    uint64_t tag = 7;
    tokenwell_operation *operation = NULL;
    int32_t descriptor = descriptor_of(queue);
    check_that(!readable_within(descriptor, 0), file, line, "the descriptor is not readable");
    check_int(TOKENWELL_STATUS_PENDING, tokenwell_queue_wait(queue, 0, NULL), file, line, "the status of a wait");
    check_int(TOKENWELL_STATUS_PENDING, tokenwell_queue_take(queue, &tag, &operation, NULL), file, line, "the status of a take");
    check_that(operation == NULL && tag == 7, file, line, "nothing was taken");
}

void wait_for_count(const atomic_uint *counter, unsigned wanted)
{
    for (uint64_t started = now_ms(); now_ms() - started < 60000; pause_ms(1)) {
        if (atomic_load(counter) >= wanted) break;
    }
    CHECK_UINT(wanted, atomic_load(counter));
}

/* ---- arguments ---- */

static void null_in_an_asynchronous_call_is_named(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK), *clone = NULL;
    tokenwell_queue *queue = new_queue();
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};
    uint64_t tag;
    int32_t descriptor;

    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_token_async(NULL, 0, 0, 0, on_end, &data, on_destroy, &now, &operation,
                                                                       &error), &error);
    CHECK_FAILS_NAMING(INVALID, "now", tokenwell_client_token_async(client, 0, 0, 0, on_end, &data, on_destroy, NULL, &operation, &error),
                       &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_invalidate_async(NULL, "x", 1, 0, on_end, &data, on_destroy, &operation,
                                                                            &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_client_invalidate_async(client, NULL, 1, 0, on_end, &data, on_destroy, &operation,
                                                                           &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_revoke_async(NULL, 0, on_end, &data, on_destroy, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_token_queued(NULL, 0, 0, 0, queue, 1, &now, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_client_token_queued(client, 0, 0, 0, NULL, 1, &now, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "now", tokenwell_client_token_queued(client, 0, 0, 0, queue, 1, NULL, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_invalidate_queued(NULL, "x", 1, 0, queue, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_client_invalidate_queued(client, NULL, 1, 0, queue, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_client_invalidate_queued(client, "x", 1, 0, NULL, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_revoke_queued(NULL, 0, queue, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_client_revoke_queued(client, 0, NULL, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "operation", tokenwell_operation_wait(NULL, 0, &now, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_queue_new(NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_queue_descriptor(NULL, &descriptor, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_queue_descriptor(queue, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_queue_take(NULL, &tag, &operation, &error), &error);
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_queue_take(queue, NULL, &operation, &error));
    CHECK_FAILS_NAMING(INVALID, "operation", tokenwell_queue_take(queue, &tag, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_queue_wait(NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_queue_close(NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_watch(NULL, queue, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_client_watch(client, NULL, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_unwatch(NULL, queue, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_client_unwatch(client, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_clone(NULL, &clone, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_client_clone(client, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_drain(NULL, 0, &error), &error);
    CHECK_INT(0, tokenwell_operation_cancel(NULL));
    CHECK(tokenwell_token_clone(NULL) == NULL);
    tokenwell_operation_free(NULL);
    tokenwell_queue_free(NULL);

    CHECK(now == NULL && operation == NULL && clone == NULL);
    CHECK_UINT(0, atomic_load(&data.called) + atomic_load(&data.destroyed));
    check_empty(queue);
    CHECK_UINT(0, emulator_counter("requests"));
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void an_unknown_flag_of_an_asynchronous_get_is_an_error(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};
    /* A new token and no request contradict each other. */
    static const uint32_t invalid[] = {8, 16, 0x80000000u, TOKENWELL_FORCE_REFRESH | 8, TOKENWELL_FORCE_REFRESH | TOKENWELL_CACHED_ONLY};

    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        CHECK_FAILS_NAMING(INVALID, "flags", tokenwell_client_token(client, 0, 0, invalid[i], &now, &error), &error);
        CHECK_FAILS_NAMING(INVALID, "flags", tokenwell_client_token_async(client, 0, 0, invalid[i], on_end, &data, on_destroy, &now,
                                                                          &operation, &error),
                           &error);
        CHECK_FAILS_NAMING(INVALID, "flags", tokenwell_client_token_queued(client, 0, 0, invalid[i], queue, 1, &now, &operation, &error),
                           &error);
    }

    CHECK(now == NULL && operation == NULL);
    CHECK_UINT(0, atomic_load(&data.called) + atomic_load(&data.destroyed));
    CHECK_UINT(0, emulator_counter("requests"));
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void every_optional_argument_may_be_null(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_token *now = NULL;
    seen data = {0};
    emulator_faults(SLOW(300));

    /* Nobody asks for the result, but the token is fetched all the same. */
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_token_async(client, 0, 0, 0, NULL, NULL, NULL, &now, NULL, NULL));
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_token_async(client, 0, 0, 0, NULL, &data, on_destroy, &now, NULL, NULL));
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_token_queued(client, 0, 0, 0, queue, 3, &now, NULL, NULL));
    tokenwell_operation *taken = take_one(queue, 3);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(taken, 0, NULL, NULL));
    check_seen(0, TOKENWELL_STATUS_OK, &data);

    CHECK_UINT(1, emulator_counter("token_requests"));
    CHECK(now == NULL);
    tokenwell_operation_free(taken);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

/* ---- the results ---- */

static void a_cached_token_is_returned_immediately(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    char *value = get_value(client);
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};

    CHECK_OK(tokenwell_client_token_async(client, 0, 0, 0, on_end, &data, on_destroy, &now, &operation, &error), &error);
    CHECK_TEXT(value, tokenwell_token_value(now, NULL));
    CHECK(operation == NULL);
    tokenwell_token_free(now);
    now = NULL;
    CHECK_OK(tokenwell_client_token_queued(client, 0, 0, 0, queue, 1, &now, &operation, &error), &error);
    CHECK_TEXT(value, tokenwell_token_value(now, NULL));
    CHECK(operation == NULL);
    check_empty(queue);

    /* Neither a callback nor a destroy comes, not even later. */
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    CHECK_UINT(0, atomic_load(&data.called) + atomic_load(&data.destroyed));
    free(value);
    tokenwell_token_free(now);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void a_pending_get_ends_with_the_token(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_token *first = NULL, *second = NULL, *third = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};
    emulator_faults(SLOW(100));

    tokenwell_operation *by_callback = begin_get(client, 0, 0, &data), *by_queue = begin_queued_get(client, 0, queue, UINT64_MAX);
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_operation_wait(by_callback, 0, &first, &error));
    CHECK(first == NULL && error == NULL);
    CHECK(readable_within(descriptor_of(queue), 60000));
    tokenwell_operation *taken = take_one(queue, UINT64_MAX);
    check_empty(queue);

    /* A result may be read any number of times. */
    CHECK_OK(tokenwell_operation_wait(by_callback, 60000, &first, &error), &error);
    CHECK_OK(tokenwell_operation_wait(by_queue, 60000, &second, &error), &error);
    CHECK_OK(tokenwell_operation_wait(taken, 0, &third, &error), &error);
    CHECK_OK(tokenwell_operation_wait(taken, 0, NULL, &error), &error);
    CHECK_TEXT(tokenwell_token_value(first, NULL), tokenwell_token_value(second, NULL));
    CHECK_TEXT(tokenwell_token_value(first, NULL), tokenwell_token_value(third, NULL));
    check_seen(1, TOKENWELL_STATUS_OK, &data);
    CHECK_UINT(1, emulator_counter("token_requests"));

    /* It outlives the client and the queue. */
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
    tokenwell_token *fourth = NULL;
    CHECK_OK(tokenwell_operation_wait(taken, 0, &fourth, &error), &error);
    CHECK_TEXT(tokenwell_token_value(first, NULL), tokenwell_token_value(fourth, NULL));
    tokenwell_token_free(first), tokenwell_token_free(second), tokenwell_token_free(third), tokenwell_token_free(fourth);
    tokenwell_operation_free(by_callback), tokenwell_operation_free(by_queue), tokenwell_operation_free(taken);
}

static void a_pending_get_ends_with_the_error(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    tokenwell_token *token = NULL;
    seen data = {0};
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]");

    tokenwell_operation *operation = begin_get(client, 0, 0, &data);

    for (int i = 0; i < 2; i++) CHECK_FAILS(TOKENWELL_STATUS_CREDENTIAL_REJECTED, tokenwell_operation_wait(operation, 60000, &token,
                                                                                                           &error), &error);
    CHECK(token == NULL);
    check_seen(1, TOKENWELL_STATUS_CREDENTIAL_REJECTED, &data);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void each_get_has_its_own_deadline(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    seen early = {0}, late = {0};
    emulator_faults(SLOW(1000));

    uint64_t started = now_ms();
    tokenwell_operation *first = begin_get(client, 200, 0, &early), *second = begin_get(client, 60000, 0, &late);
    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_operation_wait(first, 60000, NULL, &error), &error);
    uint64_t took = now_ms() - started;
    CHECK(took >= 200);
    check_seen(1, TOKENWELL_STATUS_DEADLINE, &early);
    CHECK_OK(tokenwell_operation_wait(second, 60000, NULL, &error), &error);
    check_seen(1, TOKENWELL_STATUS_OK, &late);

    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_operation_free(first), tokenwell_operation_free(second);
    tokenwell_client_free(client);
}

static void an_invalidation_and_a_revocation_are_operations_too(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    tokenwell_operation *operation = NULL;
    tokenwell_token *token = NULL;
    seen data = {0};
    char *first = get_value(client);

    /* Without files to share the token in, there may be nothing to wait for. */
    tokenwell_status status = tokenwell_client_invalidate_async(client, first, strlen(first), 0, on_end, &data, on_destroy, &operation,
                                                                &error);
    CHECK(status == TOKENWELL_STATUS_OK || status == TOKENWELL_STATUS_PENDING);
    if (status == TOKENWELL_STATUS_PENDING) {
        CHECK_OK(tokenwell_operation_wait(operation, 60000, &token, &error), &error);
        CHECK(token == NULL);
        wait_for_destroy(&data);
        CHECK_INT(TOKENWELL_STATUS_OK, atomic_load(&data.status));
    }
    tokenwell_operation_free(operation);
    operation = NULL;
    char *second = get_value(client);
    CHECK(strcmp(first, second) != 0);

    emulator_faults("[{\"path\":\"/api/oauth/revoke\",\"delay_ms\":100,\"then_serve\":true}]");
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_revoke_queued(client, 0, queue, 5, &operation, &error));
    CHECK(error == NULL);
    tokenwell_operation *taken = take_one(queue, 5);
    CHECK_OK(tokenwell_operation_wait(taken, 0, &token, &error), &error);
    CHECK(token == NULL);
    CHECK_UINT(1, emulator_counter("revoke_requests"));
    char *third = get_value(client);
    CHECK(strcmp(second, third) != 0);

    free(first), free(second), free(third);
    tokenwell_operation_free(operation), tokenwell_operation_free(taken);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

/* ---- cancel ---- */

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

/* ---- close, free, clone, drain ---- */

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

/* ---- callbacks that block or call back ---- */

static atomic_uint others_ended;
static atomic_bool released;

/* Blocks until the test ends: like a callback that never returns. */
static void never_return(seen *self, tokenwell_operation *operation)
{
    (void)self, (void)operation;
    for (uint64_t started = now_ms(); !atomic_load(&released) && now_ms() - started < 60000;) pause_ms(1);
}

static void count_me(seen *self, tokenwell_operation *operation)
{
    (void)self, (void)operation;
    atomic_fetch_add(&others_ended, 1);
}

static void check_that_others_come_beside_callbacks_that_block(unsigned blocked)
{
    enum { MOST_BLOCKED = 4, OTHERS = 50 };
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK), *another = emulator_client(SYSTEM_CLOCK);
    static seen blocking[MOST_BLOCKED], others[OTHERS];
    memset(blocking, 0, sizeof blocking);
    memset(others, 0, sizeof others);
    atomic_store(&others_ended, 0);
    atomic_store(&released, false);
    for (unsigned i = 0; i < blocked; i++) {
        blocking[i].inside = never_return;
        begin_unowned_get(client, 0, TOKENWELL_FORCE_REFRESH, &blocking[i]);
        wait_for_count(&blocking[i].called, 1);
    }
    emulator_faults(SLOW(50));
    for (unsigned i = 0; i < OTHERS; i++) {
        others[i].inside = count_me;
        begin_unowned_get(i % 2 ? client : another, 0, TOKENWELL_FORCE_REFRESH, &others[i]);
    }
    wait_for_refreshes(client, blocked + 1);
    wait_for_refreshes(another, 1);
    uint64_t due = now_ms();

    wait_for_count(&others_ended, OTHERS);
    uint64_t late = now_ms() - due;

    /* Each thread that is blocked costs the others about 200 ms, once. */
    printf("  %u callbacks blocked: %d others came %" PRIu64 " ms after the refreshes\n", blocked, OTHERS, late);
    CHECK(late < 200 * blocked + 3000);
    for (unsigned i = 0; i < blocked; i++) CHECK_UINT(0, atomic_load(&blocking[i].destroyed));
    tokenwell_error *error = NULL;
    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_client_drain(client, 50, &error), &error);
    atomic_store(&released, true);
    for (unsigned i = 0; i < blocked; i++) check_seen(1, TOKENWELL_STATUS_OK, &blocking[i]);
    for (unsigned i = 0; i < OTHERS; i++) check_seen(1, TOKENWELL_STATUS_OK, &others[i]);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    tokenwell_client_free(client);
    tokenwell_client_free(another);
}

static void a_callback_that_blocks_delays_the_others_little(void)
{
    check_that_others_come_beside_callbacks_that_block(1);
}

static void callbacks_that_never_return_delay_the_others_little(void)
{
    check_that_others_come_beside_callbacks_that_block(3);
}

/* Results, deadlines and queues do not need a callback: they are not delayed by one at all. */
static void a_callback_that_never_returns_delays_no_queue(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    seen blocking = {.inside = never_return};
    atomic_store(&released, false);
    begin_unowned_get(client, 0, 0, &blocking);
    wait_for_count(&blocking.called, 1);

    tokenwell_operation *queued = begin_queued_get(client, TOKENWELL_FORCE_REFRESH, queue, 1), *taken = take_one(queue, 1);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(queued, 0, NULL, NULL));
    CHECK_UINT(0, atomic_load(&blocking.destroyed));

    atomic_store(&released, true);
    check_seen(1, TOKENWELL_STATUS_OK, &blocking);
    tokenwell_operation_free(queued), tokenwell_operation_free(taken);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

/* A callback may begin operations, cancel them, and release what it owns. */
static void call_back_in(seen *self, tokenwell_operation *operation)
{
    seen *next = self->more;
    tokenwell_token *now = NULL;
    tokenwell_operation *pending = NULL, *canceled = NULL;
    tokenwell_error *error = NULL;
    /* The token has just been cached. */
    CHECK_OK(tokenwell_client_token_async(self->client, 0, 0, 0, on_end, next, on_destroy, &now, NULL, &error), &error);
    tokenwell_token_free(now);
    now = NULL;
    CHECK_OK(tokenwell_client_token(self->client, 0, 0, 0, &now, &error), &error);
    char *value = strdup(tokenwell_token_value(now, NULL));
    tokenwell_token_free(now);
    now = NULL;
    CHECK_INT(TOKENWELL_STATUS_PENDING,
              tokenwell_client_token_async(self->client, 0, 0, TOKENWELL_FORCE_REFRESH, on_end, &next[0], on_destroy, &now, &pending,
                                           &error));
    CHECK_INT(TOKENWELL_STATUS_PENDING,
              tokenwell_client_token_async(self->client, 0, 0, TOKENWELL_FORCE_REFRESH, on_end, &next[1], on_destroy, &now, &canceled,
                                           &error));
    CHECK_INT(1, tokenwell_operation_cancel(canceled));

    /* A call that would block fails immediately. */
    uint64_t started = now_ms();
    CHECK_FAILS_NAMING(INVALID, "callback", tokenwell_operation_wait(pending, 60000, NULL, &error), &error);
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_operation_wait(pending, 0, NULL, NULL));
    CHECK_OK(tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "callback", tokenwell_client_token(self->client, 0, 0, TOKENWELL_FORCE_REFRESH, &now, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "callback", tokenwell_client_invalidate(self->client, value, strlen(value), &error), &error);
    CHECK_FAILS_NAMING(INVALID, "callback", tokenwell_client_revoke(self->client, 0, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "callback", tokenwell_client_drain(self->client, 60000, &error), &error);
    CHECK(now_ms() - started < 20000);

    tokenwell_operation_free(pending), tokenwell_operation_free(canceled);
    free(value);
}

static void a_callback_may_call_back_in(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    seen next[2] = {{0}}, data = {.inside = call_back_in, .client = client, .more = next};
    begin_unowned_get(client, 0, 0, &data);

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    check_seen(1, TOKENWELL_STATUS_OK, &next[0]);
    check_seen(0, 0, &next[1]);
    CHECK_UINT(2, emulator_counter("token_requests"));
    tokenwell_client_free(client);
}

static void close_inside(seen *self, tokenwell_operation *operation)
{
    (void)operation;
    tokenwell_client *own = self->more;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_close(own, NULL));
    tokenwell_client_free(own);
}

static void a_callback_may_close_and_free_the_client(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    seen others[4] = {{0}}, data = {.inside = close_inside, .more = client};
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1},"
                    "{\"path\":\"/api/oauth/token\",\"delay_ms\":120000,\"then_serve\":true}]");
    tokenwell_operation *operation = begin_get(client, 0, 0, &data);

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    CHECK_OK(tokenwell_operation_wait(operation, 0, NULL, &error), &error);
    tokenwell_operation_free(operation);

    /* And while others wait: they end with CLOSED. */
    client = emulator_client(SYSTEM_CLOCK);
    seen closer = {.inside = close_inside, .more = client};
    for (int i = 0; i < 4; i++) begin_unowned_get(client, 0, 0, &others[i]);
    begin_unowned_get(client, 100, 0, &closer);
    check_seen(1, TOKENWELL_STATUS_DEADLINE, &closer);
    for (int i = 0; i < 4; i++) check_seen(1, TOKENWELL_STATUS_CLOSED, &others[i]);
}

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

/* ---- the cache alone ---- */

/* All three functions return this status for TOKENWELL_CACHED_ONLY. */
static void check_cached_only(tokenwell_status status, const tokenwell_client *client, const tokenwell_queue *queue, uint64_t min_ttl_ms)
{
    tokenwell_token *tokens[3] = {NULL};
    tokenwell_operation *operation = NULL;
    tokenwell_error *errors[3] = {NULL};
    seen data = {0};
    uint64_t requests = emulator_counter("requests");
    CHECK_INT(status, tokenwell_client_token(client, min_ttl_ms, 0, TOKENWELL_CACHED_ONLY, &tokens[0], &errors[0]));
    CHECK_INT(status, tokenwell_client_token_async(client, min_ttl_ms, 0, TOKENWELL_CACHED_ONLY, on_end, &data, on_destroy, &tokens[1],
                                                   &operation, &errors[1]));
    CHECK_INT(status, tokenwell_client_token_queued(client, min_ttl_ms, 0, TOKENWELL_CACHED_ONLY, queue, 1, &tokens[2], &operation,
                                                    &errors[2]));
    for (int i = 0; i < 3; i++) {
        CHECK((tokens[i] != NULL) == (status == TOKENWELL_STATUS_OK));
        CHECK((errors[i] != NULL) == (status != TOKENWELL_STATUS_OK));
        if (errors[i]) CHECK_INT(status, tokenwell_error_status(errors[i]));
        tokenwell_token_free(tokens[i]);
        tokenwell_error_free(errors[i]);
    }
    tokenwell_error *error = NULL;
    CHECK(operation == NULL);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    CHECK_UINT(0, atomic_load(&data.called) + atomic_load(&data.destroyed));
    CHECK_UINT(requests, emulator_counter("requests"));
    check_empty(queue);
}

static void cached_only_starts_nothing(void)
{
    enum { MINUTE_MS = 60 * 1000 };
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    unsigned threads = threads_of_this_process();

    check_cached_only(TOKENWELL_STATUS_NOT_CACHED, client, queue, 0);
    CHECK_UINT(threads, threads_of_this_process());
    tokenwell_token_free(get(client));
    check_cached_only(TOKENWELL_STATUS_OK, client, queue, 0);
    check_cached_only(TOKENWELL_STATUS_NOT_CACHED, client, queue, 70 * MINUTE_MS);

    /* Due, but valid: no refresh is started. */
    CHECK_OK(tokenwell_client_advance_clock(client, 51 * MINUTE_MS, &error), &error);
    check_cached_only(TOKENWELL_STATUS_OK, client, queue, 0);
    check_cached_only(TOKENWELL_STATUS_NOT_CACHED, client, queue, 30 * MINUTE_MS);
    CHECK_UINT(1, stats_of(client).refreshes);

    /* Expired. */
    CHECK_OK(tokenwell_client_advance_clock(client, 10 * MINUTE_MS, &error), &error);
    check_cached_only(TOKENWELL_STATUS_NOT_CACHED, client, queue, 0);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

const test operation_tests[] = {
    TEST(null_in_an_asynchronous_call_is_named),
    TEST(an_unknown_flag_of_an_asynchronous_get_is_an_error),
    TEST(every_optional_argument_may_be_null),
    TEST(a_cached_token_is_returned_immediately),
    TEST(a_pending_get_ends_with_the_token),
    TEST(a_pending_get_ends_with_the_error),
    TEST(each_get_has_its_own_deadline),
    TEST(an_invalidation_and_a_revocation_are_operations_too),
    TEST(a_canceled_operation_has_no_callback),
    TEST(an_end_that_waits_in_a_queue_can_be_canceled_again_and_again),
    TEST(cancel_in_the_callback_and_after_the_end_returns_0),
    TEST(a_cancel_that_races_with_the_completion_has_one_outcome),
    TEST(close_ends_all_pending_operations),
    TEST(freeing_the_client_ends_its_operations),
    TEST(freeing_an_operation_does_not_cancel_it),
    TEST(a_clone_keeps_the_client_open),
    TEST(the_last_reference_closes_whatever_the_order),
    TEST(a_token_clone_is_a_reference_of_its_own),
    TEST(drain_waits_until_nothing_runs),
    TEST(close_and_free_may_come_at_any_moment),
    TEST(a_callback_that_blocks_delays_the_others_little),
    TEST(callbacks_that_never_return_delay_the_others_little),
    TEST(a_callback_that_never_returns_delays_no_queue),
    TEST(a_callback_may_call_back_in),
    TEST(a_callback_may_close_and_free_the_client),
    TEST(closing_a_queue_wakes_all_its_waits),
    TEST(a_queue_wait_ends_after_its_time),
    TEST(the_descriptor_is_readable_while_there_are_entries),
    TEST(a_queue_may_be_freed_before_its_operations_end),
    TEST(each_change_of_the_token_is_one_entry),
    TEST(two_queues_may_watch_and_unwatch_one_client),
    TEST(cached_only_starts_nothing),
    END_OF_TESTS,
};
