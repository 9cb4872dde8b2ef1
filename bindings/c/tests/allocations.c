/*
 * Allocation failure: the allocations of a program fail, one after another, while it creates a
 * client, gets a token and replaces it in the shared cache. The promise (docs/architecture.md, "The
 * ABI") is a status or a clean abort, and a cache that other processes can still use.
 *
 * The loop counts the allocations and fails an evenly spread part of them: ALLOCATION_ROUNDS (200)
 * in each of four series, or all of them if it is 0. ALLOCATION_SEED (1) selects other allocations.
 */
#define _GNU_SOURCE
#include "check.h"
#include "emulators.h"
#include "fail_allocation.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HANGS_AFTER_MS = 120000,
    /* The outcomes of a child. A signal is 1000 + its number. Any other value is a failure. */
    WITH_A_TOKEN = 0,
    NOTHING_FAILED = 10,
    BROKEN_PROMISE = 50,
    WITH_A_STATUS = 100,
    KILLED = 1000,
    HUNG = 2000
};

/* ---- the child ---- */

#define PROMISED(condition)                                                                     \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(stderr, "%s:%d: in the child: %s is false\n", __FILE__, __LINE__, #condition); \
            fflush(NULL);                                                                       \
            _exit(BROKEN_PROMISE);                                                              \
        }                                                                                       \
    } while (0)

static unsigned long number_from(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);
    return value ? strtoul(value, NULL, 10) : otherwise;
}

static tokenwell_status configured(tokenwell_config *config, tokenwell_error **error)
{
    const char *ca_file = getenv("ALLOCATION_CA_FILE");
    const char *const settings[][2] = {
        {"base_url", need_environment("ALLOCATION_URL")},
        {"client_id", need_environment("MONGODB_ATLAS_CLIENT_ID")},
        {"client_secret", need_environment("MONGODB_ATLAS_CLIENT_SECRET")},
        {"cache", "on"},
        {"cache_dir", need_environment("ALLOCATION_CACHE")},
        {"ca_file", ca_file},
    };
    tokenwell_status status = TOKENWELL_STATUS_OK;
    for (size_t i = 0; status == TOKENWELL_STATUS_OK && i < sizeof settings / sizeof *settings; i++) {
        if (settings[i][1]) status = set(config, settings[i][0], settings[i][1], error);
    }
    return status;
}

/* Checks that an output is written on success only, and an error on failure only. */
static void promised_outcome(tokenwell_status status, const void *output, const tokenwell_error *error)
{
    PROMISED((status == TOKENWELL_STATUS_OK) == (output != NULL));
    PROMISED((status == TOKENWELL_STATUS_OK) == (error == NULL));
    PROMISED(!error || (tokenwell_error_status(error) == status && strlen(tokenwell_error_message(error, NULL)) > 0));
}

/* One get; checks its token. */
static tokenwell_status got(const tokenwell_client *client, uint32_t flags, tokenwell_error **error)
{
    tokenwell_token *token = NULL;
    tokenwell_status status = tokenwell_client_token(client, 0, 0, flags, &token, error);
    promised_outcome(status, token, *error);
    if (token) PROMISED(strncmp(tokenwell_token_authorization(token, NULL), "Bearer ey", 9) == 0);
    tokenwell_token_free(token);
    return status;
}

/*
 * Causes an error, creates a client, gets a token from the server and replaces it by another one.
 */
