/*
 * Many forks at many moments: whatever the parent is doing, its child gets a token or a status, and
 * soon.
 *
 * Rounds run in families: a fresh process forks a few times. So some of the forks happen while
 * state that a process sets up once is only partly set up. FORK_ROUNDS (400), FORK_SEED (1),
 * FORK_FAMILIES (4, run concurrently) and FORK_HANG_MS (30000) change the run. With FORK_LATE_MS,
 * no child may take longer than this. The test suite does not set it, because it requires an idle
 * machine.
 */
#define _GNU_SOURCE
#include "check.h"
#include "emulators.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS_OF_A_FAMILY = 5,
    HANGS_AFTER_MS = 30000,
    FAMILY_HANGS_AFTER_MS = 300000,
    /* The outcomes of a child. Any other value is a failure. */
    WITH_A_TOKEN = 0,
    DONE = 0,
    BROKEN = 50,
    WITH_A_STATUS = 100
};

typedef enum { BEFORE, DURING, AFTER, MOMENTS } moment;
typedef enum { GET, AUTHORIZATION, FORCE, INVALIDATE_AND_GET, FREE, EXEC_COMMAND, EXEC_GET, EXIT, LEAVE, ACTIONS } action;

static const char *const moment_names[] = {"before", "during", "after"};
static const char *const action_names[] = {"get", "authorization", "force", "invalidate+get", "free", "exec the command", "exec and get", "exit(3)", "_exit(4)"};

/* One round, derived from the seed. */
typedef struct {
    moment when;
    action what;
    bool slow, store;
    unsigned threads, pause_us;
} plan;

/* ---- chance ---- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 33) % below;
}

static void seed_chance(uint64_t seed)
{
    chance_state = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 8; i++) chance(2);
}

static plan plan_round(bool first)
{
    plan round = {.when = (moment)chance(MOMENTS), .what = (action)chance(ACTIONS), .slow = chance(2) == 0, .store = chance(2) == 0};
    round.threads = chance(2) == 0 ? 0 : 2 + chance(3);
    round.pause_us = round.slow ? chance(150000) : chance(5000);
    if (first && chance(2) == 0) {
        round.when = DURING;
        round.pause_us = chance(4000);
    }
    return round;
}

/* ---- one family ---- */

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

static char directory[400];
static bool tls, logging;

static tokenwell_client *make_client(const plan *round, unsigned number)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    char cache[500];
    /* Each round has its own directory: a "before" must not find a token of an earlier round. */
    snprintf(cache, sizeof cache, "%s/cache-%d-%u", directory, (int)getpid(), number);
    /* The timeout is longer than the default FORK_HANG_MS, so that a hang is detected and not ended
     * by the deadline. */
    bool good = set(config, "base_url", need_environment(round->slow ? "FORK_SLOW_URL" : "FORK_FAST_URL"), NULL) == TOKENWELL_STATUS_OK &&
                set(config, "timeout_ms", "60000", NULL) == TOKENWELL_STATUS_OK &&
                set(config, "cache", round->store ? "on" : "off", NULL) == TOKENWELL_STATUS_OK &&
                set(config, "cache_dir", cache, NULL) == TOKENWELL_STATUS_OK &&
                (!tls || set(config, "ca_file", need_environment("FORK_CA_FILE"), NULL) == TOKENWELL_STATUS_OK) &&
                tokenwell_client_new(config, &client, NULL) == TOKENWELL_STATUS_OK;
    tokenwell_config_free(config);
    if (!good) {
        fprintf(stderr, "cannot create a client for a round\n");
        exit(2);
    }
    setenv("TOKENWELL_CACHE", round->store ? "on" : "off", 1);
    setenv("TOKENWELL_CACHE_DIR", cache, 1);
    setenv("MONGODB_ATLAS_BASE_URL", need_environment(round->slow ? "FORK_SLOW_URL" : "FORK_FAST_URL"), 1);
    if (tls) setenv("TOKENWELL_CA_FILE", need_environment("FORK_CA_FILE"), 1);
    return client;
}

/* Returns the outcome of a get as an exit code. */
static int ending_of(tokenwell_status status, tokenwell_token *token, bool header)
{
    if (status == TOKENWELL_STATUS_OK) {
        size_t length = 0;
        const char *text = header ? tokenwell_token_authorization(token, &length) : tokenwell_token_value(token, &length);
        int ending = text && length > 20 && strlen(text) == length ? WITH_A_TOKEN : BROKEN;
        tokenwell_token_free(token);
        return ending;
    }
    return !token && status > 0 && status < 100 && strcmp(tokenwell_status_name(status), tokenwell_status_name(99)) != 0 ? WITH_A_STATUS + (int)status : BROKEN;
}

