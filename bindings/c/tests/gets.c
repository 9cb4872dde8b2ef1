/* What a get returns, how many requests it causes, and which calls wait. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };

#define SLOW_MINT(ms) "[{\"path\":\"/api/oauth/token\",\"times\":1,\"delay_ms\":" #ms ",\"then_serve\":true}]"

/* A thread that makes one get after all threads have reached the barrier. */
typedef struct {
    pthread_t thread;
    pthread_barrier_t *barrier; /* may be NULL: then it does not wait */
    const tokenwell_client *client;
    uint64_t deadline_ms;
    tokenwell_status status;
    tokenwell_token *token;
} caller;

static void *call(void *data)
{
    caller *self = data;
    if (self->barrier) pthread_barrier_wait(self->barrier);
    self->status = tokenwell_client_token(self->client, 0, self->deadline_ms, 0, &self->token, NULL);
    return NULL;
}

static void one_hundred_cold_threads_cost_one_request(void)
{
    enum { THREADS = 100 };
    static caller callers[THREADS];
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    pthread_barrier_t barrier;
    pthread_attr_t small_stack;
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_attr_init(&small_stack);
    pthread_attr_setstacksize(&small_stack, 512 * 1024);

    for (int i = 0; i < THREADS; i++) {
        callers[i] = (caller){.barrier = &barrier, .client = client, .deadline_ms = 60000};
        if (pthread_create(&callers[i].thread, &small_stack, call, &callers[i]) != 0) abort();
    }
    for (int i = 0; i < THREADS; i++) pthread_join(callers[i].thread, NULL);

    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(TOKENWELL_STATUS_OK, callers[i].status);
        CHECK_TEXT(tokenwell_token_value(callers[0].token, NULL), tokenwell_token_value(callers[i].token, NULL));
    }
    CHECK_UINT(1, emulator_counter("token_requests"));
    CHECK_UINT(1, stats_of(client).mints);
    for (int i = 0; i < THREADS; i++) tokenwell_token_free(callers[i].token);
    pthread_attr_destroy(&small_stack);
    pthread_barrier_destroy(&barrier);
    tokenwell_client_free(client);
}

static void ten_thousand_gets_across_three_expiries_cost_four_requests(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    char *values[4];

    for (int life = 0; life < 4; life++) {
        if (life > 0) CHECK_OK(tokenwell_client_advance_clock(client, HOUR_MS, &error), &error);
        values[life] = get_value(client);
        for (int i = 1; i < 2500; i++) {
            tokenwell_token *token = get(client);
            if (!CHECK_TEXT(values[life], tokenwell_token_value(token, NULL))) i = 2500;
            tokenwell_token_free(token);
        }
    }

    CHECK_UINT(4, emulator_counter("token_requests"));
    for (int a = 0; a < 4; a++) {
        for (int b = 0; b < a; b++) CHECK(strcmp(values[a], values[b]) != 0);
    }
    for (int life = 0; life < 4; life++) free(values[life]);
    tokenwell_client_free(client);
}

