/* Close, free, and which objects remain valid after others are freed. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void closing_twice_is_closing_once(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;

    for (int i = 0; i < 3; i++) CHECK_OK(tokenwell_client_close(client, &error), &error);

    tokenwell_client_free(client);
}

static void a_closed_client_returns_no_token(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    tokenwell_token *token = NULL;
    char *value = get_value(client);
    CHECK_OK(tokenwell_client_close(client, &error), &error);

    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token(client, 0, 0, 0, &token, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &token, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_invalidate(client, value, strlen(value), &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_revoke(client, 0, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_advance_clock(client, 1, &error), &error);

    CHECK(token == NULL);
    CHECK_UINT(1, emulator_counter("requests"));
    free(value);
    tokenwell_client_free(client);
}

static void a_closed_client_can_still_be_read(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    const uint64_t *counter = tokenwell_client_generation(client);
    tokenwell_token *token = get(client);
    CHECK_OK(tokenwell_client_close(client, &error), &error);

    CHECK(tokenwell_client_generation(client) == counter);
    CHECK(generation_of(client) != tokenwell_token_generation(token));
    CHECK_UINT(0, tokenwell_client_fresh_for_ms(client, token));
    CHECK_UINT(1, stats_of(client).mints);

    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

/* ---- close while others wait ---- */

typedef struct { pthread_t thread; const tokenwell_client *client; atomic_uint *inside; tokenwell_status status; tokenwell_token *token; } waiter;

static void *wait_for_token(void *data)
{
    waiter *self = data;
    atomic_fetch_add(self->inside, 1);
    self->status = tokenwell_client_token(self->client, 0, 60000, 0, &self->token, NULL);
    return NULL;
}

static void close_wakes_all_waiting_calls(void)
{
    enum { WAITERS = 16 };
    waiter waiters[WAITERS];
    atomic_uint inside = 0;
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"delay_ms\":20000,\"then_serve\":true}]");
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){.client = client, .inside = &inside};
        if (pthread_create(&waiters[i].thread, NULL, wait_for_token, &waiters[i]) != 0) abort();
    }
    CHECK(emulator_wait_for("token_requests", 1));
    while (atomic_load(&inside) < WAITERS) pause_ms(1);

    uint64_t started = now_ms();
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    for (int i = 0; i < WAITERS; i++) pthread_join(waiters[i].thread, NULL);
    uint64_t took = now_ms() - started;

    CHECK(took < 15000);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_INT(TOKENWELL_STATUS_CLOSED, waiters[i].status);
        CHECK(waiters[i].token == NULL);
    }
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_client_free(client);
}

static void close_may_run_concurrently_with_close_and_get(void)
{
    enum { WAITERS = 8, ROUNDS = 10 };

    for (int round = 0; round < ROUNDS; round++) {
        waiter waiters[WAITERS];
        atomic_uint inside = 0;
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
        for (int i = 0; i < WAITERS; i++) {
            waiters[i] = (waiter){.client = client, .inside = &inside};
            if (pthread_create(&waiters[i].thread, NULL, wait_for_token, &waiters[i]) != 0) abort();
        }
        while (atomic_load(&inside) < (unsigned)round % WAITERS) pause_ms(1);
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_close(client, NULL));
        for (int i = 0; i < WAITERS; i++) pthread_join(waiters[i].thread, NULL);

        for (int i = 0; i < WAITERS; i++) {
            CHECK(waiters[i].status == TOKENWELL_STATUS_CLOSED || waiters[i].status == TOKENWELL_STATUS_OK);
            CHECK((waiters[i].token != NULL) == (waiters[i].status == TOKENWELL_STATUS_OK));
            tokenwell_token_free(waiters[i].token);
        }
        tokenwell_client_free(client);
    }
}

/* ---- objects that remain valid after others are freed ---- */

static void a_token_outlives_its_client(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = get(client);
    char *before = strdup(tokenwell_token_value(token, NULL));
    int64_t expires_at = tokenwell_token_expires_at_ms(token);

    tokenwell_client_close(client, NULL);
    tokenwell_client_free(client);

    CHECK_TEXT(before, tokenwell_token_value(token, NULL));
    CHECK_HAS(before, tokenwell_token_authorization(token, NULL));
    CHECK_INT(expires_at, tokenwell_token_expires_at_ms(token));
    free(before);
    tokenwell_token_free(token);
}