static int get_of(const tokenwell_client *client, uint32_t flags, bool header)
{
    tokenwell_token *token = NULL;
    tokenwell_status status = tokenwell_client_token(client, 0, 0, flags, &token, NULL);
    return ending_of(status, token, header);
}

static int invalidate_and_get(const tokenwell_client *client)
{
    tokenwell_token *token = NULL;
    tokenwell_status status = tokenwell_client_token(client, 0, 0, 0, &token, NULL);
    if (status != TOKENWELL_STATUS_OK) return ending_of(status, token, false);
    const char *value = tokenwell_token_value(token, NULL);
    status = tokenwell_client_invalidate(client, value, strlen(value), NULL);
    tokenwell_token_free(token);
    return status == TOKENWELL_STATUS_OK ? get_of(client, 0, false) : BROKEN;
}

/* Not the current token: new tokens that are rejected in a row would pause token requests. */
static int invalidate_another_and_get(const tokenwell_client *client)
{
    if (tokenwell_client_invalidate(client, "another", 7, NULL) != TOKENWELL_STATUS_OK) return BROKEN;
    return get_of(client, 0, false);
}

/* Slow, so that forks happen while threads are inside it. */
static void take_line(void *nothing, int32_t level, const char *line, size_t length)
{
    (void)nothing, (void)level, (void)line, (void)length;
    usleep(300);
}

static int child_of_round(tokenwell_client *client, action what)
{
    /* Waits for running callbacks, but not for those of threads that exist only in the parent. */
    if (logging && tokenwell_log_set(NULL, NULL, 0, NULL) != TOKENWELL_STATUS_OK) return BROKEN;
    switch (what) {
    case GET: return get_of(client, 0, false);
    case AUTHORIZATION: return get_of(client, 0, true);
    case FORCE: return get_of(client, TOKENWELL_FORCE_REFRESH, false);
    case INVALIDATE_AND_GET: return invalidate_and_get(client);
    case FREE: tokenwell_client_free(client); return DONE;
    case EXEC_COMMAND:
        if (dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1) == 1) execl(need_environment("TOKENWELL_BIN"), "tokenwell", "token", (char *)NULL);
        return BROKEN;
    case EXEC_GET: execl("/proc/self/exe", "test_tokenwell", "--child", "get_after_exec", (char *)NULL); return BROKEN;
    case EXIT: exit(3);
    default: _exit(4);
    }
}

static bool is_an_ending_of(action what, int code)
{
    if (what == EXIT) return code == 3;
    if (what == LEAVE) return code == 4;
    if (what == FREE || what == EXEC_COMMAND) return code == DONE;
    return code == WITH_A_TOKEN || (code > WITH_A_STATUS && code < 200);
}

static const tokenwell_client *shared;
static bool shared_is_slow;
static atomic_bool stop;
static atomic_uint broken_gets;

static void *refresh_once(void *flags)
{
    if (get_of(shared, *(uint32_t *)flags, false) == BROKEN) atomic_fetch_add(&broken_gets, 1);
    return NULL;
}

/*
 * Pauses leave the slot's file lock free for part of the time: a process that requests new tokens
 * continuously would keep other processes from the lock until their timeout, whether or not they
 * are forked.
 */
static void *use_until_stopped(void *number)
{
    unsigned turn = *(unsigned *)number, pause_us = shared_is_slow ? 100000 : 500;
    while (!atomic_load(&stop)) {
        int ending = turn % 3 == 0 ? get_of(shared, 0, true) : turn % 3 == 1 ? invalidate_another_and_get(shared) : get_of(shared, TOKENWELL_FORCE_REFRESH, false);
        if (ending == BROKEN) atomic_fetch_add(&broken_gets, 1);
        turn++;
        usleep(pause_us + turn * 7919 % (20 * pause_us));
    }
    return NULL;
}

/* Prints what the system knows about a process that hangs. */
static void show_process(pid_t process)
{
    char path[128], line[256];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *tasks = opendir(path);
    for (struct dirent *each; tasks && (each = readdir(tasks));) {
        if (each->d_name[0] == '.') continue;
        const char *const files[] = {"comm", "wchan", "syscall"};
        for (size_t i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "/proc/%d/task/%.20s/%s", (int)process, each->d_name, files[i]);
            FILE *file = fopen(path, "r");
            if (file && fgets(line, sizeof line, file)) fprintf(stderr, "%s: %s\n", path, line);
            if (file) fclose(file);
        }
    }
    if (tasks) closedir(tasks);
    snprintf(line, sizeof line, "gdb --batch -p %d -ex 'thread apply all backtrace' >&2 2>&1", (int)process);
    if (system("command -v gdb >/dev/null") == 0 && system(line) != 0) fprintf(stderr, "gdb could not attach\n");
}

