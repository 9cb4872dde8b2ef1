/*
 * A server on libuv: as epoll_server.c, with a uv_poll_t on the descriptor of the queue and a
 * uv_async_t that a callback of tokenwell wakes up.
 *
 *   cc uv_server.c loopback_http.c $(pkg-config --cflags --libs tokenwell libuv) -o uv_server
 *   ./uv_server                                       prints "listening on 127.0.0.1:PORT"
 *   echo /api/atlas/v2/orgs | nc 127.0.0.1 PORT       prints the HTTP status of this path: 200
 *
 * Ctrl-C stops it. EXAMPLE_API_URL is where the API is, by default MONGODB_ATLAS_BASE_URL.
 */
#define _GNU_SOURCE
#include "loopback_http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>
#include <uv.h>

enum { MOST_ATTEMPTS = 2, TOKEN_DEADLINE_MS = 3000, DRAIN_MS = 1000 };

/* One connection. Its number is the tag of its operations. */
typedef struct connection {
    uint64_t number;
    uv_tcp_t peer, apis[MOST_ATTEMPTS]; /* a handle cannot be used again until libuv has closed it */
    uv_tcp_t *api;                      /* the open one of them, or NULL */
    uv_connect_t connecting;
    uv_write_t sending, replying;
    int open_handles, dropped, replied;
    char path[256], request[4096], response[64], reply[600];
    size_t path_length, response_length;
    tokenwell_operation *operation; /* what this connection waits for, or NULL */
    tokenwell_token *token;
    int attempts;
    struct connection *next;
} connection;

/* The user data of the callback: it may come after its connection is gone. */
typedef struct note { uint64_t number; struct note *next; } note;

static tokenwell_client *client;
static tokenwell_queue *queue;
static struct sockaddr_storage api_address;
static char api_host[64];
static uv_loop_t *loop;
static uv_tcp_t listener;
static uv_poll_t completions;
static uv_async_t wake_up;
static uv_signal_t interrupt, terminate;
static connection *connections;
static uint64_t last_number;
static int drained;
/* A uv_async_t joins several wake-ups into one, so the reason of each is kept in a list. */
static pthread_mutex_t notes_lock = PTHREAD_MUTEX_INITIALIZER;
static note *notes;
/* Printed at the end. */
static unsigned answered, from_memory, waited, invalidated, canceled;