static void a_token_is_intact_after_the_client_has_dropped_it(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *first = get(client), *second = get(client);
    char *before = strdup(tokenwell_token_value(first, NULL));
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_client_invalidate(client, before, strlen(before), &error), &error);
    tokenwell_token_free(first);

    CHECK_TEXT(before, tokenwell_token_value(second, NULL));
    free(before);
    tokenwell_token_free(second);
    tokenwell_client_free(client);
}

static void r28_a_clone_of_a_token_outlives_the_original(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = get(client);
    char *before = strdup(tokenwell_token_value(token, NULL));
    uint64_t generation = tokenwell_token_generation(token);

    tokenwell_token *clone = tokenwell_token_clone(token);
    CHECK(tokenwell_token_value(clone, NULL) == tokenwell_token_value(token, NULL));
    tokenwell_token_free(token);
    tokenwell_client_free(client);

    CHECK_TEXT(before, tokenwell_token_value(clone, NULL));
    CHECK_UINT(generation, tokenwell_token_generation(clone));
    free(before);
    tokenwell_token_free(clone);
}

static void an_error_outlives_its_client(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    tokenwell_token *token = NULL;
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":401,\"body\":{\"error\":\"invalid_client\",\"error_description\":\"Invalid credentials provided.\"}}]");
    CHECK_INT(TOKENWELL_STATUS_CREDENTIAL_REJECTED, tokenwell_client_token(client, 0, 0, 0, &token, &error));

    tokenwell_client_free(client);

    CHECK_INT(401, tokenwell_error_http_status(error));
    CHECK_HAS("invalid_client", tokenwell_error_message(error, NULL));
    CHECK_HAS("Invalid credentials provided.", tokenwell_error_message(error, NULL));
    CHECK_HAS("client id and secret", tokenwell_error_hint(error, NULL));
    tokenwell_error_free(error);
}

static void a_config_remains_owned_by_the_caller(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *first = NULL, *second = NULL;
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_client_new(config, &first, &error), &error);
    CHECK_OK(set(config, "client_secret", "mdb_sa_sk_another", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &second, &error), &error);
    tokenwell_config_free(config);

    /* The first client is not affected by settings that were set later. */
    tokenwell_token *token = get(first), *none = NULL;
    CHECK_FAILS(TOKENWELL_STATUS_CREDENTIAL_REJECTED, tokenwell_client_token(second, 0, 0, 0, &none, &error), &error);
    tokenwell_token_free(token);
    tokenwell_client_free(first);
    tokenwell_client_free(second);
}

static void *free_token(void *token)
{
    tokenwell_token_free(token);
    return NULL;
}

static void a_token_may_be_freed_by_another_thread(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    pthread_t other;

    if (pthread_create(&other, NULL, free_token, get(client)) != 0) abort();
    pthread_join(other, NULL);

    tokenwell_token_free(get(client));
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_client_free(client);
}

static void a_client_may_be_freed_while_its_refresh_runs(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"delay_ms\":1000,\"then_serve\":true}]");
    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_client_token(client, 0, 50, 0, &token, &error), &error);

    uint64_t started = now_ms();
    tokenwell_client_free(client);

    /* Freeing does not wait for the server. The refresh finishes on its own; valgrind detects an
     * access to freed memory. */
    CHECK(now_ms() - started < 15000);
    pause_ms(1500);
    client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token_free(get(client));
    tokenwell_client_free(client);
}

const test lifetime_tests[] = {
    TEST(closing_twice_is_closing_once),
    TEST(a_closed_client_returns_no_token),
    TEST(a_closed_client_can_still_be_read),
    TEST(close_wakes_all_waiting_calls),
    TEST(close_may_run_concurrently_with_close_and_get),
    TEST(a_token_outlives_its_client),
    TEST(a_token_is_intact_after_the_client_has_dropped_it),
    TEST(r28_a_clone_of_a_token_outlives_the_original),
    TEST(an_error_outlives_its_client),
    TEST(a_config_remains_owned_by_the_caller),
    TEST(a_token_may_be_freed_by_another_thread),
    TEST(a_client_may_be_freed_while_its_refresh_runs),
    END_OF_TESTS,
};