/*
 * Returns the child's exit code, 1000 + the signal that killed it, or 2000 if it hung and was
 * killed.
 */
static int watched(pid_t child, uint64_t started, uint64_t patience)
{
    int status = 0;
    for (;; usleep(500)) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        if (ended < 0 && errno != EINTR) return 3000;
        if (now_ms() - started > patience) break;
    }
    show_process(child);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return 2000;
}

static void run_round(const plan *round, uint64_t seed, unsigned number)
{
    enum { MOST_THREADS = 4 };
    pthread_t threads[MOST_THREADS], refresh;
    unsigned numbers[MOST_THREADS], running = 0;
    uint32_t flags = chance(2) == 0 ? TOKENWELL_FORCE_REFRESH : 0;
    tokenwell_client *client = make_client(round, number);
    shared = client;
    shared_is_slow = round->slow;
    atomic_store(&stop, false);

    if (round->when == AFTER && get_of(client, 0, false) == BROKEN) atomic_fetch_add(&broken_gets, 1);
    for (; running < round->threads; running++) {
        numbers[running] = running;
        if (pthread_create(&threads[running], NULL, use_until_stopped, &numbers[running]) != 0) abort();
    }
    if (round->when == DURING) {
        if (pthread_create(&refresh, NULL, refresh_once, &flags) != 0) abort();
        usleep(round->pause_us);
    }

    uint64_t started = now_ms();
    pid_t child = fork();
    if (child == 0) _exit(child_of_round(client, round->what));
    int code = watched(child, started, from_environment("FORK_HANG_MS", HANGS_AFTER_MS));
    uint64_t took = now_ms() - started;

    /* The fork did not affect the parent either. */
    if (get_of(client, 0, false) == BROKEN) atomic_fetch_add(&broken_gets, 1);
    atomic_store(&stop, true);
    if (round->when == DURING) pthread_join(refresh, NULL);
    for (unsigned i = 0; i < running; i++) pthread_join(threads[i], NULL);
    tokenwell_client_free(client);

    bool good = is_an_ending_of(round->what, code) && atomic_exchange(&broken_gets, 0) == 0;
    char line[300];
    int length = snprintf(line, sizeof line, "%s %d %" PRIu64 " | seed %" PRIu64 " round %u: %s a refresh (%s, %s, store %s, log %s, %u threads more), the child: %s\n",
                          good ? "good" : "bad", code, took, seed, number, moment_names[round->when], tls ? "TLS" : "plain", round->slow ? "slow" : "fast",
                          round->store ? "on" : "off", logging ? "on" : "off", round->threads, action_names[round->what]);
    if (write(1, line, (size_t)length) != length) abort();
}

/*
 * Runs "fork_family" in the environment of run_families(), and "get_after_exec" in that of
 * make_client().
 */
int fork_child(const char *name)
{
    if (strcmp(name, "get_after_exec") == 0) {
        tokenwell_config *config = NULL;
        tokenwell_client *client = NULL;
        if (tokenwell_config_new(&config, NULL) != TOKENWELL_STATUS_OK || tokenwell_config_use_environment(config, NULL) != TOKENWELL_STATUS_OK ||
            tokenwell_client_new(config, &client, NULL) != TOKENWELL_STATUS_OK) {
            return BROKEN;
        }
        int ending = get_of(client, 0, false);
        tokenwell_client_free(client);
        tokenwell_config_free(config);
        return ending;
    }
    if (strcmp(name, "fork_family") != 0) return -1;
    uint64_t seed = strtoull(need_environment("FORK_FAMILY_SEED"), NULL, 10);
    unsigned rounds = (unsigned)strtoul(need_environment("FORK_FAMILY_ROUNDS"), NULL, 10);
    snprintf(directory, sizeof directory, "%s", need_environment("FORK_DIRECTORY"));
    tls = getenv("FORK_CA_FILE") != NULL;
    seed_chance(seed);
    logging = chance(2) == 0;
    if (logging && tokenwell_log_set(take_line, NULL, 4, NULL) != TOKENWELL_STATUS_OK) return BROKEN;
    for (unsigned i = 0; i < rounds; i++) {
        plan round = plan_round(i == 0);
        run_round(&round, seed, i);
    }
    return 0;
}

