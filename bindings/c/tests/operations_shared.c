/* What the tests of the asynchronous functions share. */
#define _GNU_SOURCE
#include "operations.h"

#include <poll.h>
#include <stdio.h>

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
