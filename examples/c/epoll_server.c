/*
 * A server on epoll: one thread, many connections, and no call that blocks.
 *
 *   cc epoll_server.c loopback_http.c $(pkg-config --cflags --libs tokenwell) -o epoll_server
 *   ./epoll_server                                    prints "listening on 127.0.0.1:PORT"
 *   echo /api/atlas/v2/orgs | nc 127.0.0.1 PORT       prints the HTTP status of this path: 200
 *
 * A connection sends a path of the Admin API. The server calls the API with a token and sends the
 * status back. Ctrl-C stops it. EXAMPLE_API_URL is where the API is, by default
 * MONGODB_ATLAS_BASE_URL.
 *
 * What to read first:
 *   request_token()  a cached token is returned immediately; otherwise the answer is PENDING
 *   queue_ready()    a completion arrives: the descriptor of the queue is in epoll
 *   invalidate()     after a 401; its end is reported by a callback that wakes up the loop
 *   drop()           the caller has left: its operation is canceled
 *   shut_down()      close, drain, free
 */
#define _GNU_SOURCE
#include "loopback_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <tokenwell.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 256, TOKEN_DEADLINE_MS = 3000, DRAIN_MS = 1000 };

typedef struct connection connection;

/* What epoll watches. `ready` is called when the descriptor is. */
typedef struct { int fd; void (*ready)(connection *owner, uint32_t events); connection *owner; } watched;

/* One connection. Its number is the tag of its operations: unlike a pointer it is never used again. */
struct connection {
    uint64_t number;
    watched peer, api;
    char path[256], reply[64];
    size_t path_length, reply_length;
    tokenwell_operation *operation; /* what this connection waits for, or NULL */
    tokenwell_token *token;
    int attempts;
    connection *next_dropped;
};

static tokenwell_client *client;
static tokenwell_queue *queue;
static int epoll, wake_up[2];
static watched listener;
static struct sockaddr_storage api_address;
static socklen_t api_address_length;
static char api_host[64];
static connection *connections[MOST_CONNECTIONS], *dropped;
static uint64_t last_number;
static int stopping;
/* Printed at the end. */
static unsigned answered, from_memory, waited, invalidated, canceled;

static void accept_connection(connection *none, uint32_t events);
static void signal_ready(connection *none, uint32_t events);
static void queue_ready(connection *none, uint32_t events);
static void woken_up(connection *none, uint32_t events);
static void peer_ready(connection *each, uint32_t events);
static void api_ready(connection *each, uint32_t events);
static void call_api(connection *each);
static void invalidate(connection *each);
static void reply_error(connection *each, tokenwell_error *error);
static void reply(connection *each, const char *text);
static void drop(connection *each);
static void release_dropped(void);
static void watch(watched *what, uint32_t events);
static connection *connection_with(uint64_t number);
static void fail(const char *what, tokenwell_error *error);

/* ---- the token ---- */

static void request_token(connection *each)
{
    tokenwell_error *error = NULL;
    switch (tokenwell_client_token_queued(client, 0, TOKEN_DEADLINE_MS, 0, queue, each->number, &each->token, &each->operation, &error)) {
    case TOKENWELL_STATUS_OK: /* from memory, without any wait */
        from_memory++;
        call_api(each);
        break;
    case TOKENWELL_STATUS_PENDING: /* queue_ready() gets the result, with DEADLINE after three seconds at the latest */
        waited++;
        break;
    default: reply_error(each, error);
    }
}

/* The descriptor of the queue is readable while the queue has entries. Never read it yourself. */
static void queue_ready(connection *none, uint32_t events)
{
    (void)none, (void)events;
    uint64_t number;
    tokenwell_operation *completed = NULL;
    while (tokenwell_queue_take(queue, &number, &completed, NULL) == TOKENWELL_STATUS_OK) {
        connection *each = connection_with(number);
        tokenwell_error *error = NULL;
        if (each) {
            tokenwell_operation_free(each->operation);
            each->operation = NULL;
            /* With 0 ms this call never waits. */
            if (tokenwell_operation_wait(completed, 0, &each->token, &error) == TOKENWELL_STATUS_OK) call_api(each);
            else reply_error(each, error);
        }
        tokenwell_operation_free(completed);
        completed = NULL;
    }
}

/*
 * The resource server rejected the token although it has not expired. Another process may hold the
 * lock of the shared cache, so this can take a second: it must not block the loop either.
 */
static void invalidate_done(void *number, tokenwell_operation *operation)
{
    /* A thread of the library runs this: do nothing but wake up the loop. A write to a pipe of less
     * than PIPE_BUF bytes is never split. */
    (void)operation;
    if (write(wake_up[1], number, sizeof(uint64_t)) < 0) perror("the wake-up of the loop");
}