static void a_token_expires_an_hour_after_its_request(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    uint64_t now = emulator_now_ms();

    tokenwell_token *token = get(client);

    /* The manual clock was set to the emulator's time shortly before this test read that time. */
    int64_t lifetime = tokenwell_token_expires_at_ms(token) - (int64_t)now;
    CHECK(lifetime <= HOUR_MS && lifetime > HOUR_MS - MINUTE_MS);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void the_generation_changes_when_and_only_when_the_token_does(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    const uint64_t *counter = tokenwell_client_generation(client);
    uint64_t before = generation_of(client), after;

    /* The first token. */
    tokenwell_token *token = get(client);
    after = generation_of(client);
    CHECK(after != before);
    CHECK_UINT(after, tokenwell_token_generation(token));
    CHECK(tokenwell_client_generation(client) == counter);

    /* Gets, an invalidate of another token, stats and time do not change it. */
    before = after;
    for (int i = 0; i < 100; i++) tokenwell_token_free(get(client));
    CHECK_OK(tokenwell_client_invalidate(client, "another", 7, &error), &error);
    stats_of(client);
    CHECK_OK(tokenwell_client_advance_clock(client, 2 * HOUR_MS, &error), &error);
    CHECK_UINT(before, generation_of(client));

    /* A failed refresh does not change it. */
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":403,\"body\":{\"error\":\"access_denied\","
                    "\"error_description\":\"access token limit reached\"}}]");
    tokenwell_token *none = NULL;
    CHECK(tokenwell_client_token(client, 0, 0, 0, &none, NULL) != TOKENWELL_STATUS_OK);
    CHECK_UINT(before, generation_of(client));

    /* The next token. */
    CHECK_OK(tokenwell_client_advance_clock(client, HOUR_MS, &error), &error);
    tokenwell_token_free(token);
    token = get(client);
    after = generation_of(client);
    CHECK(after != before);
    CHECK_UINT(after, tokenwell_token_generation(token));

    /* A forced refresh. */
    before = after;
    tokenwell_token *forced = NULL;
    CHECK_OK(tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &forced, &error), &error);
    after = generation_of(client);
    CHECK(after != before);
    CHECK_UINT(after, tokenwell_token_generation(forced));

    /* Invalidate changes it with the current value, not with the old one. */
    before = after;
    const char *old = tokenwell_token_value(token, NULL), *current = tokenwell_token_value(forced, NULL);
    CHECK(old && current && strcmp(old, current) != 0);
    CHECK_OK(tokenwell_client_invalidate(client, old, strlen(old), &error), &error);
    CHECK_UINT(before, generation_of(client));
    CHECK_OK(tokenwell_client_invalidate(client, current, strlen(current), &error), &error);
    CHECK(generation_of(client) != before);
    CHECK_UINT(1, stats_of(client).invalidations);

    /* Revoke and close. */
    tokenwell_token_free(get(client));
    before = generation_of(client);
    CHECK_OK(tokenwell_client_revoke(client, 0, &error), &error);
    CHECK(generation_of(client) != before);
    tokenwell_token_free(get(client));
    before = generation_of(client);
    CHECK_OK(tokenwell_client_close(client, &error), &error);
    CHECK(generation_of(client) != before);

    tokenwell_token_free(forced);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void a_kept_copy_is_fresh_under_the_system_clock_only(void)
{
    tokenwell_client *manual = emulator_client(MANUAL_CLOCK), *system = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *first = get(manual), *second = get(system);

    CHECK_UINT(0, tokenwell_client_fresh_for_ms(manual, first));
    uint64_t fresh_for = tokenwell_client_fresh_for_ms(system, second);
    CHECK(fresh_for > 0 && fresh_for < HOUR_MS);

    tokenwell_token_free(first);
    tokenwell_token_free(second);
    tokenwell_client_free(manual);
    tokenwell_client_free(system);
}

static void no_call_waits_for_a_refresh_while_the_token_is_valid(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    char *first = get_value(client);
    CHECK_OK(tokenwell_client_advance_clock(client, 51 * MINUTE_MS, &error), &error);
    emulator_faults(SLOW_MINT(5000));

    uint64_t started = now_ms();
    char *second = get_value(client);
    uint64_t took = now_ms() - started;

    CHECK_TEXT(first, second);
    CHECK(took < 4000);
    wait_for_refreshes(client, 2);
    char *third = get_value(client);
    CHECK(strcmp(first, third) != 0);
    CHECK_UINT(2, emulator_counter("token_requests"));
    free(third);
    free(second);
    free(first);
    tokenwell_client_free(client);
}

static void a_caller_that_gives_up_does_not_spoil_the_refresh_for_others(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    caller patient = {.client = client, .deadline_ms = 60000};
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    emulator_faults(SLOW_MINT(3000));

    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_client_token(client, 0, 50, 0, &token, &error), &error);
    CHECK(token == NULL);
    if (pthread_create(&patient.thread, NULL, call, &patient) != 0) abort();
    pthread_join(patient.thread, NULL);

    CHECK_INT(TOKENWELL_STATUS_OK, patient.status);
    CHECK(patient.token != NULL);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_token_free(patient.token);
    tokenwell_client_free(client);
}

