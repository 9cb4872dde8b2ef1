/* Stats and log messages. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };

/* ---- stats ---- */

static void the_stats_count_each_event(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    tokenwell_token *none = NULL;

    tokenwell_stats stats = stats_of(client);
    CHECK_UINT(0, stats.hits + stats.waits + stats.refreshes + stats.mints + stats.mint_failures + stats.stale_served + stats.cooldown_answers +
                      stats.invalidations);

    /* One get that waits for a token request, and three gets from memory. */
    char *value = get_value(client);
    for (int i = 0; i < 3; i++) tokenwell_token_free(get(client));
    stats = stats_of(client);
    CHECK_UINT(3, stats.hits);
    CHECK_UINT(1, stats.waits);
    CHECK_UINT(1, stats.refreshes);
    CHECK_UINT(1, stats.mints);

    /* One invalidate that drops the token and one that does not. */
    CHECK_OK(tokenwell_client_invalidate(client, value, strlen(value), &error), &error);
    CHECK_OK(tokenwell_client_invalidate(client, value, strlen(value), &error), &error);
    CHECK_UINT(1, stats_of(client).invalidations);

    /* One failed refresh, and one get that returns the remembered error. */
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]");
    CHECK_FAILS(TOKENWELL_STATUS_CREDENTIAL_REJECTED, tokenwell_client_token(client, 0, 0, 0, &none, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CREDENTIAL_REJECTED, tokenwell_client_token(client, 0, 0, 0, &none, &error), &error);
    stats = stats_of(client);
    CHECK_UINT(1, stats.mint_failures);
    CHECK_UINT(1, stats.cooldown_answers);
    CHECK_UINT(2, emulator_counter("token_requests"));

    free(value);
    tokenwell_client_free(client);
}

static void an_older_program_gets_the_members_it_knows(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token_free(get(client));
    tokenwell_token_free(get(client));
    static const size_t sizes[] = {8, 16, 12, 1};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char room[sizeof(tokenwell_stats)], beyond[sizeof room];
        tokenwell_error *error = NULL;
        memset(room, 0xa5, sizeof room);
        memset(beyond, 0xa5, sizeof beyond);

        tokenwell_status status = tokenwell_client_stats(client, (tokenwell_stats *)(void *)room, sizes[i], &error);

        /* For a size that no version had, at most that many bytes are written. */
        CHECK(memcmp(room + sizes[i], beyond, sizeof room - sizes[i]) == 0);
        if (sizes[i] % 8 == 0) {
            uint64_t hits;
            memcpy(&hits, room, sizeof hits);
            CHECK_OK(status, &error);
            CHECK_UINT(1, hits);
        }
        tokenwell_error_free(error);
    }
    tokenwell_client_free(client);
}

static void a_newer_program_gets_zero_for_unknown_members(void)
{
    struct { tokenwell_stats known; uint64_t newer[4]; uint64_t beyond; } room;
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    tokenwell_token_free(get(client));
    memset(&room, 0xa5, sizeof room);

    CHECK_OK(tokenwell_client_stats(client, &room.known, sizeof room.known + sizeof room.newer, &error), &error);

    CHECK_UINT(1, room.known.mints);
    for (int i = 0; i < 4; i++) CHECK_UINT(0, room.newer[i]);
    CHECK_UINT(0xa5a5a5a5a5a5a5a5u, room.beyond);
    tokenwell_client_free(client);
}

/* ---- the log ---- */

typedef struct {
    atomic_uint of_level[5]; /* messages by level; [0] counts unknown levels */
    atomic_uint not_text;    /* messages that are empty or contain a control character */
    atomic_uint canaries;    /* messages that contain the client secret */
    atomic_bool off;         /* set after log_set(NULL) has returned */
    atomic_uint after_off;
} log_book;

static void write_down(void *user_data, int32_t level, const char *message, size_t length)
{
    log_book *book = user_data;
    const char *secret = getenv("MONGODB_ATLAS_CLIENT_SECRET");
    if (atomic_load(&book->off)) atomic_fetch_add(&book->after_off, 1);
    atomic_fetch_add(&book->of_level[level >= 1 && level <= 4 ? level : 0], 1);
    if (length == 0) atomic_fetch_add(&book->not_text, 1);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)message[i] < 0x20 || message[i] == 0x7f) atomic_fetch_add(&book->not_text, 1);
        if (secret && length - i >= strlen(secret) && memcmp(message + i, secret, strlen(secret)) == 0) atomic_fetch_add(&book->canaries, 1);
    }
}