static void invalidate(connection *each)
{
    tokenwell_error *error = NULL;
    size_t length = 0;
    const char *value = tokenwell_token_value(each->token, &length);
    /* The callback may come after this connection is gone: it gets a copy, which `free` releases. */
    uint64_t *number = malloc(sizeof *number);
    if (!number) abort();
    *number = each->number;
    tokenwell_status status =
        tokenwell_client_invalidate_async(client, value, length, TOKEN_DEADLINE_MS, invalidate_done, number, free, &each->operation,
                                          &error);
    tokenwell_token_free(each->token);
    each->token = NULL;
    if (status == TOKENWELL_STATUS_PENDING) return;
    free(number);
    if (status == TOKENWELL_STATUS_OK) request_token(each);
    else reply_error(each, error);
}

static void woken_up(connection *none, uint32_t events)
{
    (void)none, (void)events;
    uint64_t number;
    while (read(wake_up[0], &number, sizeof number) == sizeof number) {
        connection *each = connection_with(number);
        if (!each || !each->operation) continue;
        tokenwell_error *error = NULL;
        tokenwell_status status = tokenwell_operation_wait(each->operation, 0, NULL, &error);
        tokenwell_operation_free(each->operation);
        each->operation = NULL;
        invalidated++;
        if (status == TOKENWELL_STATUS_OK) request_token(each);
        else reply_error(each, error);
    }
}

/* The caller has its reply, or has left. */
static void drop(connection *each)
{
    if (each->operation && tokenwell_operation_cancel(each->operation)) canceled++;
    tokenwell_operation_free(each->operation);
    tokenwell_token_free(each->token);
    each->operation = NULL;
    each->token = NULL;
    close(each->peer.fd);
    if (each->api.fd >= 0) close(each->api.fd);
    connections[each->number % MOST_CONNECTIONS] = NULL;
    /* epoll may have reported an event of it already, so its memory is released after this turn. */
    each->next_dropped = dropped;
    dropped = each;
}

static void shut_down(void)
{
    tokenwell_error *error = NULL;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        if (connections[i]) drop(connections[i]);
    }
    /* Everything that is pending ends with CLOSED. */
    if (tokenwell_client_close(client, &error) != TOKENWELL_STATUS_OK) fail("close", error);
    /* Afterwards no callback runs or comes, so the pipe may be closed. If the server hangs, a
     * request to it may take longer: the pipe is left to the end of the process. */
    if (tokenwell_client_drain(client, DRAIN_MS, NULL) == TOKENWELL_STATUS_OK) {
        close(wake_up[0]);
        close(wake_up[1]);
    }
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

/* ---- the connections ---- */

int main(void)
{
    const char *api = getenv("EXAMPLE_API_URL"), *problem = NULL;
    if (!api) api = getenv("MONGODB_ATLAS_BASE_URL");
    if (!api) fail("MONGODB_ATLAS_BASE_URL is not set: start `tokenwell emulator` and export the variables that it prints", NULL);
    if (loopback_address(api, &api_address, &api_address_length, api_host, sizeof api_host, &problem) != 0) fail(problem, NULL);

    tokenwell_config *config = NULL;
    tokenwell_error *error = NULL;
    int32_t queue_descriptor = -1;
    if (tokenwell_config_new(&config, &error) != TOKENWELL_STATUS_OK ||
        tokenwell_config_use_environment(config, &error) != TOKENWELL_STATUS_OK ||
        tokenwell_client_new(config, &client, &error) != TOKENWELL_STATUS_OK ||
        tokenwell_queue_new(&queue, &error) != TOKENWELL_STATUS_OK ||
        tokenwell_queue_descriptor(queue, &queue_descriptor, &error) != TOKENWELL_STATUS_OK) {
        fail("tokenwell", error);
    }
    tokenwell_config_free(config);

    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t here_length = sizeof here;
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    listener = (watched){socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), accept_connection, NULL};
    watched signals = {signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC), signal_ready, NULL};
    if (epoll < 0 || listener.fd < 0 || signals.fd < 0 || pipe2(wake_up, O_NONBLOCK | O_CLOEXEC) != 0 ||
        bind(listener.fd, (const struct sockaddr *)&here, sizeof here) != 0 || listen(listener.fd, 128) != 0 ||
        getsockname(listener.fd, (struct sockaddr *)&here, &here_length) != 0) {
        fail(strerror(errno), NULL);
    }
    watched completions = {queue_descriptor, queue_ready, NULL}, wake_ups = {wake_up[0], woken_up, NULL};
    watch(&listener, EPOLLIN);
    watch(&signals, EPOLLIN);
    watch(&completions, EPOLLIN);
    watch(&wake_ups, EPOLLIN);
    printf("listening on 127.0.0.1:%u\n", ntohs(here.sin_port));
    fflush(stdout);

    while (!stopping) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            watched *what = events[i].data.ptr;
            if (what->fd >= 0 && (!what->owner || connections[what->owner->number % MOST_CONNECTIONS] == what->owner)) {
                what->ready(what->owner, events[i].events);
            }
        }
        release_dropped();
    }

    close(listener.fd);
    close(signals.fd);
    shut_down();
    release_dropped();
    close(epoll);
    printf("%u answered, %u tokens from memory, %u waits, %u invalidated, %u canceled\n", answered, from_memory, waited, invalidated,
           canceled);
    return 0;
}

