/*
 * Everything that threads may do with a client, all of it concurrently and in a random order: gets
 * from memory, refreshes and their failures, invalidate, revoke, fork, close, free, and a log that
 * is turned on and off. What each call must return is the subject of other files. Here it counts
 * that nothing is accessed after it was freed, nothing leaks and no two threads race: valgrind and
 * the suites asan, tsan and memcheck of `make test-more` run this file.
 *
 * CONCURRENT_ROUNDS (3) and CONCURRENT_SEED (1) change the run.
 */
#define _GNU_SOURCE
#include "concurrent.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 6, STEPS = 40, CHILDREN = 3, STATUSES = 64 };

/* The server fails in every way, and otherwise returns tokens that differ. */
static const char *const server_moods[] = {
    "[]",
    "[{\"path\":\"/api/oauth/token\",\"times\":2,\"delay_ms\":15,\"then_serve\":true}]",
    "[{\"path\":\"/api/oauth/token\",\"times\":2,\"status\":500,\"body\":\"no\"}]",
    "[{\"path\":\"/api/oauth/token\",\"times\":2,\"close\":\"reset\"}]",
    "[{\"path\":\"/api/oauth/token\",\"times\":1,\"close\":\"before_reply\"}]",
    "[{\"path\":\"/api/oauth/token\",\"times\":1,\"close\":\"mid_reply\"}]",
    "[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]",
    "[{\"path\":\"/api/oauth/token\",\"times\":1,\"status\":200,\"body\":\"{\"}]",
    "[{\"path\":\"/api/oauth/revoke\",\"times\":1,\"status\":503,\"body\":\"no\"}]",
};

unsigned concurrent_rounds(void)
{
    const char *rounds = getenv("CONCURRENT_ROUNDS");
    return rounds ? (unsigned)strtoul(rounds, NULL, 10) : 3;
}

void seed_dice(dice *own, unsigned round, unsigned thread)
{
    const char *seed = getenv("CONCURRENT_SEED");
    own->state = ((seed ? strtoull(seed, NULL, 10) : 1) * 1000 + round * 50 + thread) * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 8; i++) roll(own, 2);
}

unsigned roll(dice *own, unsigned below)
{
    own->state ^= own->state << 13;
    own->state ^= own->state >> 7;
    own->state ^= own->state << 17;
    return (unsigned)(own->state >> 33) % below;
}

void change_the_mood_of_the_server(dice *own)
{
    emulator_faults(server_moods[roll(own, sizeof server_moods / sizeof *server_moods)]);
}

void start_thread(pthread_t *thread, void *(*run)(void *), void *data)
{
    if (pthread_create(thread, NULL, run, data) != 0) abort();
}

int code_of_child(pid_t child)
{
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- the cache directory of a round ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void make_directory(char *path, size_t size)
{
    snprintf(path, size, "/tmp/tokenwell-concurrent-XXXXXX");
    if (!mkdtemp(path)) abort();
}

void remove_directory(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

tokenwell_client *concurrent_client(const char *directory)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(set(config, "timeout_ms", "20000", &error), &error);
    if (directory) {
        CHECK_OK(set(config, "cache", "on", &error), &error);
        CHECK_OK(set(config, "cache_dir", directory, &error), &error);
    }
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_config_free(config);
    return client;
}

/* ---- what one thread does ---- */

typedef struct {
    const tokenwell_client *client;
    const char *directory;
    unsigned round, number;
    uint64_t bytes; /* of everything that was read, so that it is read */
} worker;

static atomic_uint statuses[STATUSES];

static void count_status(tokenwell_status status)
{
    if (CHECK(status >= 0 && status < STATUSES)) atomic_fetch_add(&statuses[status], 1);
}

static void read_error(worker *self, tokenwell_status status, tokenwell_error *error)
{
    size_t length = 0;
    if (!CHECK(error != NULL)) return;
    CHECK_INT(status, tokenwell_error_status(error));
    tokenwell_error_message(error, &length);
    self->bytes += length + strlen(tokenwell_error_message(error, NULL)) + strlen(tokenwell_error_hint(error, NULL));
    self->bytes += (uint64_t)tokenwell_error_http_status(error) + (uint64_t)tokenwell_error_retry_after_ms(error);
    tokenwell_error_free(error);
}

static void read_token(worker *self, const tokenwell_token *token)
{
    size_t length = 0;
    const char *value = tokenwell_token_value(token, &length);
    CHECK(value && strlen(value) == length);
    self->bytes += strlen(tokenwell_token_authorization(token, NULL)) + (uint64_t)tokenwell_token_expires_at_ms(token);
    self->bytes += tokenwell_token_generation(token);
    self->bytes += tokenwell_client_fresh_for_ms(self->client, token);
}

static tokenwell_token *get_with(worker *self, uint64_t min_ttl_ms, uint64_t deadline_ms, uint32_t flags)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_token(self->client, min_ttl_ms, deadline_ms, flags, &token, &error);
    count_status(status);
    CHECK((token != NULL) == (status == TOKENWELL_STATUS_OK));
    if (token) read_token(self, token); else read_error(self, status, error);
    return token;
}

static void count(worker *self, tokenwell_status status, tokenwell_error *error)
{
    count_status(status);
    if (status != TOKENWELL_STATUS_OK) read_error(self, status, error);
}