static void the_deadline_of_one_caller_does_not_affect_another(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    caller patient = {.client = client, .deadline_ms = 60000}, hurried = {.client = client, .deadline_ms = 50};
    emulator_faults(SLOW_MINT(3000));

    if (pthread_create(&patient.thread, NULL, call, &patient) != 0) abort();
    CHECK(emulator_wait_for("token_requests", 1));
    if (pthread_create(&hurried.thread, NULL, call, &hurried) != 0) abort();
    pthread_join(hurried.thread, NULL);
    pthread_join(patient.thread, NULL);

    CHECK_INT(TOKENWELL_STATUS_OK, patient.status);
    /* On a busy machine the token may have arrived before the caller with the short deadline
     * started. */
    CHECK(hurried.status == TOKENWELL_STATUS_DEADLINE || hurried.token != NULL);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_token_free(hurried.token);
    tokenwell_token_free(patient.token);
    tokenwell_client_free(client);
}

static void min_ttl_is_satisfied_from_the_cache_or_by_a_refresh(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    char *first = get_value(client);
    CHECK_OK(tokenwell_client_advance_clock(client, 10 * MINUTE_MS, &error), &error);

    CHECK_OK(tokenwell_client_token(client, 49 * MINUTE_MS, 0, 0, &token, &error), &error);
    CHECK_TEXT(first, tokenwell_token_value(token, NULL));
    tokenwell_token_free(token);
    CHECK_OK(tokenwell_client_token(client, 55 * MINUTE_MS, 0, 0, &token, &error), &error);
    CHECK(strcmp(first, tokenwell_token_value(token, NULL)) != 0);
    tokenwell_token_free(token);

    CHECK_UINT(2, emulator_counter("token_requests"));
    free(first);
    tokenwell_client_free(client);
}

static void after_a_401_ten_invalidates_cause_one_token_request(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    char *refused = get_value(client);

    /* Ten threads see the same 401. The second to the tenth invalidate have no effect. */
    CHECK_OK(tokenwell_client_invalidate(client, refused, strlen(refused), &error), &error);
    char *fresh = get_value(client);
    for (int i = 0; i < 9; i++) CHECK_OK(tokenwell_client_invalidate(client, refused, strlen(refused), &error), &error);
    char *still = get_value(client);

    CHECK(strcmp(refused, fresh) != 0);
    CHECK_TEXT(fresh, still);
    CHECK_UINT(2, emulator_counter("token_requests"));
    free(still);
    free(fresh);
    free(refused);
    tokenwell_client_free(client);
}

static void revoke_revokes_the_token_at_the_server(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    char *first = get_value(client);

    CHECK_OK(tokenwell_client_revoke(client, 0, &error), &error);

    CHECK_UINT(1, emulator_counter("revoke_requests"));
    CHECK_UINT(0, emulator_counter("live_tokens"));
    char *second = get_value(client);
    CHECK(strcmp(first, second) != 0);
    free(second);
    free(first);
    tokenwell_client_free(client);
}

static void an_error_contains_what_the_server_answered(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    size_t message_length = 0, hint_length = 0;
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":429,\"headers\":{\"Retry-After\":\"30\"},"
                    "\"body\":{\"error\":\"rate_limited\",\"error_description\":\"10 requests in 1 minute\"}}]");

    CHECK_INT(TOKENWELL_STATUS_RATE_LIMITED, tokenwell_client_token(client, 0, 0, 0, &token, &error));

    if (CHECK(error != NULL)) {
        CHECK_INT(TOKENWELL_STATUS_RATE_LIMITED, tokenwell_error_status(error));
        CHECK_TEXT("RATE_LIMITED", tokenwell_error_name(error));
        CHECK_INT(429, tokenwell_error_http_status(error));
        int64_t retry_after = tokenwell_error_retry_after_ms(error);
        CHECK(retry_after > 0 && retry_after <= 60000);
        CHECK_HAS("10 requests in 1 minute", tokenwell_error_message(error, &message_length));
        CHECK_UINT(strlen(tokenwell_error_message(error, NULL)), message_length);
        CHECK_HAS("Wait 3", tokenwell_error_hint(error, &hint_length));
        CHECK_UINT(strlen(tokenwell_error_hint(error, NULL)), hint_length);
    }
    tokenwell_error_free(error);
    tokenwell_client_free(client);
}

