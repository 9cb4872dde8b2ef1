/*
 * The example programs with event loops (examples/c), as a user runs them. Whether they ever block
 * is the subject of tests/more/event_loops.sh.
 */
#define _GNU_SOURCE
#include "operations.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ORGS "/api/atlas/v2/orgs"
#define TOKEN_HANGS "{\"path\":\"/api/oauth/token\",\"delay_ms\":120000,\"then_serve\":true}"
#define API_SAYS_401_ONCE "{\"path\":\"" ORGS "\",\"times\":1,\"status\":401,\"body\":{}}"

typedef struct { pid_t process; int input, output; } program;

/* ---- programs ---- */

/* Starts an example. If it was not built, the test is skipped, and false is returned. */
static bool started(program *running, const char *const arguments[], const char *if_missing)
{
    char path[1024];
    int input[2], output[2];
    snprintf(path, sizeof path, "%s/%s", need_environment("EXAMPLES_BUILD"), arguments[0]);
    if (access(path, X_OK) != 0) {
        skip_this_test(if_missing);
        return false;
    }
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) abort();
    running->process = fork();
    if (running->process == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        dup2(output[1], 2);
        execv(path, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    running->input = input[1];
    running->output = output[0];
    return CHECK(running->process > 0);
}

/* Reads until `until` appears or the output ends, for at most a minute. */
static void read_output(int from, char *text, size_t size, const char *until)
{
    size_t used = strlen(text);
    for (uint64_t since = now_ms(); used + 1 < size && now_ms() - since < 60000;) {
        if (until && strstr(text, until)) return;
        struct pollfd watched = {.fd = from, .events = POLLIN};
        if (poll(&watched, 1, 100) <= 0) continue;
        ssize_t got = read(from, text + used, size - 1 - used);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        used += (size_t)got;
        text[used] = '\0';
    }
    CHECK(!until || strstr(text, until) != NULL);
}

/* Reads the rest of the output and returns the exit code. */
static int end_of(program *running, char *text, size_t size)
{
    read_output(running->output, text, size, NULL);
    int code = exit_code_of(running->process);
    close(running->output);
    if (running->input >= 0) close(running->input);
    return code;
}

static int run_to_end(const char *const arguments[], const char *if_missing, char *text, size_t size)
{
    program running;
    text[0] = '\0';
    return started(&running, arguments, if_missing) ? end_of(&running, text, size) : -1;
}

static unsigned times_in(const char *text, const char *part)
{
    unsigned count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) count++;
    return count;
}

/* ---- the clients of a server ---- */

static int connection_to(unsigned port, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char line[300];
    int length = snprintf(line, sizeof line, "%s\n", path);
    if (!CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)) return fd;
    CHECK_INT(length, send(fd, line, (size_t)length, MSG_NOSIGNAL));
    return fd;
}

static void check_reply(const char *expected, int fd)
{
    char text[700] = "";
    read_output(fd, text, sizeof text, "\n");
    text[strcspn(text, "\n")] = '\0';
    if (strchr(expected, ':')) CHECK_HAS(expected, text);
    else CHECK_TEXT(expected, text);
    close(fd);
}

/* What a server prints at its end. */
typedef struct { unsigned answered, from_memory, waited, invalidated, canceled; } summary;

static unsigned port_of(program *server, const char *name, const char *if_missing, char *output, size_t size)
{
    unsigned port = 0;
    output[0] = '\0';
    if (!started(server, (const char *[]){name, NULL}, if_missing)) return 0;
    read_output(server->output, output, size, "\n");
    CHECK_INT(1, sscanf(output, "listening on 127.0.0.1:%u", &port));
    return port;
}

static summary stop(program *server, char *output, size_t size)
{
    summary end = {0, 0, 0, 0, 0};
    CHECK_INT(0, kill(server->process, SIGTERM));
    CHECK_INT(0, end_of(server, output, size));
    const char *line = strchr(output, '\n');
    CHECK_INT(5, sscanf(line ? line : "", " %u answered, %u tokens from memory, %u waits, %u invalidated, %u canceled", &end.answered,
                        &end.from_memory,
                        &end.waited, &end.invalidated, &end.canceled));
    return end;
}

static void check_that_a_server_answers(const char *name, const char *if_missing)
{
    enum { CROWD = 20 };
    char output[4096];
    int crowd[CROWD];
    program server;
    emulator_faults(SLOW(300));
    unsigned port = port_of(&server, name, if_missing, output, sizeof output);
    if (!port) return;

    /* All wait for one token request. */
    for (int i = 0; i < CROWD; i++) crowd[i] = connection_to(port, ORGS);
    for (int i = 0; i < CROWD; i++) check_reply("200", crowd[i]);
    CHECK_UINT(1, emulator_counter("token_requests"));

    /* From memory. */
    check_reply("200", connection_to(port, ORGS));
    check_reply("404", connection_to(port, ORGS "/0e00000000000000000000ff"));
    CHECK_UINT(1, emulator_counter("token_requests"));

    /* The resource server rejects the token: a new one is used. */
    emulator_faults("[" API_SAYS_401_ONCE "]");
    check_reply("200", connection_to(port, ORGS));
    CHECK_UINT(2, emulator_counter("token_requests"));

    summary end = stop(&server, output, sizeof output);
    CHECK_UINT(CROWD + 3, end.answered);
    CHECK(end.from_memory >= 3 && end.waited >= 2);
    CHECK_UINT(0, end.canceled);
}

