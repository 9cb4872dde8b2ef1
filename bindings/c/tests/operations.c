/* The asynchronous functions: arguments, results, and the cache alone. */
#define _GNU_SOURCE
#include "operations.h"

#include <stdlib.h>
#include <string.h>

#define INVALID TOKENWELL_STATUS_INVALID_ARGUMENT

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
    TEST(cached_only_starts_nothing),
    END_OF_TESTS,
};