static void an_unreachable_server_has_no_http_status(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    /* No program listens on port 1 of loopback. */
    CHECK_OK(set(config, "base_url", "http://127.0.0.1:1", &error), &error);
    CHECK_OK(set(config, "timeout_ms", "2000", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);

    tokenwell_status status = tokenwell_client_token(client, 0, 0, 0, &token, &error);

    CHECK(status == TOKENWELL_STATUS_NETWORK || status == TOKENWELL_STATUS_DEADLINE);
    CHECK_INT(0, tokenwell_error_http_status(error));
    tokenwell_error_free(error);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

/* ---- many threads on one client, all calls concurrently ---- */

static const tokenwell_client *shared;
static atomic_bool stop;

static void *get_until_stopped(void *data)
{
    atomic_uint *bad = data;
    const uint64_t *counter = tokenwell_client_generation(shared);
    while (!atomic_load(&stop)) {
        uint64_t before = __atomic_load_n(counter, __ATOMIC_ACQUIRE);
        tokenwell_token *token = NULL;
        if (tokenwell_client_token(shared, 0, 60000, 0, &token, NULL) != TOKENWELL_STATUS_OK || tokenwell_token_generation(token) < before) {
            atomic_fetch_add(bad, 1);
        }
        tokenwell_token_free(token);
    }
    return NULL;
}

static void readers_and_writers_share_one_client(void)
{
    enum { READERS = 8, ROUNDS = 20 };
    pthread_t readers[READERS];
    atomic_uint bad = 0;
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    shared = client;
    atomic_store(&stop, false);
    for (int i = 0; i < READERS; i++) {
        if (pthread_create(&readers[i], NULL, get_until_stopped, &bad) != 0) abort();
    }

    for (int i = 0; i < ROUNDS; i++) {
        char *value = get_value(client);
        /* New tokens that are rejected in a row would pause token requests. */
        CHECK_OK(tokenwell_client_advance_clock(client, MINUTE_MS, &error), &error);
        CHECK_OK(tokenwell_client_invalidate(client, value, strlen(value), &error), &error);
        stats_of(client);
        free(value);
    }

    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    CHECK_UINT(0, atomic_load(&bad));
    CHECK_UINT(ROUNDS, stats_of(client).invalidations);
    tokenwell_client_free(client);
}

const test get_tests[] = {
    TEST(one_hundred_cold_threads_cost_one_request),
    TEST(ten_thousand_gets_across_three_expiries_cost_four_requests),
    TEST(a_token_expires_an_hour_after_its_request),
    TEST(the_generation_changes_when_and_only_when_the_token_does),
    TEST(a_kept_copy_is_fresh_under_the_system_clock_only),
    NATIVE_TEST(no_call_waits_for_a_refresh_while_the_token_is_valid, "it measures time, and valgrind makes everything many times slower"),
    TEST(a_caller_that_gives_up_does_not_spoil_the_refresh_for_others),
    TEST(the_deadline_of_one_caller_does_not_affect_another),
    TEST(min_ttl_is_satisfied_from_the_cache_or_by_a_refresh),
    TEST(after_a_401_ten_invalidates_cause_one_token_request),
    TEST(revoke_revokes_the_token_at_the_server),
    TEST(an_error_contains_what_the_server_answered),
    TEST(an_unreachable_server_has_no_http_status),
    TEST(readers_and_writers_share_one_client),
    END_OF_TESTS,
};
