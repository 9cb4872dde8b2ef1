/* Signals, exit, unloading and fork: how the library behaves in its process. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#include "concurrent.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOW_MINT(ms) "[{\"path\":\"/api/oauth/token\",\"times\":1,\"delay_ms\":" #ms ",\"then_serve\":true}]"

/*
 * Runs a part of this file in a fresh process. Returns the exit code, or 1000 + the signal that
 * killed it.
 */
static int in_a_fresh_process(const char *name)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_tokenwell", "--child", name, (char *)NULL);
        _exit(127);
    }
    return exit_code_of(child);
}

/* ---- signals ---- */

static pthread_t main_thread;
static atomic_uint on_main, elsewhere;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(pthread_equal(pthread_self(), main_thread) ? &on_main : &elsewhere, 1);
}

static void handle(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = count_signal;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, NULL);
}

/*
 * While the main thread blocks a signal for the process, no other thread receives it: it remains
 * pending.
 */
static int child_refresh_takes_no_signal(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    sigset_t both, pending;
    main_thread = pthread_self();
    handle(SIGALRM);
    handle(SIGPROF);
    sigemptyset(&both);
    sigaddset(&both, SIGALRM);
    sigaddset(&both, SIGPROF);

    DEMAND(tokenwell_client_token(client, 0, 1000, 0, &token, NULL) == TOKENWELL_STATUS_DEADLINE);
    DEMAND(threads_of_this_process() >= 2);
    DEMAND(pthread_sigmask(SIG_BLOCK, &both, NULL) == 0);
    DEMAND(kill(getpid(), SIGALRM) == 0 && kill(getpid(), SIGPROF) == 0);
    pause_ms(100);
    DEMAND(threads_of_this_process() >= 2);
    DEMAND(atomic_load(&elsewhere) == 0 && atomic_load(&on_main) == 0);
    DEMAND(sigpending(&pending) == 0 && sigismember(&pending, SIGALRM) && sigismember(&pending, SIGPROF));
    DEMAND(pthread_sigmask(SIG_UNBLOCK, &both, NULL) == 0);
    DEMAND(atomic_load(&on_main) == 2 && atomic_load(&elsewhere) == 0);

    DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    return 0;
}

static void the_refresh_thread_takes_no_signal(void)
{
    emulator_faults(SLOW_MINT(3000));
    CHECK_INT(0, in_a_fresh_process("refresh_takes_no_signal"));
}

/*
 * Timers fire while gets wait and refreshes run. The gets succeed, and the handlers run only on the
 * main thread.
 */
static int child_timers(void)
{
    struct itimerval every = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    main_thread = pthread_self();
    handle(SIGALRM);
    handle(SIGPROF);
    DEMAND(setitimer(ITIMER_REAL, &every, NULL) == 0 && setitimer(ITIMER_PROF, &every, NULL) == 0);

    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    for (int i = 0; i < 20; i++) {
        tokenwell_token *token = NULL;
        DEMAND(tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &token, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_token_free(token);
    }

    DEMAND(setitimer(ITIMER_REAL, &never, NULL) == 0 && setitimer(ITIMER_PROF, &never, NULL) == 0);
    DEMAND(atomic_load(&on_main) > 0 && atomic_load(&elsewhere) == 0);
    tokenwell_client_free(client);
    return 0;
}

static void timer_signals_disturb_nothing(void)
{
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"delay_ms\":20,\"then_serve\":true}]");
    CHECK_INT(0, in_a_fresh_process("timers"));
    CHECK_UINT(20, emulator_counter("token_requests"));
}

static int child_thread_free(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token_free(get(client));
    for (uint64_t started = now_ms(); threads_of_this_process() > 1;) {
        DEMAND(now_ms() - started < 60000);
        pause_ms(1);
    }
    tokenwell_client_free(client);
    return 0;
}

static void between_refreshes_there_is_no_thread(void)
{
    CHECK_INT(0, in_a_fresh_process("thread_free"));
}

/* Python 3.12 and newer counts the threads in /proc/self/stat at each fork, and warns about any. */
static int child_threads_after_gets(void)
{
    char directory[64];
    make_directory(directory, sizeof directory);
    tokenwell_client *const clients[] = {concurrent_client(NULL), concurrent_client(directory)};
    int with_a_thread = 0;
    for (int i = 0; i < 100; i++) {
        tokenwell_token *token = NULL;
        DEMAND(tokenwell_client_token(clients[i % 2], 0, 0, TOKENWELL_FORCE_REFRESH, &token, NULL) == TOKENWELL_STATUS_OK);
        with_a_thread += threads_of_this_process() > 1;
        tokenwell_token_free(token);
        for (uint64_t started = now_ms(); threads_of_this_process() > 1;) DEMAND(now_ms() - started < 60000);
    }
    printf("  %d of 100 gets left a thread\n", with_a_thread);
    /* Linux lists a thread for some microseconds after it was joined, on a busy machine for longer. */
    DEMAND(with_a_thread <= 10);
    for (int i = 0; i < 2; i++) tokenwell_client_free(clients[i]);
    remove_directory(directory);
    return 0;
}