static void signal_ready(connection *none, uint32_t events)
{
    (void)none, (void)events;
    stopping = 1;
}

static void accept_connection(connection *none, uint32_t events)
{
    (void)none, (void)events;
    int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    uint64_t number = last_number + 1;
    while (number - last_number < MOST_CONNECTIONS && connections[number % MOST_CONNECTIONS]) number++;
    connection *each = connections[number % MOST_CONNECTIONS] ? NULL : calloc(1, sizeof *each);
    if (!each) {
        close(fd);
        return;
    }
    last_number = each->number = number;
    each->peer = (watched){fd, peer_ready, each};
    each->api = (watched){-1, api_ready, each};
    connections[number % MOST_CONNECTIONS] = each;
    watch(&each->peer, EPOLLIN | EPOLLRDHUP);
}

static void peer_ready(connection *each, uint32_t events)
{
    (void)events;
    char more[sizeof each->path];
    ssize_t got = recv(each->peer.fd, more, sizeof more, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(each);
        return;
    }
    if (each->operation || each->api.fd >= 0) return; /* it has sent its path already */
    for (ssize_t i = 0; i < got && more[i] != '\n' && each->path_length + 1 < sizeof each->path; i++) {
        each->path[each->path_length++] = more[i];
    }
    if (memchr(more, '\n', (size_t)got)) request_token(each);
}

static void call_api(connection *each)
{
    each->attempts++;
    each->reply_length = 0;
    each->api.fd = socket(api_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (each->api.fd < 0 ||
        (connect(each->api.fd, (const struct sockaddr *)&api_address, api_address_length) != 0 && errno != EINPROGRESS)) {
        reply(each, strerror(errno));
        return;
    }
    watch(&each->api, EPOLLOUT);
}

/* The connection to the API is open, or its response has come. */
static void api_ready(connection *each, uint32_t events)
{
    if (events & EPOLLOUT) {
        char request[4096];
        int length = snprintf(request, sizeof request,
                              "GET %s HTTP/1.0\r\nHost: %s\r\nAuthorization: %s\r\nAccept: application/vnd.atlas.2024-08-05+json\r\n\r\n",
                                  each->path,
                              api_host, tokenwell_token_authorization(each->token, NULL));
        if (length >= (int)sizeof request || send(each->api.fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
            reply(each, "cannot send the request");
            return;
        }
        struct epoll_event answer = {.events = EPOLLIN, .data.ptr = &each->api};
        epoll_ctl(epoll, EPOLL_CTL_MOD, each->api.fd, &answer);
        return;
    }
    ssize_t got = recv(each->api.fd, each->reply + each->reply_length, sizeof each->reply - 1 - each->reply_length, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) each->reply_length += (size_t)got;
    int status = 0;
    if (sscanf(each->reply, "HTTP/1.%*d %3d", &status) != 1 || status < 100) {
        if (got <= 0) reply(each, "no HTTP response");
        return;
    }
    close(each->api.fd);
    each->api.fd = -1;
    if (status == 401 && each->attempts < 2) {
        invalidate(each);
        return;
    }
    char text[16];
    snprintf(text, sizeof text, "%d", status);
    reply(each, text);
}

static void reply(connection *each, const char *text)
{
    char line[600];
    int length = snprintf(line, sizeof line, "%s\n", text);
    if (send(each->peer.fd, line, (size_t)length, MSG_NOSIGNAL) == length) answered++;
    drop(each);
}

static void reply_error(connection *each, tokenwell_error *error)
{
    char text[512];
    snprintf(text, sizeof text, "%s: %s", tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    tokenwell_error_free(error);
    reply(each, text);
}

static void release_dropped(void)
{
    while (dropped) {
        connection *each = dropped;
        dropped = each->next_dropped;
        free(each);
    }
}

static void watch(watched *what, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, what->fd, &event) != 0) fail(strerror(errno), NULL);
}

static connection *connection_with(uint64_t number)
{
    connection *found = connections[number % MOST_CONNECTIONS];
    return found && found->number == number ? found : NULL;
}

static void fail(const char *what, tokenwell_error *error)
{
    if (error) fprintf(stderr, "%s: %s: %s\n", what, tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    else fprintf(stderr, "%s\n", what);
    exit(1);
}
