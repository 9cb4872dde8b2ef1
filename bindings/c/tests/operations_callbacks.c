/* Callbacks of operations that block, call back or close. */
#define _GNU_SOURCE
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID TOKENWELL_STATUS_INVALID_ARGUMENT

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

const test operation_callback_tests[] = {
    TEST(a_callback_that_blocks_delays_the_others_little),
    TEST(callbacks_that_never_return_delay_the_others_little),
    TEST(a_callback_that_never_returns_delays_no_queue),
    TEST(a_callback_may_call_back_in),
    TEST(a_callback_may_close_and_free_the_client),
    END_OF_TESTS,
};