/* Returns false once the client is closed. */
static bool one_step(worker *self, dice *own)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_stats stats;
    tokenwell_status status = TOKENWELL_STATUS_OK;
    const char *value;
    switch (roll(own, 12)) {
    case 0: token = get_with(self, 0, 0, TOKENWELL_FORCE_REFRESH); break;
    case 1: token = get_with(self, 0, 1 + roll(own, 10), TOKENWELL_FORCE_REFRESH); break;
    case 2: token = get_with(self, 3599 * 1000, 5, 0); break;
    case 3:
        token = get_with(self, 0, 0, 0);
        /* Seldom: after two new tokens in a row nothing is refreshed for a minute. */
        if (!token || roll(own, 32) != 0) break;
        value = tokenwell_token_value(token, NULL);
        status = tokenwell_client_invalidate(self->client, value, strlen(value), &error);
        count(self, status, error);
        break;
    case 4:
        if (roll(own, 4) != 0) break;
        status = tokenwell_client_revoke(self->client, roll(own, 2) * 20, &error);
        count(self, status, error);
        break;
    case 5:
        CHECK_OK(tokenwell_client_stats(self->client, &stats, sizeof stats, &error), &error);
        self->bytes += stats.hits + generation_of(self->client);
        break;
    case 6: change_the_mood_of_the_server(own); break;
    case 7: {
        /* Another client with the same credential and directory. */
        worker other = *self;
        tokenwell_client *client = concurrent_client(self->directory);
        other.client = client;
        token = get_with(&other, 0, 0, roll(own, 2) ? TOKENWELL_FORCE_REFRESH : 0);
        if (roll(own, 2)) CHECK_OK(tokenwell_client_close(client, &error), &error);
        tokenwell_client_free(client);
        break;
    }
    default: token = get_with(self, 0, 0, 0); break;
    }
    tokenwell_token_free(token);
    return status != TOKENWELL_STATUS_CLOSED;
}

static void *work(void *data)
{
    worker *self = data;
    dice own;
    seed_dice(&own, self->round, self->number);
    for (int i = 0; i < STEPS && one_step(self, &own); i++) {}
    return NULL;
}

/* ---- the log ---- */

static atomic_bool stop;

static void take_line(void *user_data, int32_t level, const char *line, size_t length)
{
    unsigned *lines = user_data;
    __atomic_fetch_add(lines, level > 0 && strlen(line) == length, __ATOMIC_RELAXED);
}

/* The memory of a callback that was removed is freed immediately. */
static void *turn_the_log_on_and_off(void *nothing)
{
    while (!atomic_load(&stop)) {
        unsigned *lines = calloc(1, sizeof *lines);
        if (!lines) abort();
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(take_line, lines, 4, NULL));
        pause_ms(2);
        CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_log_set(NULL, NULL, 0, NULL));
        free(lines);
    }
    return nothing;
}

/* ---- one round ---- */

static int get_in_the_child(tokenwell_client *client)
{
    tokenwell_token *token = NULL;
    tokenwell_status status = tokenwell_client_token(client, 0, 0, 0, &token, NULL);
    bool good = (token != NULL) == (status == TOKENWELL_STATUS_OK) && status >= 0 && status < STATUSES;
    tokenwell_token_free(token);
    good = tokenwell_client_close(client, NULL) == TOKENWELL_STATUS_OK && good;
    tokenwell_client_free(client);
    return good ? 0 : 1;
}

static void one_round(unsigned round, bool forks)
{
    pthread_t threads[WORKERS], log;
    worker workers[WORKERS];
    char directory[64];
    tokenwell_error *error = NULL;
    make_directory(directory, sizeof directory);
    emulator_reset();
    tokenwell_client *client = concurrent_client(round % 2 ? directory : NULL);
    worker first = {.client = client};
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"delay_ms\":100,\"then_serve\":true}]");
    tokenwell_token_free(get_with(&first, 0, 1, TOKENWELL_FORCE_REFRESH));
    emulator_faults("[]");
    atomic_store(&stop, false);
    start_thread(&log, turn_the_log_on_and_off, NULL);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.client = client, .directory = round % 2 ? directory : NULL, .round = round, .number = i};
        start_thread(&threads[i], work, &workers[i]);
    }

    for (unsigned i = 0; forks && i < CHILDREN; i++) {
        pause_ms(5);
        pid_t child = fork();
        /* No clean-up runs in the child: state of the parent remains there on purpose. */
        if (child == 0) _exit(get_in_the_child(client));
        CHECK_INT(0, code_of_child(child));
    }
    /* In every third round all steps are done before the client is closed. */
    if (round % 3 != 0) CHECK_OK(tokenwell_client_close(client, &error), &error);
    for (unsigned i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
    /* A refresh that nobody waits for may still be running. */
    tokenwell_client_free(client);
    atomic_store(&stop, true);
    pthread_join(log, NULL);
    /* At the end of the process a thread that still runs would look like a leak. */
    for (uint64_t started = now_ms(); threads_of_the_library() > 0 && now_ms() - started < 60000;) pause_ms(2);
    remove_directory(directory);
}

static void check_what_happened(void)
{
    CHECK(atomic_load(&statuses[TOKENWELL_STATUS_OK]) > 0);
    CHECK(atomic_load(&statuses[TOKENWELL_STATUS_CLOSED]) > 0);
    CHECK(atomic_load(&statuses[TOKENWELL_STATUS_DEADLINE]) > 0);
    for (int i = 0; i < STATUSES; i++) atomic_store(&statuses[i], 0);
}

static void threads_may_do_everything_concurrently(void)
{
    for (unsigned round = 0; round < concurrent_rounds(); round++) one_round(round, false);
    check_what_happened();
}

static void threads_may_do_everything_concurrently_while_the_process_forks(void)
{
    for (unsigned round = 0; round < concurrent_rounds(); round++) one_round(round, true);
    check_what_happened();
}

#define FORKS "valgrind would follow the children and report memory that they do not free on purpose"

const test concurrent_tests[] = {
    TEST(threads_may_do_everything_concurrently),
    NATIVE_TEST(threads_may_do_everything_concurrently_while_the_process_forks, FORKS),
    END_OF_TESTS,
};