static void b15_a_get_that_nobody_else_waits_for_leaves_no_thread_when_it_returns(void)
{
    CHECK_INT(0, in_a_fresh_process("threads_after_gets"));
}

/* ---- exit ---- */

static int child_exit_during_refresh(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    /* Long enough for the connection on a busy machine: without one, the status is NETWORK. */
    DEMAND(tokenwell_client_token(client, 0, 1000, 0, &token, NULL) == TOKENWELL_STATUS_DEADLINE);
    exit(7);
}

static void *wait_for_token(void *client)
{
    tokenwell_token *token = NULL;
    tokenwell_client_token(client, 0, 60000, 0, &token, NULL);
    tokenwell_token_free(token);
    return NULL;
}

static int child_exit_while_others_wait(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    pthread_t waiters[8];
    for (int i = 0; i < 8; i++) DEMAND(pthread_create(&waiters[i], NULL, wait_for_token, client) == 0);
    DEMAND(emulator_wait_for("token_requests", 1));
    exit(7);
}

static int child_exit_as_a_refresh_ends(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_token_free(get(client));
    DEMAND(tokenwell_client_advance_clock(client, 51 * 60 * 1000, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(get(client));
    exit(7);
}

static void exit_during_a_refresh_is_safe(void)
{
    emulator_faults(SLOW_MINT(3000));
    uint64_t started = now_ms();
    CHECK_INT(7, in_a_fresh_process("exit_during_refresh"));
    CHECK(now_ms() - started < 60000);
}

static void exit_while_others_wait_is_safe(void)
{
    emulator_faults(SLOW_MINT(3000));
    CHECK_INT(7, in_a_fresh_process("exit_while_others_wait"));
}

static void exit_as_a_refresh_ends_is_safe(void)
{
    for (int i = 0; i < 20; i++) CHECK_INT(7, in_a_fresh_process("exit_as_a_refresh_ends"));
}

/* ---- unloading ---- */

static void the_library_can_be_loaded_unloaded_and_loaded_again(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl(need_environment("UNLOAD_PROGRAM"), "unload", need_environment("UNLOAD_LIBRARY"), (char *)NULL);
        _exit(127);
    }
    CHECK_INT(0, exit_code_of(child));
}

/* ---- fork ---- */

static void a_child_forked_before_the_first_get_gets(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);

    pid_t child = fork();
    if (child == 0) {
        tokenwell_token *token = NULL;
        DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_token_free(token);
        tokenwell_client_free(client);
        _exit(0);
    }

    CHECK_INT(0, exit_code_of(child));
    tokenwell_token_free(get(client));
    tokenwell_client_free(client);
}

static void i30_a_forked_child_keeps_the_live_token(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    char *value = get_value(client);

    pid_t child = fork();
    if (child == 0) {
        tokenwell_token *token = NULL;
        DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_OK);
        DEMAND(strcmp(value, tokenwell_token_value(token, NULL)) == 0);
        _exit(0);
    }

    CHECK_INT(0, exit_code_of(child));
    CHECK_UINT(1, emulator_counter("token_requests"));
    free(value);
    tokenwell_client_free(client);
}

static void i30_parent_and_child_each_refresh_for_themselves(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    char *value = get_value(client);

    pid_t child = fork();
    if (child == 0) {
        tokenwell_token *token = NULL;
        DEMAND(tokenwell_client_invalidate(client, value, strlen(value), NULL) == TOKENWELL_STATUS_OK);
        DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_OK);
        DEMAND(strcmp(value, tokenwell_token_value(token, NULL)) != 0);

        /* Also a grandchild. */
        pid_t grandchild = fork();
        if (grandchild == 0) {
            tokenwell_token *forced = NULL;
            DEMAND(tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &forced, NULL) == TOKENWELL_STATUS_OK);
            tokenwell_token_free(forced);
            tokenwell_client_free(client);
            _exit(0);
        }
        DEMAND(exit_code_of(grandchild) == 0);
        exit(0);
    }

    CHECK_INT(0, exit_code_of(child));
    char *still = get_value(client);
    CHECK_TEXT(value, still);
    CHECK_UINT(3, emulator_counter("token_requests"));
    free(still);
    free(value);
    tokenwell_client_free(client);
}