static int child_runs_out_of_memory(void)
{
    unsigned long first = number_from("ALLOCATION_FIRST", ULONG_MAX), last = number_from("ALLOCATION_LAST", 0);
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    PROMISED(fail_allocations && stop_failing_allocations);
    need_environment("ALLOCATION_CACHE");
    fail_allocations(first, last);

    tokenwell_status status = tokenwell_config_new(&config, &error);
    promised_outcome(status, config, error);
    if (status == TOKENWELL_STATUS_OK) {
        PROMISED(set(config, "timeout_ms", "never", &error) != TOKENWELL_STATUS_OK && error);
        tokenwell_error_free(error);
        error = NULL;
        status = configured(config, &error);
        PROMISED((status == TOKENWELL_STATUS_OK) == (error == NULL));
    }
    if (status == TOKENWELL_STATUS_OK) {
        status = tokenwell_client_new(config, &client, &error);
        promised_outcome(status, client, error);
    }
    if (status == TOKENWELL_STATUS_OK) status = got(client, 0, &error);
    if (status == TOKENWELL_STATUS_OK) status = got(client, TOKENWELL_FORCE_REFRESH, &error);
    tokenwell_client_free(client);
    tokenwell_config_free(config);

    unsigned long taken = stop_failing_allocations();
    printf("allocations %lu\n", taken);
    if (error) printf("%s: %s\n", tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    tokenwell_error_free(error);
    fflush(stdout);
    if (status != TOKENWELL_STATUS_OK) return WITH_A_STATUS + status;
    return taken < first ? NOTHING_FAILED : WITH_A_TOKEN;
}

/*
 * Two faults that the parent must detect: a program that does not check for allocation failure,
 * and an abort for another reason.
 */
static int child_takes_memory_for_granted(void)
{
    PROMISED(fail_allocations);
    fail_allocations(1, ULONG_MAX);
    volatile char *memory = malloc(16);
    memory[0] = 1;
    return WITH_A_TOKEN;
}

static int child_aborts_for_another_reason(void)
{
    abort();
}

/* ---- the parent ---- */

typedef struct {
    emulators at;
    char folder[64], cache[100], said[100];
    unsigned caches;
} scene;

static int ending_of(pid_t child)
{
    int status = 0;
    for (uint64_t started = now_ms(); child > 0 && now_ms() - started < HANGS_AFTER_MS; pause_ms(1)) {
        if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return HUNG;
}

/* Runs a child and returns its outcome. Its output is in the file `said` of the scene. */
static int run_child_with(const scene *here, const char *child_name, unsigned long first, unsigned long last)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        char number[24];
        int said = open(here->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(said, 1);
        dup2(said, 2);
        setrlimit(RLIMIT_CORE, &none);
        /* Resolving the symbol names would take far longer than the rest. */
        unsetenv("RUST_BACKTRACE");
        snprintf(number, sizeof number, "%lu", first);
        setenv("ALLOCATION_FIRST", number, 1);
        snprintf(number, sizeof number, "%lu", last);
        setenv("ALLOCATION_LAST", number, 1);
        setenv("ALLOCATION_URL", here->at.fast, 1);
        setenv("ALLOCATION_CACHE", here->cache, 1);
        if (here->at.ca_file[0]) setenv("ALLOCATION_CA_FILE", here->at.ca_file, 1);
        setenv("LD_PRELOAD", need_environment("FAIL_ALLOCATION"), 1);
        execl("/proc/self/exe", "test_tokenwell", "--child", child_name, (char *)NULL);
        _exit(127);
    }
    return ending_of(child);
}

/*
 * A corrupted heap or an escaped panic also aborts. Only an abort on allocation failure prints this
 * message.
 */
static bool aborted_for_lack_of_memory(const scene *here)
{
    char line[400];
    bool found = false;
    FILE *said = fopen(here->said, "re");
    while (said && !found && fgets(line, sizeof line, said)) found = strstr(line, "memory allocation of ") || strstr(line, "out of memory");
    if (said) fclose(said);
    return found;
}

static bool is_promised(const scene *here, int ending)
{
    if (ending == KILLED + SIGABRT) return aborted_for_lack_of_memory(here);
    return ending == WITH_A_TOKEN || ending == NOTHING_FAILED || (ending > WITH_A_STATUS && ending <= WITH_A_STATUS + TOKENWELL_STATUS_INTERNAL);
}

static void show(const scene *here)
{
    char line[400];
    FILE *said = fopen(here->said, "re");
    while (said && fgets(line, sizeof line, said)) printf("  the child said: %s", line);
    if (said) fclose(said);
}

static unsigned long allocations_counted(const scene *here)
{
    char line[400];
    unsigned long count = 0;
    FILE *said = fopen(here->said, "re");
    while (said && fgets(line, sizeof line, said) && sscanf(line, "allocations %lu", &count) != 1) {}
    if (said) fclose(said);
    return count;
}

static void another_cache(scene *here)
{
    snprintf(here->cache, sizeof here->cache, "%s/cache-%u", here->folder, ++here->caches);
}

/* Returns the token that the next process gets. Release it with free(). */
static char *token_of_the_next_caller(const scene *here)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    setenv("ALLOCATION_URL", here->at.fast, 1);
    setenv("ALLOCATION_CACHE", here->cache, 1);
    if (here->at.ca_file[0]) setenv("ALLOCATION_CA_FILE", here->at.ca_file, 1);
    else unsetenv("ALLOCATION_CA_FILE");
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(configured(config, &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    char *value = get_value(client);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return value;
}

/*
 * Checks that the next caller gets a token and that the caller after it gets the same one from the
 * cache.
 */
static bool cache_is_usable(const scene *here)
{
    char *next = token_of_the_next_caller(here), *after = token_of_the_next_caller(here);
    bool sound = next[0] != '\0' && CHECK_TEXT(next, after);
    free(next);
    free(after);
    return sound;
}

/*
 * Fails the allocations one by one, or each with all that follow, until no allocation is left to
 * fail.
 */
static void fail_in_turn(scene *here, bool all_that_follow)
{
    unsigned long rounds = number_from("ALLOCATION_ROUNDS", 200), seed = number_from("ALLOCATION_SEED", 1);
    unsigned tokens = 0, statuses = 0, aborts = 0;
    another_cache(here);
    if (!CHECK_INT(NOTHING_FAILED, run_child_with(here, "runs_out_of_memory", ULONG_MAX, 0))) show(here);
    unsigned long count = allocations_counted(here), step = rounds ? count / rounds + 1 : 1, number = 1 + seed % step;
    CHECK(count > 100);

    for (int ending = WITH_A_TOKEN; ending != NOTHING_FAILED; number += step) {
        another_cache(here);
        ending = run_child_with(here, "runs_out_of_memory", number, all_that_follow ? ULONG_MAX : number);
        bool sound = CHECK(is_promised(here, ending)) & cache_is_usable(here);
        if (!sound) {
            printf("  allocation %lu of about %lu%s: the outcome of the child is %d\n", number, count, all_that_follow ? " and all that follow" : "", ending);
            show(here);
        }
        tokens += ending == WITH_A_TOKEN;
        statuses += ending > WITH_A_STATUS && ending < KILLED;
        aborts += ending == KILLED + SIGABRT;
        /* Threads change the count a little from run to run, but not by this much. */
        if (!CHECK(ending == NOTHING_FAILED || number < 2 * count)) break;
    }
    printf("  %s, %s: one in %lu of about %lu allocations: %u aborts, %u statuses, %u tokens in spite of it\n", here->at.ca_file[0] ? "TLS" : "plain",
           all_that_follow ? "each with all that follow" : "each alone", step, count, aborts, statuses, tokens);
    CHECK(aborts > 0);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static scene begin_scene(bool tls)
{
    scene here = {.folder = "/tmp/tokenwell-allocations-XXXXXX"};
    if (!mkdtemp(here.folder)) abort();
    snprintf(here.said, sizeof here.said, "%s/said", here.folder);
    here.at = start_emulators(tls, here.folder);
    return here;
}

static void end_scene(scene *here)
{
    stop_emulators(&here->at);
    nftw(here->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void a_failed_allocation_returns_a_status_or_aborts_and_leaves_the_cache_usable(void)
{
    scene here = begin_scene(false);

    fail_in_turn(&here, false);
    fail_in_turn(&here, true);

    end_scene(&here);
}

static void a_failed_allocation_in_tls_returns_a_status_or_aborts_and_leaves_the_cache_usable(void)
{
    scene here = begin_scene(true);

    fail_in_turn(&here, false);
    fail_in_turn(&here, true);

    end_scene(&here);
}

static void a_crash_and_an_abort_for_another_reason_are_detected(void)
{
    scene here = begin_scene(false);

    int crash = run_child_with(&here, "ignores_allocation_failure", 1, 1);
    CHECK_INT(KILLED + SIGSEGV, crash);
    CHECK(!is_promised(&here, crash));
    int other = run_child_with(&here, "aborts_for_another_reason", 1, 1);
    CHECK_INT(KILLED + SIGABRT, other);
    CHECK(!is_promised(&here, other));

    end_scene(&here);
}

int allocation_child(const char *name)
{
    if (strcmp(name, "runs_out_of_memory") == 0) return child_runs_out_of_memory();
    if (strcmp(name, "ignores_allocation_failure") == 0) return child_takes_memory_for_granted();
    if (strcmp(name, "aborts_for_another_reason") == 0) return child_aborts_for_another_reason();
    return -1;
}

#define EXECS "it starts this program again, outside valgrind"

const test allocation_tests[] = {
    NATIVE_TEST(a_failed_allocation_returns_a_status_or_aborts_and_leaves_the_cache_usable, EXECS),
    NATIVE_TEST(a_failed_allocation_in_tls_returns_a_status_or_aborts_and_leaves_the_cache_usable, EXECS),
    NATIVE_TEST(a_crash_and_an_abort_for_another_reason_are_detected, EXECS),
    END_OF_TESTS,
};
