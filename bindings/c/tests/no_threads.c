/* The system refuses to create threads for this process. */
#define _GNU_SOURCE
#include "operations.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MINUTE_MS = 60 * 1000 };

static atomic_bool none_left;
static atomic_uint refused;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* A sanitizer must see each thread: this is its own override of the function. */
int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
#endif

/* Overrides the function of the C library, for this program and for the library under test. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    if (atomic_load(&none_left)) {
        atomic_fetch_add(&refused, 1);
        return EAGAIN;
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return __interceptor_pthread_create(thread, attributes, start, argument);
#else
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    if (!found) abort();
    /* ISO C has no conversion from an object pointer to a function pointer. */
    memcpy(&create, &found, sizeof create);
    return create(thread, attributes, start, argument);
#endif
}

static void a_get_refreshes_inline_if_no_thread_can_be_created(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    atomic_store(&refused, 0);

    atomic_store(&none_left, true);
    tokenwell_token *token = get(client);
    atomic_store(&none_left, false);

    CHECK(token != NULL);
    CHECK(atomic_load(&refused) > 0);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void a_due_token_is_returned_immediately_and_refreshed_once_threads_can_be_created(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    char *first = get_value(client);
    CHECK_OK(tokenwell_client_advance_clock(client, 51 * MINUTE_MS, &error), &error);

    atomic_store(&none_left, true);
    char *due = get_value(client);
    atomic_store(&none_left, false);

    CHECK_TEXT(first, due);
    CHECK_UINT(1, emulator_counter("token_requests"));

    uint64_t generation = generation_of(client);
    char *still_due = get_value(client);
    for (int i = 0; i < 60000 && generation_of(client) == generation; i++) pause_ms(1);
    char *second = get_value(client);
    CHECK_TEXT(first, still_due);
    CHECK(strcmp(first, second) != 0);
    CHECK_UINT(2, emulator_counter("token_requests"));
    free(first), free(due), free(still_due), free(second);
    tokenwell_client_free(client);
}

/* Closes each connection so that the client's next write fails with EPIPE: first the end of the
 * stream, then a reset. */
static void reset_each_connection(int listening)
{
    for (;;) {
        int connection = accept(listening, NULL, NULL);
        struct linger now = {.l_onoff = 1};
        if (connection < 0) _exit(0);
        shutdown(connection, SHUT_WR);
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(connection);
    }
}

/* A program that does not handle SIGPIPE. Its exit code is that of the last get. */
static void get_without_threads(unsigned port)
{
    enum { ROUNDS = 20 };
    sigset_t none, mask, pending;
    tokenwell_config *config = emulator_config(SYSTEM_CLOCK);
    tokenwell_status status = TOKENWELL_STATUS_OK;
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", port);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    DEMAND(set(config, "base_url", url, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "timeout_ms", "300", NULL) == TOKENWELL_STATUS_OK);

    atomic_store(&none_left, true);
    for (int round = 0; round < ROUNDS; round++) {
        tokenwell_client *client = NULL;
        tokenwell_token *token = NULL;
        DEMAND(tokenwell_client_new(config, &client, NULL) == TOKENWELL_STATUS_OK);
        status = tokenwell_client_token(client, 0, 0, 0, &token, NULL);
        tokenwell_client_free(client);
    }

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    DEMAND(!sigismember(&mask, SIGPIPE) && !sigismember(&pending, SIGPIPE));
    _exit((int)status);
}

static void r16_a_reset_connection_does_not_kill_a_program_without_threads(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0), ended = 0;
    if (bind(listening, (struct sockaddr *)&address, length) != 0 || listen(listening, 64) != 0) abort();
    getsockname(listening, (struct sockaddr *)&address, &length);
    fflush(NULL);
    pid_t server = fork();
    if (server == 0) reset_each_connection(listening);
    pid_t program = fork();
    if (program == 0) get_without_threads(ntohs(address.sin_port));

    waitpid(program, &ended, 0);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    close(listening);

    CHECK_INT(0, WIFSIGNALED(ended) ? WTERMSIG(ended) : 0);
    CHECK_INT(TOKENWELL_STATUS_NETWORK, WIFEXITED(ended) ? WEXITSTATUS(ended) : -1);
}

static void an_operation_fails_if_no_thread_can_be_created(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *errors[4] = {NULL}, *error = NULL;
    tokenwell_status statuses[4];
    seen data = {0};

    atomic_store(&none_left, true);
    statuses[0] = tokenwell_client_token_async(client, 0, 0, 0, on_end, &data, on_destroy, &now, &operation, &errors[0]);
    statuses[1] = tokenwell_client_token_queued(client, 0, 0, 0, queue, 1, &now, &operation, &errors[1]);
    atomic_store(&none_left, false);
    char *value = get_value(client);
    atomic_store(&none_left, true);
    CHECK_OK(tokenwell_client_token_async(client, 0, 0, 0, on_end, &data, on_destroy, &now, &operation, &error), &error);
    tokenwell_token_free(now);
    now = NULL;
    statuses[2] = tokenwell_client_token_async(client, 0, 0, TOKENWELL_FORCE_REFRESH, on_end, &data, on_destroy, &now, &operation, &errors[2]);
    statuses[3] = tokenwell_client_revoke_async(client, 0, on_end, &data, on_destroy, &operation, &errors[3]);
    atomic_store(&none_left, false);

    for (int i = 0; i < 4; i++) {
        CHECK(statuses[i] != TOKENWELL_STATUS_OK && statuses[i] != TOKENWELL_STATUS_PENDING);
        CHECK_INT(statuses[i], tokenwell_error_status(errors[i]));
        CHECK_HAS("thread", tokenwell_error_message(errors[i], NULL));
        CHECK(strlen(tokenwell_error_hint(errors[i], NULL)) > 0);
        tokenwell_error_free(errors[i]);
    }
    CHECK(now == NULL && operation == NULL);

    /* No callback and no entry comes, and the failure is not remembered. */
    seen later = {0};
    begin_unowned_get(client, 0, TOKENWELL_FORCE_REFRESH, &later);
    check_seen(1, TOKENWELL_STATUS_OK, &later);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    CHECK_UINT(0, atomic_load(&data.called) + atomic_load(&data.destroyed));
    check_empty(queue);
    free(value);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

const test no_thread_tests[] = {
    TEST(a_get_refreshes_inline_if_no_thread_can_be_created),
    TEST(a_due_token_is_returned_immediately_and_refreshed_once_threads_can_be_created),
    NATIVE_TEST(r16_a_reset_connection_does_not_kill_a_program_without_threads, "valgrind would follow the child and make its 60 TLS handshakes slow"),
    TEST(an_operation_fails_if_no_thread_can_be_created),
    END_OF_TESTS,
};