/* ---- all families ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static pid_t start_family(uint64_t seed, unsigned rounds, const emulators *at, int results)
{
    pid_t family = fork();
    if (family != 0) return family;
    char number[24];
    dup2(results, 1);
    setenv("FORK_FAST_URL", at->fast, 1);
    setenv("FORK_SLOW_URL", at->slow, 1);
    if (at->ca_file[0]) setenv("FORK_CA_FILE", at->ca_file, 1);
    else unsetenv("FORK_CA_FILE");
    snprintf(number, sizeof number, "%" PRIu64, seed);
    setenv("FORK_FAMILY_SEED", number, 1);
    snprintf(number, sizeof number, "%u", rounds);
    setenv("FORK_FAMILY_ROUNDS", number, 1);
    execl("/proc/self/exe", "test_tokenwell", "--child", "fork_family", (char *)NULL);
    _exit(127);
}

static int by_number(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void count_results(FILE *results, unsigned rounds)
{
    char line[400], longest[400] = "";
    uint64_t *took = calloc(rounds + 1, sizeof *took), most = 0;
    unsigned ended = 0, statuses = 0, hangs = 0, late = 0, late_after = from_environment("FORK_LATE_MS", 1000);
    if (!took) abort();
    rewind(results);
    while (fgets(line, sizeof line, results)) {
        char verdict[8];
        int code;
        uint64_t ms;
        if (ended >= rounds || sscanf(line, "%7s %d %" SCNu64, verdict, &code, &ms) != 3) {
            CHECK_TEXT("the result of a round", line);
            continue;
        }
        if (!CHECK_TEXT("good", verdict)) fputs(line, stdout);
        hangs += code == 2000;
        statuses += code > WITH_A_STATUS && code < 200;
        if (code > WITH_A_STATUS && code < 200) printf("  %s: %s", tokenwell_status_name(code - WITH_A_STATUS), line);
        late += ms > late_after;
        if (ms > late_after) printf("  late: %s", line);
        if (ms >= most) snprintf(longest, sizeof longest, "%s", line);
        if (ms > most) most = ms;
        took[ended++] = ms;
    }
    qsort(took, ended, sizeof *took, by_number);
    printf("  %u forks: %u hung, %u returned a status, %u took more than %u ms; median %" PRIu64 " ms, longest %" PRIu64 " ms\n  longest: %s", ended, hangs,
           statuses, late, late_after, took[ended / 2], most, longest);
    CHECK_UINT(0, hangs);
    CHECK_UINT(rounds, ended);
    /* A status is a defined outcome, but here the emulator works and there is enough time, so every
     * status is a failure. */
    CHECK_UINT(0, statuses);
    if (getenv("FORK_LATE_MS")) CHECK_UINT(0, late);
    free(took);
}

static void i30_whenever_a_process_forks_its_child_ends_with_an_answer(void)
{
    enum { MOST_FAMILIES = 16 };
    unsigned rounds = from_environment("FORK_ROUNDS", 400), seed = from_environment("FORK_SEED", 1);
    unsigned at_once = from_environment("FORK_FAMILIES", 4), started = 0;
    pid_t families[MOST_FAMILIES] = {0};
    uint64_t begun[MOST_FAMILIES] = {0};
    char folder[] = "/tmp/tokenwell-forks-XXXXXX";
    if (!mkdtemp(folder) || at_once < 1 || at_once > MOST_FAMILIES) abort();
    setenv("FORK_DIRECTORY", folder, 1);
    char name[sizeof folder + 10];
    snprintf(name, sizeof name, "%s/results", folder);
    int written = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    FILE *results = fopen(name, "re");
    if (written < 0 || !results) abort();
    emulators plain = start_emulators(false, folder), secure = start_emulators(true, folder);

    for (bool busy = true; busy; pause_ms(1)) {
        busy = false;
        for (unsigned i = 0; i < at_once; i++) {
            if (families[i] == 0 && started < rounds) {
                unsigned here = rounds - started < ROUNDS_OF_A_FAMILY ? rounds - started : ROUNDS_OF_A_FAMILY;
                uint64_t of_its_own = (uint64_t)seed * 1000000 + started / ROUNDS_OF_A_FAMILY;
                families[i] = start_family(of_its_own, here, of_its_own % 2 ? &secure : &plain, written);
                begun[i] = now_ms();
                started += here;
            }
            if (families[i] == 0) continue;
            busy = true;
            int status = 0;
            if (waitpid(families[i], &status, WNOHANG) == families[i]) {
                CHECK_INT(0, status);
                families[i] = 0;
            } else if (now_ms() - begun[i] > FAMILY_HANGS_AFTER_MS) {
                CHECK(!"the parent of a round exits");
                show_process(families[i]);
                kill(families[i], SIGKILL);
                waitpid(families[i], &status, 0);
                families[i] = 0;
            }
        }
    }

    count_results(results, rounds);
    fclose(results);
    close(written);
    stop_emulators(&plain);
    stop_emulators(&secure);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define FORKS "valgrind would follow the children and report memory that they do not free on purpose"

const test fork_tests[] = {
    NATIVE_TEST(i30_whenever_a_process_forks_its_child_ends_with_an_answer, FORKS),
    END_OF_TESTS,
};
