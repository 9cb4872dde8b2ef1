/*
 * Descriptors, threads and the file lock: what a refresh leaves open, what a daemon may close, and
 * what happens to a lock that is held when a process forks.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

/*
 * Waits for a child. Returns its exit code, 1000 + the signal that killed it, or 2000 if it hung
 * and was killed.
 */
static int code_of(pid_t child)
{
    int status = 0;
    for (uint64_t started = now_ms(); child > 0 && now_ms() - started < 2 * PATIENCE_MS; pause_ms(2)) {
        if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return 2000;
}

static pid_t start_child(const char *name)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_tokenwell", "--child", name, (char *)NULL);
        _exit(127);
    }
    return child;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* Creates a client of the emulator that the environment of the child names. */
static tokenwell_client *make_client(bool store, const char *timeout_ms)
{
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_client *client = NULL;
    const char *ca_file = getenv("INHERITED_CA_FILE"), *url = getenv("INHERITED_URL");
    DEMAND(!url || set(config, "base_url", url, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(!ca_file || set(config, "ca_file", ca_file, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "cache", store ? "on" : "off", NULL) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "cache_dir", need_environment("INHERITED_CACHE"), NULL) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "timeout_ms", timeout_ms, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_new(config, &client, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_config_free(config);
    return client;
}

static void demand_token(const tokenwell_client *client, uint64_t deadline_ms, uint32_t flags)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    if (tokenwell_client_token(client, 0, deadline_ms, flags, &token, &error) != TOKENWELL_STATUS_OK) {
        fprintf(stderr, "no token in the child: %s\n", tokenwell_error_message(error, NULL));
        _exit(3);
    }
    tokenwell_token_free(token);
}

/* ---- descriptors and threads ---- */

/* Returns all descriptors and their targets as one string. */
static char *descriptors(void)
{
    static char texts[4][8192];
    static unsigned next;
    char *text = texts[next++ % 4], link[64], target[512];
    size_t used = 0;
    text[0] = '\0';
    for (int each = 0; each < 1024; each++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", each);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = '\0';
        used += (size_t)snprintf(text + used, sizeof texts[0] - used, "%d=%s\n", each, target);
        DEMAND(used < sizeof texts[0]);
    }
    return text;
}

/* A refresh returns its result before its thread has exited. */
static void wait_for_the_threads_end(void)
{
    for (uint64_t started = now_ms(); threads_of_this_process() > 1; pause_ms(1)) DEMAND(now_ms() - started < PATIENCE_MS);
}

static int child_leaves_nothing_open(bool store)
{
    char *before = descriptors();
    DEMAND(threads_of_this_process() == 1);

    tokenwell_client *client = make_client(store, "60000");
    demand_token(client, 0, 0);
    wait_for_the_threads_end();
    DEMAND(strcmp(before, descriptors()) == 0);
    demand_token(client, 0, TOKENWELL_FORCE_REFRESH);
    DEMAND(tokenwell_client_revoke(client, 0, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_close(client, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_client_free(client);

    wait_for_the_threads_end();
    DEMAND(strcmp(before, descriptors()) == 0);
    return 0;
}

/* As daemons do: fork twice, close all descriptors, and open new ones. */
static int child_daemon(bool store)
{
    tokenwell_client *client = make_client(store, "60000");
    demand_token(client, 0, 0);

    pid_t first = fork();
    if (first == 0) {
        DEMAND(setsid() > 0);
        pid_t second = fork();
        if (second == 0) {
            for (int each = 3; each < 1024; each++) close(each);
            int pairs[8][2];
            char byte = 0;
            for (int i = 0; i < 8; i++) DEMAND(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
            for (int i = 0; i < 8; i++) DEMAND(write(pairs[i][0], &(char){(char)('a' + i)}, 1) == 1);
            char *before = descriptors();

            demand_token(client, 0, TOKENWELL_FORCE_REFRESH);
            wait_for_the_threads_end();
            demand_token(client, 0, TOKENWELL_FORCE_REFRESH);
            tokenwell_client_free(client);

            wait_for_the_threads_end();
            DEMAND(strcmp(before, descriptors()) == 0);
            for (int i = 0; i < 8; i++) DEMAND(recv(pairs[i][1], &byte, 1, 0) == 1 && byte == 'a' + i);
            for (int i = 0; i < 8; i++) DEMAND(recv(pairs[i][1], &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
            _exit(0);
        }
        _exit(code_of(second));
    }
    DEMAND(code_of(first) == 0);

    /* Also without a fork, in a process that replaced its descriptors after the first refresh. */
    wait_for_the_threads_end();
    for (int each = 3; each < 1024; each++) close(each);
    int pair[2];
    DEMAND(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    char *before = descriptors();
    demand_token(client, 0, TOKENWELL_FORCE_REFRESH);
    tokenwell_client_free(client);
    wait_for_the_threads_end();
    DEMAND(strcmp(before, descriptors()) == 0);
    return 0;
}

static void in_every_setting(const char *with_store, const char *without)
{
    char folder[] = "/tmp/tokenwell-inherited-XXXXXX", cache[sizeof folder + 8];
    if (!mkdtemp(folder)) abort();
    snprintf(cache, sizeof cache, "%s/cache", folder);
    setenv("INHERITED_CACHE", cache, 1);
    for (int tls = 0; tls < 2; tls++) {
        emulators at = start_emulators(tls, folder);
        setenv("INHERITED_URL", at.fast, 1);
        if (tls) setenv("INHERITED_CA_FILE", at.ca_file, 1);
        CHECK_INT(0, code_of(start_child(with_store)));
        CHECK_INT(0, code_of(start_child(without)));
        stop_emulators(&at);
    }
    unsetenv("INHERITED_URL");
    unsetenv("INHERITED_CA_FILE");
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void i30_a_client_leaves_no_descriptor_and_no_thread(void)
{
    in_every_setting("leaves_nothing_open_store", "leaves_nothing_open");
}

static void i30_a_daemon_that_closed_every_descriptor_still_gets_tokens(void)
{
    in_every_setting("daemon_store", "daemon");
}

/* ---- the lock ---- */

/*
 * Returns whether a process holds the lock of the only slot in the cache. Returns -1 if there is no
 * lock file.
 */
static int lock_is_held(void)
{
    char path[600];
    int held = -1;
    const char *cache = need_environment("INHERITED_CACHE");
    DIR *entries = opendir(cache);
    for (struct dirent *each; entries && (each = readdir(entries));) {
        if (!strstr(each->d_name, ".lock")) continue;
        snprintf(path, sizeof path, "%s/%.200s", cache, each->d_name);
        int file = open(path, O_RDWR | O_CLOEXEC);
        held = file < 0 ? -1 : flock(file, LOCK_EX | LOCK_NB) != 0;
        if (file >= 0) close(file);
    }
    if (entries) closedir(entries);
    return held;
}

static bool lock_becomes(int held)
{
    for (uint64_t started = now_ms(); now_ms() - started < PATIENCE_MS; pause_ms(2)) {
        if (lock_is_held() == held) return true;
    }
    return false;
}

static const tokenwell_client *shared;

static void *get_token(void *nothing)
{
    demand_token(shared, PATIENCE_MS, 0);
    return nothing;
}

/*
 * Refreshes in a thread and forks while that thread holds the lock. The child runs until the
 * lifeline closes, with all descriptors that it inherited. An inherited end of a second pipe shows
 * that it is running. With "killed" the parent exits during the refresh, otherwise after it.
 */
static int child_forks_under_the_lock(bool killed)
{
    tokenwell_client *client = make_client(true, "60000");
    int lifeline = (int)strtol(need_environment("INHERITED_LIFELINE"), NULL, 10);
    pthread_t refresh;
    char byte;
    shared = client;
    DEMAND(pthread_create(&refresh, NULL, get_token, NULL) == 0);
    DEMAND(emulator_wait_for("token_requests", 1));
    DEMAND(lock_is_held() == 1);

    pid_t child = fork();
    if (child == 0) {
        while (read(lifeline, &byte, 1) < 0 && errno == EINTR) {}
        _exit(0);
    }
    DEMAND(child > 0);
    if (killed) _exit(0);
    DEMAND(pthread_join(refresh, NULL) == 0);
    tokenwell_client_free(client);
    return 0;
}

static int child_gets_a_new_token(const char *timeout_ms)
{
    tokenwell_client *client = make_client(true, timeout_ms);
    demand_token(client, PATIENCE_MS, TOKENWELL_FORCE_REFRESH);
    tokenwell_client_free(client);
    return 0;
}

typedef struct {
    char folder[64];
    int lifeline[2], alive[2];
} lock_scene;

/* Runs the forking parent until it exits. Its child continues to run. */
static lock_scene forked_under_the_lock(const char *name)
{
    lock_scene scene;
    char text[100];
    strcpy(scene.folder, "/tmp/tokenwell-inherited-XXXXXX");
    if (!mkdtemp(scene.folder) || pipe(scene.lifeline) != 0 || pipe(scene.alive) != 0) abort();
    fcntl(scene.lifeline[1], F_SETFD, FD_CLOEXEC);
    fcntl(scene.alive[0], F_SETFD, FD_CLOEXEC);
    fcntl(scene.alive[0], F_SETFL, O_NONBLOCK);
    snprintf(text, sizeof text, "%s/cache", scene.folder);
    setenv("INHERITED_CACHE", text, 1);
    snprintf(text, sizeof text, "%d", scene.lifeline[0]);
    setenv("INHERITED_LIFELINE", text, 1);
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"times\":1,\"delay_ms\":2000,\"then_serve\":true}]");
    CHECK_INT(0, code_of(start_child(name)));
    close(scene.alive[1]);
    fcntl(scene.lifeline[0], F_SETFD, FD_CLOEXEC);
    return scene;
}

static bool its_child_lives(const lock_scene *scene)
{
    char byte;
    return read(scene->alive[0], &byte, 1) == -1 && errno == EAGAIN;
}

static void end_scene(lock_scene *scene)
{
    close(scene->alive[0]);
    close(scene->lifeline[0]);
    nftw(scene->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void i30_a_lock_held_at_a_fork_ends_with_the_refresh_and_not_with_the_child(void)
{
    lock_scene scene = forked_under_the_lock("forks_under_the_lock");

    CHECK(its_child_lives(&scene));
    CHECK_INT(0, lock_is_held());
    CHECK_INT(0, code_of(start_child("gets_a_new_token")));
    CHECK_UINT(2, emulator_counter("token_requests"));
    CHECK(its_child_lives(&scene));

    close(scene.lifeline[1]);
    end_scene(&scene);
}

/*
 * docs/token-cache.md, "Writing and locking": the only case in which the copy of a child has an
 * effect. It only delays other processes.
 */
static void i30_a_holder_that_dies_leaves_the_lock_to_its_child_and_nobody_waits_for_ever(void)
{
    lock_scene scene = forked_under_the_lock("dies_under_the_lock");

    CHECK(its_child_lives(&scene));
    CHECK_INT(1, lock_is_held());
    CHECK_INT(0, code_of(start_child("gets_a_new_token_impatiently")));
    CHECK_INT(1, lock_is_held());
    CHECK(its_child_lives(&scene));

    close(scene.lifeline[1]);
    CHECK(lock_becomes(0));
    end_scene(&scene);
}

int inherited_child(const char *name)
{
    if (strcmp(name, "leaves_nothing_open") == 0) return child_leaves_nothing_open(false);
    if (strcmp(name, "leaves_nothing_open_store") == 0) return child_leaves_nothing_open(true);
    if (strcmp(name, "daemon") == 0) return child_daemon(false);
    if (strcmp(name, "daemon_store") == 0) return child_daemon(true);
    if (strcmp(name, "forks_under_the_lock") == 0) return child_forks_under_the_lock(false);
    if (strcmp(name, "dies_under_the_lock") == 0) return child_forks_under_the_lock(true);
    if (strcmp(name, "gets_a_new_token") == 0) return child_gets_a_new_token("600000");
    if (strcmp(name, "gets_a_new_token_impatiently") == 0) return child_gets_a_new_token("8000");
    return -1;
}

#define EXECS "it starts this program again, outside valgrind"

const test inherited_tests[] = {
    NATIVE_TEST(i30_a_client_leaves_no_descriptor_and_no_thread, EXECS),
    NATIVE_TEST(i30_a_daemon_that_closed_every_descriptor_still_gets_tokens, EXECS),
    NATIVE_TEST(i30_a_lock_held_at_a_fork_ends_with_the_refresh_and_not_with_the_child, EXECS),
    NATIVE_TEST(i30_a_holder_that_dies_leaves_the_lock_to_its_child_and_nobody_waits_for_ever, EXECS),
    END_OF_TESTS,
};