static unsigned all_of(log_book *book)
{
    unsigned sum = 0;
    for (int level = 0; level < 5; level++) sum += atomic_load(&book->of_level[level]);
    return sum;
}

/*
 * A get, a failed background refresh with a valid token (which logs a warning), and a revocation.
 */
static void make_noise(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_token *token = NULL;
    emulator_reset();
    tokenwell_token_free(get(client));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_advance_clock(client, 51 * MINUTE_MS, NULL));
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]");
    tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &token, NULL);
    tokenwell_token_free(token);
    wait_for_refreshes(client, 2);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_revoke(client, 0, NULL));
    tokenwell_client_free(client);
}

static void i21_each_level_logs_its_lines_and_no_secret(void)
{
    unsigned before = 0;

    for (int32_t max_level = 1; max_level <= 4; max_level++) {
        static log_book books[5];
        log_book *book = &books[max_level];
        tokenwell_error *error = NULL;

        CHECK_OK(tokenwell_log_set(write_down, book, max_level, &error), &error);
        make_noise();
        CHECK_OK(tokenwell_log_set(NULL, NULL, 0, &error), &error);

        CHECK_UINT(0, atomic_load(&book->of_level[0]));
        for (int32_t level = max_level + 1; level <= 4; level++) CHECK_UINT(0, atomic_load(&book->of_level[level]));
        CHECK_UINT(0, atomic_load(&book->not_text));
        CHECK_UINT(0, atomic_load(&book->canaries));
        CHECK(all_of(book) >= before);
        if (max_level >= 2) CHECK(atomic_load(&book->of_level[2]) >= 1);
        if (max_level == 4) CHECK(atomic_load(&book->of_level[4]) >= 1);
        before = all_of(book);
    }
}

static void a_replaced_callback_is_not_called_again(void)
{
    static log_book first, second;
    tokenwell_error *error = NULL;

    CHECK_OK(tokenwell_log_set(write_down, &first, 4, &error), &error);
    make_noise();
    CHECK_OK(tokenwell_log_set(write_down, &second, 4, &error), &error);
    atomic_store(&first.off, true);
    make_noise();
    CHECK_OK(tokenwell_log_set(NULL, NULL, 0, &error), &error);

    CHECK(all_of(&first) > 0 && all_of(&second) > 0);
    CHECK_UINT(0, atomic_load(&first.after_off));
}

static const tokenwell_client *noisy;
static atomic_bool stop;

static void *force_until_stopped(void *data)
{
    (void)data;
    while (!atomic_load(&stop)) {
        tokenwell_token *token = NULL;
        tokenwell_client_token(noisy, 0, 60000, TOKENWELL_FORCE_REFRESH, &token, NULL);
        tokenwell_token_free(token);
    }
    return NULL;
}

static void nothing_is_logged_after_the_callback_was_removed(void)
{
    enum { THREADS = 4, ROUNDS = 20 };
    static log_book books[ROUNDS];
    pthread_t threads[THREADS];
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    noisy = client;
    atomic_store(&stop, false);
    /* The server always returns a new short-lived token, so the limit of 100 tokens is never
     * reached. */
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":200,\"body\":{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3600}}]");
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, force_until_stopped, NULL) != 0) abort();
    }

    for (int round = 0; round < ROUNDS; round++) {
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(write_down, &books[round], 4, NULL));
        for (uint64_t started = now_ms(); all_of(&books[round]) == 0 && now_ms() - started < 60000;) pause_ms(1);
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 0, NULL));
        atomic_store(&books[round].off, true);
        if (!CHECK(all_of(&books[round]) > 0)) break;
    }

    pause_ms(50);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int round = 0; round < ROUNDS; round++) CHECK_UINT(0, atomic_load(&books[round].after_off));
    tokenwell_client_free(client);
}

static void an_unknown_level_is_rejected(void)
{
    static log_book book;
    tokenwell_error *error = NULL;

    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "max_level", tokenwell_log_set(write_down, &book, 0, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "max_level", tokenwell_log_set(write_down, &book, 5, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "max_level", tokenwell_log_set(write_down, &book, -1, &error), &error);

    make_noise();
    CHECK_UINT(0, all_of(&book));
}

const test watching_tests[] = {
    TEST(the_stats_count_each_event),
    TEST(an_older_program_gets_the_members_it_knows),
    TEST(a_newer_program_gets_zero_for_unknown_members),
    TEST(i21_each_level_logs_its_lines_and_no_secret),
    TEST(a_replaced_callback_is_not_called_again),
    TEST(nothing_is_logged_after_the_callback_was_removed),
    TEST(an_unknown_level_is_rejected),
    END_OF_TESTS,
};
