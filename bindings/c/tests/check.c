#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "loopback_http.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_uint failures; /* of the running test */
static const char *reason_to_skip;

static void *must(void *memory);
static void give_up(const char *what, tokenwell_error *error);
static char *control(const char *method, const char *path, const char *body);

/* ---- main ---- */

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "--child") == 0) return run_child(arguments[2]);

    static const test *const files[] = {argument_tests, string_tests, get_tests, lifetime_tests, watching_tests, process_tests, no_thread_tests,
                                       cancellation_tests, error_tests, secret_callback_tests, fork_tests, inherited_tests, allocation_tests,
                                       environment_tests, operation_tests, operation_cancel_tests, operation_close_tests, operation_callback_tests,
                                       operation_queue_tests, operation_fork_tests, operation_crowd_tests, event_loop_tests,
                                       save_tests, step_tests, description_tests, api_request_tests, concurrent_tests, concurrent_operation_tests};
    const char *only = count == 2 ? arguments[1] : NULL;
    bool valgrind = getenv("UNDER_VALGRIND") != NULL;
    unsigned passed = 0, failed = 0, skipped = 0, lacking = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (const test *each = files[i]; each->name; each++) {
            if (only && strcmp(only, each->name) != 0) continue;
            if (valgrind && each->not_under_valgrind) {
                printf("not under valgrind: %s: %s\n", each->name, each->not_under_valgrind);
                skipped++;
                continue;
            }
            atomic_store(&failures, 0);
            emulator_reset();
            uint64_t started = now_ms();
            each->run();
            if (reason_to_skip) {
                printf("skipped %s: %s\n", each->name, reason_to_skip);
                reason_to_skip = NULL;
                lacking++;
                continue;
            }
            bool good = atomic_load(&failures) == 0;
            printf("%s %s (%" PRIu64 " ms)\n", good ? "ok" : "FAIL", each->name, now_ms() - started);
            if (good) passed++; else failed++;
        }
    }
    if (skipped) printf("%u tests skipped under valgrind, each for the reason printed above; they run natively\n", skipped);
    printf("c: %u passed, %u failed\n", passed, failed);
    return failed || (passed == 0 && lacking == 0);
}

void skip_this_test(const char *reason)
{
    reason_to_skip = reason;
}

/* ---- checks ---- */

static void report(const char *file, int line, const char *what, const char *expected, const char *got)
{
    atomic_fetch_add(&failures, 1);
    printf("%s:%d: %s\n  expected: %s\n  got:      %s\n", file, line, what, expected, got);
}

void demand(bool condition, const char *file, int line, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s:%d: in the child: %s is false\n", file, line, what);
    fflush(NULL);
    _exit(3);
}

bool check_that(bool condition, const char *file, int line, const char *what)
{
    if (!condition) report(file, line, what, "true", "false");
    return condition;
}

bool check_int(int64_t expected, int64_t got, const char *file, int line, const char *what)
{
    char wanted[24], came[24];
    snprintf(wanted, sizeof wanted, "%" PRId64, expected);
    snprintf(came, sizeof came, "%" PRId64, got);
    if (expected != got) report(file, line, what, wanted, came);
    return expected == got;
}

bool check_uint(uint64_t expected, uint64_t got, const char *file, int line, const char *what)
{
    char wanted[24], came[24];
    snprintf(wanted, sizeof wanted, "%" PRIu64, expected);
    snprintf(came, sizeof came, "%" PRIu64, got);
    if (expected != got) report(file, line, what, wanted, came);
    return expected == got;
}

bool check_text(const char *expected, const char *got, const char *file, int line, const char *what)
{
    bool same = expected && got ? strcmp(expected, got) == 0 : expected == got;
    if (!same) report(file, line, what, expected ? expected : "NULL", got ? got : "NULL");
    return same;
}

