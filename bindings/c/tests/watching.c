/* Stats and log messages. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- the log and fork ---- */

enum { LONG_ENOUGH_MS = 500 };

typedef struct {
    atomic_bool inside;    /* a call of the callback is running */
    atomic_bool removed;   /* log_set(NULL) has returned */
    atomic_bool used_late; /* the callback was running after that */
    pid_t *forked;         /* not NULL: the first call forks */
    const tokenwell_client *client;
    pthread_t remover;
} slow_log;

static void *remove_the_callback(void *data)
{
    slow_log *log = data;
    DEMAND(tokenwell_log_set(NULL, NULL, 0, NULL) == TOKENWELL_STATUS_OK);
    /* The child that was forked inside the callback has no other thread of the program. */
    if (log->forked) _exit(atomic_load(&log->inside) ? 3 : 0);
    atomic_store(&log->removed, true);
    return NULL;
}

/* Runs until the callback was removed meanwhile, which must not happen, or long enough. */
static void take_long(void *user_data, int32_t level, const char *message, size_t length)
{
    slow_log *log = user_data;
    (void)level, (void)message, (void)length;
    if (log->forked && *log->forked == -1) {
        fflush(NULL);
        *log->forked = fork();
        if (*log->forked > 0) return;
        atomic_store(&log->inside, true);
        if (pthread_create(&log->remover, NULL, remove_the_callback, log) != 0) abort();
    }
    atomic_store(&log->inside, true);
    for (uint64_t started = now_ms(); now_ms() - started < LONG_ENOUGH_MS && !atomic_load(&log->removed);) pause_ms(1);
    if (atomic_load(&log->removed)) atomic_store(&log->used_late, true);
    atomic_store(&log->inside, false);
}

/* Makes the library log a warning before this returns: the cache cannot be used. */
static void *log_a_warning(void *data)
{
    slow_log *log = data;
    DEMAND(tokenwell_client_invalidate(log->client, "x", 1, NULL) == TOKENWELL_STATUS_OK);
    return NULL;
}

static tokenwell_client *client_with_an_unusable_cache(void)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(set(config, "cache", "on", &error), &error);
    CHECK_OK(set(config, "cache_dir", "/dev/null/cache", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);
    return client;
}

static void check_child(pid_t child)
{
    int ended = 0;
    waitpid(child, &ended, 0);
    CHECK(WIFEXITED(ended));
    CHECK_INT(0, WEXITSTATUS(ended));
}

static void r14_a_forked_child_waits_for_a_callback_on_its_own_thread(void)
{
    static slow_log log;
    tokenwell_client *client = client_with_an_unusable_cache();
    log.client = client;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(take_long, &log, 4, NULL));

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, log_a_warning, &log) != 0) abort();
        while (!atomic_load(&log.inside)) pause_ms(1);
        remove_the_callback(&log);
        pthread_join(thread, NULL);
        DEMAND(!atomic_load(&log.used_late));
        _exit(0);
    }
    check_child(child);

    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 0, NULL));
    tokenwell_client_free(client);
}

static void r14_a_child_that_was_forked_inside_a_callback_waits_for_it(void)
{
    static slow_log log;
    static pid_t child = -1;
    tokenwell_client *client = client_with_an_unusable_cache();
    log.client = client;
    log.forked = &child;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(take_long, &log, 4, NULL));

    log_a_warning(&log);
    CHECK(child > 0);
    check_child(child);

    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 0, NULL));
    tokenwell_client_free(client);
}

static void r14_a_forked_child_does_not_wait_for_the_threads_of_its_parent(void)
{
    static slow_log log;
    pthread_t thread;
    tokenwell_client *client = client_with_an_unusable_cache();
    log.client = client;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(take_long, &log, 4, NULL));
    if (pthread_create(&thread, NULL, log_a_warning, &log) != 0) abort();
    while (!atomic_load(&log.inside)) pause_ms(1);

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        DEMAND(tokenwell_log_set(NULL, NULL, 0, NULL) == TOKENWELL_STATUS_OK);
        _exit(0);
    }
    check_child(child);

    pthread_join(thread, NULL);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 0, NULL));
    tokenwell_client_free(client);
}

/* ---- the log of one client ---- */

typedef struct {
    pthread_mutex_t lock;
    char lines[64][400];
    unsigned count;
} line_log;

static void keep_the_line(void *user_data, int32_t level, const char *message, size_t length)
{
    line_log *log = user_data;
    (void)level, (void)length;
    pthread_mutex_lock(&log->lock);
    if (log->count < 64) snprintf(log->lines[log->count++], sizeof log->lines[0], "%s", message);
    pthread_mutex_unlock(&log->lock);
}