static void check_that_a_server_cancels_and_stops(const char *name, const char *if_missing)
{
    char output[4096];
    program server;
    emulator_faults("[" TOKEN_HANGS "]");
    unsigned port = port_of(&server, name, if_missing, output, sizeof output);
    if (!port) return;

    /* One caller leaves, and one gets its deadline. */
    int leaves = connection_to(port, ORGS);
    CHECK(emulator_wait_for("token_requests", 1));
    close(leaves);
    uint64_t since = now_ms();
    check_reply("DEADLINE: ", connection_to(port, ORGS));
    CHECK(now_ms() - since >= 2900);

    /* It is stopped while another one waits. */
    int waits = connection_to(port, ORGS);
    CHECK(!readable_within(waits, 200));
    summary end = stop(&server, output, sizeof output);
    CHECK_UINT(1, end.answered);
    CHECK_UINT(3, end.waited);
    CHECK_UINT(2, end.canceled);
    CHECK_UINT(1, emulator_counter("token_requests"));
    close(waits);
}

#define NO_EPOLL "epoll_server was not built: it requires Linux"
#define NO_UV "uv_server was not built: libuv is missing; install libuv1-dev"

static void the_epoll_server_answers(void)
{
    check_that_a_server_answers("epoll_server", NO_EPOLL);
}

static void the_epoll_server_cancels_and_stops(void)
{
    check_that_a_server_cancels_and_stops("epoll_server", NO_EPOLL);
}

static void the_libuv_server_answers(void)
{
    check_that_a_server_answers("uv_server", NO_UV);
}

static void the_libuv_server_cancels_and_stops(void)
{
    check_that_a_server_cancels_and_stops("uv_server", NO_UV);
}

/* ---- libcurl ---- */

#define NO_CURL "curl_fetch was not built: libcurl is missing; install libcurl4-openssl-dev"

static void the_libcurl_program_fetches_retries_and_cancels(void)
{
    char output[4096];
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"delay_ms\":300,\"then_serve\":true}," API_SAYS_401_ONCE "]");
    int code = run_to_end((const char *[]){"curl_fetch", ORGS, ORGS, ORGS, ORGS "/0e00000000000000000000ff", NULL}, NO_CURL, output,
                          sizeof output);
    if (code == -1) return;
    CHECK_INT(0, code);
    CHECK_UINT(3, times_in(output, ORGS ": 200\n"));
    CHECK_UINT(1, times_in(output, ": 404\n"));
    CHECK_UINT(2, emulator_counter("token_requests"));

    /* Nobody waits any more. */
    program running;
    emulator_reset();
    emulator_faults("[" TOKEN_HANGS "]");
    if (!started(&running, (const char *[]){"curl_fetch", "--stop-at-end-of-input", ORGS, ORGS, NULL}, NO_CURL)) return;
    CHECK(emulator_wait_for("token_requests", 1));
    close(running.input);
    running.input = -1;
    output[0] = '\0';
    CHECK_INT(0, end_of(&running, output, sizeof output));
    CHECK_UINT(2, times_in(output, ORGS ": canceled\n"));
    CHECK_HAS("2 waits, 0 invalidated, 2 canceled", output);

    /* Its deadline passes. */
    CHECK_INT(0, run_to_end((const char *[]){"curl_fetch", ORGS, NULL}, NO_CURL, output, sizeof output));
    CHECK_HAS(ORGS ": DEADLINE: ", output);
}

/* ---- C++ ---- */

#define NO_CXX "token_future was not built: there is no C++ compiler"

static void the_cpp_program_has_futures_callbacks_and_cancel(void)
{
    char output[4096];
    emulator_faults("[{\"path\":\"/api/oauth/token\",\"delay_ms\":100,\"then_serve\":true}," API_SAYS_401_ONCE "]");
    int code = run_to_end((const char *[]){"token_future", NULL}, NO_CXX, output, sizeof output);
    if (code == -1) return;
    CHECK_INT(0, code);
    CHECK_HAS("waiting for a token\n", output);
    CHECK_HAS("the current token has changed\n", output);
    CHECK_HAS("401: the token is invalidated\n", output);
    CHECK_HAS("GET " ORGS ": 200\n", output);
    CHECK_HAS("from memory: a token until ", output);
    CHECK_UINT(2, emulator_counter("token_requests"));

    emulator_faults("[" TOKEN_HANGS "]");
    CHECK_INT(1, run_to_end((const char *[]){"token_future", "300", NULL}, NO_CXX, output, sizeof output));
    CHECK_HAS("DEADLINE: ", output);
    CHECK_INT(1, run_to_end((const char *[]){"token_future", "60000", "300", NULL}, NO_CXX, output, sizeof output));
    CHECK_HAS("gave up: the completion is never called\n", output);
}

#define PROCESSES "valgrind would follow the processes of the examples"

const test event_loop_tests[] = {
    NATIVE_TEST(the_epoll_server_answers, PROCESSES),
    NATIVE_TEST(the_epoll_server_cancels_and_stops, PROCESSES),
    NATIVE_TEST(the_libuv_server_answers, PROCESSES),
    NATIVE_TEST(the_libuv_server_cancels_and_stops, PROCESSES),
    NATIVE_TEST(the_libcurl_program_fetches_retries_and_cancels, PROCESSES),
    NATIVE_TEST(the_cpp_program_has_futures_callbacks_and_cancel, PROCESSES),
    END_OF_TESTS,
};