static void call_api(connection *each);
static void response_came(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer);
static void reply(connection *each, const char *text);
static void reply_error(connection *each, tokenwell_error *error);
static void drop(connection *each);
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
static void queue_ready(uv_poll_t *none, int status, int events)
{
    (void)none, (void)status, (void)events;
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

/* A thread of the library runs this: leave a note and wake up the loop, nothing else. */
static void invalidate_done(void *data, tokenwell_operation *operation)
{
    (void)operation;
    note *copy = malloc(sizeof *copy);
    if (!copy) abort();
    *copy = *(note *)data;
    pthread_mutex_lock(&notes_lock);
    copy->next = notes;
    notes = copy;
    pthread_mutex_unlock(&notes_lock);
    uv_async_send(&wake_up); /* the only function of libuv that another thread may call */
}

/*
 * The resource server rejected the token although it has not expired. Another process may hold the
 * lock of the shared cache, so this can take a second: it must not block the loop either.
 */
static void invalidate(connection *each)
{
    tokenwell_error *error = NULL;
    size_t length = 0;
    const char *value = tokenwell_token_value(each->token, &length);
    note *data = calloc(1, sizeof *data);
    if (!data) abort();
    data->number = each->number;
    tokenwell_status status =
        tokenwell_client_invalidate_async(client, value, length, TOKEN_DEADLINE_MS, invalidate_done, data, free, &each->operation, &error);
    tokenwell_token_free(each->token);
    each->token = NULL;
    if (status == TOKENWELL_STATUS_PENDING) return;
    free(data);
    if (status == TOKENWELL_STATUS_OK) request_token(each);
    else reply_error(each, error);
}

static void woken_up(uv_async_t *none)
{
    (void)none;
    pthread_mutex_lock(&notes_lock);
    note *taken = notes;
    notes = NULL;
    pthread_mutex_unlock(&notes_lock);
    while (taken) {
        note *first = taken;
        connection *each = connection_with(first->number);
        if (each && each->operation) {
            tokenwell_error *error = NULL;
            tokenwell_status status = tokenwell_operation_wait(each->operation, 0, NULL, &error);
            tokenwell_operation_free(each->operation);
            each->operation = NULL;
            invalidated++;
            if (status == TOKENWELL_STATUS_OK) request_token(each);
            else reply_error(each, error);
        }
        taken = first->next;
        free(first);
    }
}

/* Called when the connection is replied to, and when the caller has left. */
static void cancel_operation(connection *each)
{
    if (each->operation && tokenwell_operation_cancel(each->operation)) canceled++;
    tokenwell_operation_free(each->operation);
    tokenwell_token_free(each->token);
    each->operation = NULL;
    each->token = NULL;
}

static void stop(uv_signal_t *none, int number)
{
    (void)none, (void)number;
    tokenwell_error *error = NULL;
    while (connections) drop(connections);
    uv_close((uv_handle_t *)&listener, NULL);
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_close((uv_handle_t *)&terminate, NULL);
    /* Everything that is pending ends with CLOSED. */
    if (tokenwell_client_close(client, &error) != TOKENWELL_STATUS_OK) fail("close", error);
    /* Afterwards no callback runs or comes, so the uv_async_t may be closed. If the server hangs, a
     * request to it may take longer: the uv_async_t is left to the end of the process. */
    drained = tokenwell_client_drain(client, DRAIN_MS, NULL) == TOKENWELL_STATUS_OK;
    if (drained) uv_close((uv_handle_t *)&wake_up, NULL);
    else uv_unref((uv_handle_t *)&wake_up);
    /* libuv must forget the descriptor before the queue closes it. */
    uv_poll_stop(&completions);
    uv_close((uv_handle_t *)&completions, NULL);
}

/* ---- the connections ---- */

static void handle_closed(uv_handle_t *handle)
{
    connection *each = handle->data;
    if (--each->open_handles == 0) free(each);
}

static void close_api(connection *each)
{
    if (each->api) uv_close((uv_handle_t *)each->api, handle_closed);
    each->api = NULL;
}

static void drop(connection *each)
{
    if (each->dropped) return;
    each->dropped = 1;
    for (connection **place = &connections; *place; place = &(*place)->next) {
        if (*place == each) {
            *place = each->next;
            break;
        }
    }
    cancel_operation(each);
    close_api(each);
    uv_close((uv_handle_t *)&each->peer, handle_closed);
}

static void small_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[256];
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void peer_ready(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    connection *each = stream->data;
    if (got < 0) {
        drop(each); /* it has left */
        return;
    }
    if (each->operation || each->attempts > 0 || each->replied) return; /* it has sent its path already */
    for (ssize_t i = 0; i < got; i++) {
        if (buffer->base[i] == '\n') {
            request_token(each);
            return;
        }
        if (each->path_length + 1 < sizeof each->path) each->path[each->path_length++] = buffer->base[i];
    }
}

static void accept_connection(uv_stream_t *server, int status)
{
    connection *each = status == 0 ? calloc(1, sizeof *each) : NULL;
    if (!each) return;
    each->number = ++last_number;
    each->peer.data = each;
    uv_tcp_init(loop, &each->peer);
    each->open_handles = 1;
    each->next = connections;
    connections = each;
    if (uv_accept(server, (uv_stream_t *)&each->peer) != 0 || uv_read_start((uv_stream_t *)&each->peer, small_buffer,
                                                                            peer_ready) != 0) drop(each);
}

static void request_sent(uv_write_t *request, int status)
{
    connection *each = request->data;
    if (status < 0 && status != UV_ECANCELED) reply(each, uv_strerror(status));
}

static void api_connected(uv_connect_t *request, int status)
{
    connection *each = request->data;
    if (status == UV_ECANCELED) return;
    if (status < 0) {
        reply(each, uv_strerror(status));
        return;
    }
    int length = snprintf(each->request, sizeof each->request,
                          "GET %s HTTP/1.0\r\nHost: %s\r\nAuthorization: %s\r\nAccept: application/vnd.atlas.2024-08-05+json\r\n\r\n",
                              each->path, api_host,
                          tokenwell_token_authorization(each->token, NULL));
    uv_buf_t buffer = uv_buf_init(each->request, (unsigned)length);
    each->sending.data = each;
    if (length >= (int)sizeof each->request) reply(each, "the request is too long");
    else if (uv_write(&each->sending, (uv_stream_t *)each->api, &buffer, 1, request_sent) != 0 ||
             uv_read_start((uv_stream_t *)each->api, small_buffer, response_came) != 0) {
        reply(each, "cannot send the request");
    }
}

static void call_api(connection *each)
{
    each->response_length = 0;
    memset(each->response, 0, sizeof each->response);
    each->api = &each->apis[each->attempts++];
    uv_tcp_init(loop, each->api);
    each->api->data = each;
    each->open_handles++;
    each->connecting.data = each;
    int status = uv_tcp_connect(&each->connecting, each->api, (const struct sockaddr *)&api_address, api_connected);
    if (status != 0) reply(each, uv_strerror(status));
}

static void response_came(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    connection *each = stream->data;
    size_t free_bytes = sizeof each->response - 1 - each->response_length;
    if (got > 0) {
        size_t taken = (size_t)got < free_bytes ? (size_t)got : free_bytes;
        memcpy(each->response + each->response_length, buffer->base, taken);
        each->response_length += taken;
    }
    int status = 0;
    if (sscanf(each->response, "HTTP/1.%*d %3d", &status) != 1 || status < 100) {
        if (got < 0) reply(each, "no HTTP response");
        return;
    }
    close_api(each);
    if (status == 401 && each->attempts < MOST_ATTEMPTS) {
        invalidate(each);
        return;
    }
    char text[16];
    snprintf(text, sizeof text, "%d", status);
    reply(each, text);
}

static void replied(uv_write_t *request, int status)
{
    if (status == UV_ECANCELED) return;
    if (status == 0) answered++;
    drop(request->data);
}

static void reply(connection *each, const char *text)
{
    if (each->replied || each->dropped) return;
    each->replied = 1;
    int length = snprintf(each->reply, sizeof each->reply, "%s\n", text);
    uv_buf_t buffer = uv_buf_init(each->reply, (unsigned)length);
    each->replying.data = each;
    close_api(each);
    cancel_operation(each);
    if (uv_write(&each->replying, (uv_stream_t *)&each->peer, &buffer, 1, replied) != 0) drop(each);
}

static void reply_error(connection *each, tokenwell_error *error)
{
    char text[512];
    snprintf(text, sizeof text, "%s: %s", tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    tokenwell_error_free(error);
    reply(each, text);
}

static connection *connection_with(uint64_t number)
{
    connection *each = connections;
    while (each && each->number != number) each = each->next;
    return each;
}

int main(void)
{
    const char *api = getenv("EXAMPLE_API_URL"), *problem = NULL;
    socklen_t length;
    if (!api) api = getenv("MONGODB_ATLAS_BASE_URL");
    if (!api) fail("MONGODB_ATLAS_BASE_URL is not set: start `tokenwell emulator` and export the variables that it prints", NULL);
    if (loopback_address(api, &api_address, &length, api_host, sizeof api_host, &problem) != 0) fail(problem, NULL);

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

    struct sockaddr_in here;
    int here_length = sizeof here;
    loop = uv_default_loop();
    uv_ip4_addr("127.0.0.1", 0, &here);
    if (uv_tcp_init(loop, &listener) != 0 || uv_tcp_bind(&listener, (const struct sockaddr *)&here, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 128, accept_connection) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&here, &here_length) != 0 ||
        uv_poll_init(loop, &completions, queue_descriptor) != 0 || uv_poll_start(&completions, UV_READABLE, queue_ready) != 0 ||
        uv_async_init(loop, &wake_up, woken_up) != 0 || uv_signal_init(loop, &interrupt) != 0 || uv_signal_start(&interrupt, stop,
                                                                                                                 SIGINT) != 0 ||
        uv_signal_init(loop, &terminate) != 0 || uv_signal_start(&terminate, stop, SIGTERM) != 0) {
        fail("cannot set up the loop", NULL);
    }
    printf("listening on 127.0.0.1:%u\n", ntohs(here.sin_port));
    fflush(stdout);

    uv_run(loop, UV_RUN_DEFAULT); /* until stop() has closed everything */

    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
    if (drained) uv_loop_close(loop);
    printf("%u answered, %u tokens from memory, %u waits, %u invalidated, %u canceled\n", answered, from_memory, waited, invalidated,
           canceled);
    return 0;
}

static void fail(const char *what, tokenwell_error *error)
{
    if (error) fprintf(stderr, "%s: %s: %s\n", what, tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    else fprintf(stderr, "%s\n", what);
    exit(1);
}