static void i30_a_child_does_not_wait_for_its_parent_s_refresh(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    emulator_faults(SLOW_MINT(3000));
    /* NETWORK: under valgrind there may be no connection within that time. */
    tokenwell_status status = tokenwell_client_token(client, 0, 50, 0, &token, NULL);
    CHECK(status == TOKENWELL_STATUS_DEADLINE || status == TOKENWELL_STATUS_NETWORK);
    CHECK(emulator_wait_for("token_requests", 1));

    pid_t child = fork();
    if (child == 0) {
        DEMAND(tokenwell_client_token(client, 0, 60000, 0, &token, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_token_free(token);
        DEMAND(tokenwell_client_close(client, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_client_free(client);
        _exit(0);
    }

    CHECK_INT(0, exit_code_of(child));
    tokenwell_token_free(get(client));
    CHECK_UINT(2, emulator_counter("token_requests"));
    tokenwell_client_free(client);
}

static const tokenwell_client *shared;
static atomic_bool stop;

static void *get_until_stopped(void *data)
{
    (void)data;
    while (!atomic_load(&stop)) {
        tokenwell_token *token = NULL;
        tokenwell_client_token(shared, 0, 60000, 0, &token, NULL);
        const char *value = tokenwell_token_value(token, NULL);
        if (value) tokenwell_client_invalidate(shared, value, strlen(value), NULL);
        tokenwell_token_free(token);
    }
    return NULL;
}

/* The child is not blocked by a lock that another thread holds at the moment of the fork. */
static void i30_fork_while_threads_get_and_invalidate(void)
{
    enum { THREADS = 4, FORKS = 20 };
    pthread_t threads[THREADS];
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    shared = client;
    atomic_store(&stop, false);
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"status\":200,\"body\":{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3600}}]");
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, get_until_stopped, NULL) != 0) abort();
    }

    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            tokenwell_token *token = NULL;
            tokenwell_stats stats;
            DEMAND(tokenwell_client_token(client, 0, 60000, TOKENWELL_FORCE_REFRESH, &token, NULL) == TOKENWELL_STATUS_OK);
            DEMAND(tokenwell_client_invalidate(client, "t", 1, NULL) == TOKENWELL_STATUS_OK);
            DEMAND(tokenwell_client_stats(client, &stats, sizeof stats, NULL) == TOKENWELL_STATUS_OK);
            tokenwell_token_free(token);
            tokenwell_client_free(client);
            _exit(0);
        }
        CHECK_INT(0, exit_code_of(child));
    }

    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    tokenwell_client_free(client);
}

int run_child(const char *name)
{
    if (strcmp(name, "refresh_takes_no_signal") == 0) return child_refresh_takes_no_signal();
    if (strcmp(name, "timers") == 0) return child_timers();
    if (strcmp(name, "thread_free") == 0) return child_thread_free();
    if (strcmp(name, "threads_after_gets") == 0) return child_threads_after_gets();
    if (strcmp(name, "exit_during_refresh") == 0) return child_exit_during_refresh();
    if (strcmp(name, "exit_while_others_wait") == 0) return child_exit_while_others_wait();
    if (strcmp(name, "exit_as_a_refresh_ends") == 0) return child_exit_as_a_refresh_ends();
    int code = fork_child(name);
    if (code < 0) code = inherited_child(name);
    if (code < 0) code = allocation_child(name);
    if (code < 0) code = environment_child(name);
    if (code < 0) code = crowd_child(name);
    if (code < 0) fprintf(stderr, "no child is called %s\n", name);
    return code < 0 ? 2 : code;
}

#define SCHEDULES "valgrind runs one thread at a time and delivers signals itself"
#define EXECS "it starts this program again, outside valgrind"
#define FORKS "valgrind would follow the child and report memory that the child leaves to its end on purpose"

const test process_tests[] = {
    NATIVE_TEST(the_refresh_thread_takes_no_signal, SCHEDULES),
    NATIVE_TEST(timer_signals_disturb_nothing, SCHEDULES),
    NATIVE_TEST(between_refreshes_there_is_no_thread, EXECS),
    NATIVE_TEST(b15_a_get_that_nobody_else_waits_for_leaves_no_thread_when_it_returns, EXECS),
    NATIVE_TEST(exit_during_a_refresh_is_safe, EXECS),
    NATIVE_TEST(exit_while_others_wait_is_safe, EXECS),
    NATIVE_TEST(exit_as_a_refresh_ends_is_safe, EXECS),
    NATIVE_TEST(the_library_can_be_loaded_unloaded_and_loaded_again, EXECS),
    NATIVE_TEST(a_child_forked_before_the_first_get_gets, FORKS),
    NATIVE_TEST(i30_a_forked_child_keeps_the_live_token, FORKS),
    NATIVE_TEST(i30_parent_and_child_each_refresh_for_themselves, FORKS),
    NATIVE_TEST(i30_a_child_does_not_wait_for_its_parent_s_refresh, FORKS),
    NATIVE_TEST(i30_fork_while_threads_get_and_invalidate, FORKS),
    END_OF_TESTS,
};