bool check_has(const char *needle, const char *text, bool wanted, const char *file, int line, const char *what)
{
    bool good = text && (strstr(text, needle) != NULL) == wanted;
    if (!good) {
        char expected[256];
        snprintf(expected, sizeof expected, "a string %s \"%s\"", wanted ? "with" : "without", needle);
        report(file, line, what, expected, text ? text : "NULL");
    }
    return good;
}

static void show_error(char *text, size_t size, tokenwell_status status, const tokenwell_error *error)
{
    snprintf(text, size, "%s: %.300s", tokenwell_status_name(status), error ? tokenwell_error_message(error, NULL) : "(no error given)");
}

bool check_ok(tokenwell_status status, tokenwell_error **error, const char *file, int line, const char *what)
{
    bool good = status == TOKENWELL_STATUS_OK && (!error || !*error);
    if (!good) {
        char got[400];
        show_error(got, sizeof got, status, error ? *error : NULL);
        report(file, line, what, "OK and no error", got);
    }
    if (error) {
        tokenwell_error_free(*error);
        *error = NULL;
    }
    return good;
}

bool check_fails(tokenwell_status expected, tokenwell_status status, tokenwell_error **error, const char *word, const char *file, int line,
                 const char *what)
{
    bool good = status == expected;
    if (error) {
        good = good && *error && tokenwell_error_status(*error) == expected && strcmp(tokenwell_error_name(*error), tokenwell_status_name(expected)) == 0 &&
               strlen(tokenwell_error_message(*error, NULL)) > 0 && strlen(tokenwell_error_hint(*error, NULL)) > 0 &&
               (!word || strstr(tokenwell_error_message(*error, NULL), word));
    }
    if (!good) {
        char wanted[200], got[400];
        snprintf(wanted, sizeof wanted, "%s and an error with message and hint%s%s", tokenwell_status_name(expected), word ? " naming " : "", word ? word : "");
        show_error(got, sizeof got, status, error ? *error : NULL);
        report(file, line, what, wanted, got);
    }
    if (error) {
        tokenwell_error_free(*error);
        *error = NULL;
    }
    return good;
}

/* ---- clients ---- */

tokenwell_config *emulator_config(which_clock clock)
{
    tokenwell_config *config = NULL;
    tokenwell_error *error = NULL;
    char now[24];
    if (tokenwell_config_new(&config, &error) != TOKENWELL_STATUS_OK ||
        set(config, "base_url", need_environment("MONGODB_ATLAS_BASE_URL"), &error) != TOKENWELL_STATUS_OK ||
        set(config, "client_id", need_environment("MONGODB_ATLAS_CLIENT_ID"), &error) != TOKENWELL_STATUS_OK ||
        set(config, "client_secret", need_environment("MONGODB_ATLAS_CLIENT_SECRET"), &error) != TOKENWELL_STATUS_OK) {
        give_up("cannot create a config for the emulator", error);
    }
    if (clock == MANUAL_CLOCK) {
        snprintf(now, sizeof now, "%" PRIu64, emulator_now_ms());
        if (set(config, "manual_clock_ms", now, &error) != TOKENWELL_STATUS_OK) give_up("cannot set the manual clock", error);
    }
    return config;
}

tokenwell_client *emulator_client(which_clock clock)
{
    tokenwell_config *config = emulator_config(clock);
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    if (tokenwell_client_new(config, &client, &error) != TOKENWELL_STATUS_OK) give_up("cannot create a client for the emulator", error);
    tokenwell_config_free(config);
    return client;
}

tokenwell_status set(tokenwell_config *config, const char *name, const char *value, tokenwell_error **error)
{
    return tokenwell_config_set(config, name, strlen(name), value, strlen(value), error);
}

tokenwell_token *get(const tokenwell_client *client)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_client_token(client, 0, 0, 0, &token, &error), &error);
    return token;
}

char *get_value(const tokenwell_client *client)
{
    tokenwell_token *token = get(client);
    const char *value = tokenwell_token_value(token, NULL);
    char *copy = must(strdup(value ? value : ""));
    tokenwell_token_free(token);
    return copy;
}