/* The number of the client that all lines are about. 0, and a failed check, if they differ. */
static unsigned client_of(line_log *log)
{
    unsigned client = 0;
    CHECK(log->count > 0);
    for (unsigned i = 0; i < log->count; i++) {
        const char *found = strstr(log->lines[i], " client=");
        unsigned number = found ? (unsigned)strtoul(found + strlen(" client="), NULL, 10) : 0;
        if (!CHECK(number != 0 && (client == 0 || client == number))) printf("  %s\n", log->lines[i]);
        client = number;
    }
    return client;
}

static void r28_a_client_with_a_log_of_its_own_logs_there_alone(void)
{
    static line_log own = {.lock = PTHREAD_MUTEX_INITIALIZER}, common = {.lock = PTHREAD_MUTEX_INITIALIZER}, later = {.lock = PTHREAD_MUTEX_INITIALIZER};
    tokenwell_client *first = client_with_an_unusable_cache(), *second = client_with_an_unusable_cache();
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_log_set(keep_the_line, &common, 4, &error), &error);
    CHECK_OK(tokenwell_client_log_set(first, keep_the_line, &own, 4, &error), &error);

    /* Lines of the refresh's thread and of this thread. */
    for (int i = 0; i < 2; i++) {
        tokenwell_client *client = i ? second : first;
        tokenwell_token_free(get(client));
        CHECK_OK(tokenwell_client_invalidate(client, "x", 1, &error), &error);
    }
    CHECK_OK(tokenwell_client_log_set(first, NULL, NULL, 0, &error), &error);
    CHECK_OK(tokenwell_log_set(keep_the_line, &later, 4, &error), &error);
    unsigned before = own.count;
    char *value = get_value(first);
    CHECK_OK(tokenwell_client_invalidate(first, value, strlen(value), &error), &error);
    tokenwell_token_free(get(first));
    CHECK_OK(tokenwell_log_set(NULL, NULL, 0, &error), &error);

    CHECK(own.count >= 2);
    CHECK(client_of(&own) + 1 == client_of(&common));
    CHECK_UINT(client_of(&own), client_of(&later));
    CHECK_UINT(before, own.count);
    free(value);
    tokenwell_client_free(first), tokenwell_client_free(second);
}

static void r28_a_freed_client_does_not_call_its_log(void)
{
    static log_book book;
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_log_set(client, write_down, &book, 4, NULL));
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"delay_ms\":300,\"status\":503},"
                    "{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":401}]");
    CHECK_INT(TOKENWELL_STATUS_DEADLINE, tokenwell_client_token(client, 0, 50, 0, &token, NULL));

    /* The refresh outlives its client, and logs two responses. */
    tokenwell_client_free(client);
    atomic_store(&book.off, true);
    CHECK(emulator_wait_for("token_requests", 2));
    pause_ms(100);

    CHECK_UINT(0, atomic_load(&book.after_off));
}

static atomic_int inside_status;

static void replace_itself(void *user_data, int32_t level, const char *message, size_t length)
{
    (void)level, (void)message, (void)length;
    atomic_store(&inside_status, (int)tokenwell_log_set(NULL, NULL, 0, NULL));
    (void)user_data;
}

static void a_callback_that_replaces_itself_gets_an_error(void)
{
    tokenwell_client *client = client_with_an_unusable_cache();
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(replace_itself, NULL, 4, NULL));

    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_invalidate(client, "x", 1, NULL));

    CHECK_INT(TOKENWELL_STATUS_INVALID_ARGUMENT, atomic_load(&inside_status));
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 0, NULL));
    tokenwell_client_free(client);
}

const test watching_tests[] = {
    TEST(the_stats_count_each_event),
    TEST(an_older_program_gets_the_members_it_knows),
    TEST(a_newer_program_gets_zero_for_unknown_members),
    TEST(i21_each_level_logs_its_lines_and_no_secret),
    TEST(a_replaced_callback_is_not_called_again),
    TEST(nothing_is_logged_after_the_callback_was_removed),
    TEST(an_unknown_level_is_rejected),
    NATIVE_TEST(r14_a_forked_child_waits_for_a_callback_on_its_own_thread, "valgrind would follow the child and report memory that the child leaves to its end on purpose"),
    NATIVE_TEST(r14_a_child_that_was_forked_inside_a_callback_waits_for_it, "valgrind would follow the child and report memory that the child leaves to its end on purpose"),
    NATIVE_TEST(r14_a_forked_child_does_not_wait_for_the_threads_of_its_parent, "valgrind would follow the child and report memory that the child leaves to its end on purpose"),
    TEST(r28_a_client_with_a_log_of_its_own_logs_there_alone),
    TEST(r28_a_freed_client_does_not_call_its_log),
    TEST(a_callback_that_replaces_itself_gets_an_error),
    END_OF_TESTS,
};