tokenwell_stats stats_of(const tokenwell_client *client)
{
    tokenwell_stats stats;
    tokenwell_error *error = NULL;
    memset(&stats, 0, sizeof stats);
    CHECK_OK(tokenwell_client_stats(client, &stats, sizeof stats, &error), &error);
    return stats;
}

uint64_t generation_of(const tokenwell_client *client)
{
    const uint64_t *counter = tokenwell_client_generation(client);
    if (!CHECK(counter != NULL)) return 0;
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

void wait_for_refreshes(const tokenwell_client *client, uint64_t ended)
{
    for (uint64_t started = now_ms(); now_ms() - started < 60000; pause_ms(5)) {
        tokenwell_stats stats = stats_of(client);
        if (stats.mints + stats.mint_failures >= ended) return;
    }
    CHECK(!"the refreshes finished within a minute");
}

/* ---- the emulator's control API ---- */

void emulator_reset(void)
{
    free(control("POST", "/_emulator/reset", ""));
}

void emulator_faults(const char *faults)
{
    free(control("POST", "/_emulator/faults", faults));
}

void emulator_settings(const char *settings)
{
    free(control("POST", "/_emulator/settings", settings));
}

static uint64_t number_in(const char *json, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(json, key);
    if (!found) {
        fprintf(stderr, "the emulator's answer has no %s: %s\n", name, json);
        exit(2);
    }
    return strtoull(found + strlen(key), NULL, 10);
}

uint64_t emulator_counter(const char *name)
{
    char *answer = control("GET", "/_emulator/counters", NULL);
    uint64_t value = number_in(answer, name);
    free(answer);
    return value;
}

uint64_t emulator_now_ms(void)
{
    char *answer = control("GET", "/_emulator/clock", NULL);
    uint64_t value = number_in(answer, "now_ms");
    free(answer);
    return value;
}

bool emulator_wait_for(const char *counter, uint64_t at_least)
{
    for (uint64_t started = now_ms(); now_ms() - started < 60000; pause_ms(5)) {
        if (emulator_counter(counter) >= at_least) return true;
    }
    return false;
}

/* No test is meaningful without the control API, so every failure here exits the program. */
static char *control(const char *method, const char *path, const char *body)
{
    loopback_reply reply;
    const char *problem;
    const char *base = need_environment("MONGODB_ATLAS_BASE_URL");
    if (loopback_http(method, base, path, "", body, &reply, &problem) != 0) {
        fprintf(stderr, "%s %s%s: %s\n", method, base, path, problem);
        exit(2);
    }
    if (reply.status < 200 || reply.status > 299) {
        fprintf(stderr, "%s %s%s: HTTP status %d: %s\n", method, base, path, reply.status, reply.body);
        exit(2);
    }
    return reply.body;
}

/* ---- utilities ---- */

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void pause_ms(unsigned ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

int exit_code_of(pid_t child)
{
    int status = 0;
    if (child < 0) return -1;
    for (uint64_t started = now_ms(); now_ms() - started < 120000; pause_ms(2)) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        if (ended < 0 && errno != EINTR) return -1;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return 2000;
}

unsigned threads_of_this_process(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *each; tasks && (each = readdir(tasks));) count += each->d_name[0] != '.';
    if (tasks) closedir(tasks);
    return count;
}

unsigned threads_of_the_library(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *each; tasks && (each = readdir(tasks));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", each->d_name);
        FILE *comm = fopen(path, "r");
        if (comm && fgets(name, sizeof name, comm)) count += strncmp(name, "tokenwell", strlen("tokenwell")) == 0;
        if (comm) fclose(comm);
    }
    if (tasks) closedir(tasks);
    return count;
}

const char *need_environment(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "%s is not set: run these tests with `make -C bindings/c test`, which starts an emulator for them\n", name);
        exit(2);
    }
    return value;
}

static void *must(void *memory)
{
    if (!memory) give_up("out of memory", NULL);
    return memory;
}

static void give_up(const char *what, tokenwell_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error ? tokenwell_error_message(error, NULL) : "no reason given");
    exit(2);
}
