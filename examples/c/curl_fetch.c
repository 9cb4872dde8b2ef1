/*
 * Many transfers with libcurl's multi interface: one thread, one curl_multi_poll() for the
 * transfers, for the queue of tokenwell and for a wake-up.
 *
 *   cc curl_fetch.c loopback_http.c $(pkg-config --cflags --libs tokenwell libcurl) -o curl_fetch
 *   ./curl_fetch /api/atlas/v2/orgs /api/atlas/v2/groups      prints the HTTP status of each path
 *
 * Ctrl-C, or the end of standard input with `--stop-at-end-of-input`, cancels what is not done yet.
 * `--token-deadline-ms N` is how long to wait for a token (3000).
 * EXAMPLE_API_URL is where the API is, by default MONGODB_ATLAS_BASE_URL.
 */
#define _GNU_SOURCE
#include "loopback_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>
#include <unistd.h>

enum { DRAIN_MS = 1000, TRANSFER_SECONDS = 60 };

/* One path of the command line. Its index is the tag of its operations. */
typedef struct {
    uint64_t index;
    const char *path;
    CURL *transfer;
    struct curl_slist *headers;
    tokenwell_operation *operation; /* what this path waits for, or NULL */
    tokenwell_token *token;
    int attempts, done;
} job;

static tokenwell_client *client;
static tokenwell_queue *queue;
static CURLM *multi;
static const char *api;
static job *jobs;
static size_t job_count, jobs_left;
static uint64_t token_deadline_ms = 3000;
static int wake_up[2]; /* a pipe; what is written says why */
/* Printed at the end. */
static unsigned from_memory, waited, invalidated, canceled;

static const uint64_t STOP = UINT64_MAX;

static void start_transfer(job *each);
static void end_transfer(job *each);
static void finish(job *each, const char *result);
static void finish_with_error(job *each, tokenwell_error *error);
static void fail(const char *what, tokenwell_error *error);

/* ---- the token ---- */

static void request_token(job *each)
{
    tokenwell_error *error = NULL;
    switch (tokenwell_client_token_queued(client, 0, token_deadline_ms, 0, queue, each->index, &each->token, &each->operation, &error)) {
    case TOKENWELL_STATUS_OK: /* from memory, without any wait */
        from_memory++;
        start_transfer(each);
        break;
    case TOKENWELL_STATUS_PENDING: /* take_completions() gets the result */
        waited++;
        break;
    default: finish_with_error(each, error);
    }
}

static void take_completions(void)
{
    uint64_t index;
    tokenwell_operation *completed = NULL;
    while (tokenwell_queue_take(queue, &index, &completed, NULL) == TOKENWELL_STATUS_OK) {
        job *each = &jobs[index];
        tokenwell_error *error = NULL;
        if (!each->done) {
            tokenwell_operation_free(each->operation);
            each->operation = NULL;
            /* With 0 ms this call never waits. */
            if (tokenwell_operation_wait(completed, 0, &each->token, &error) == TOKENWELL_STATUS_OK) start_transfer(each);
            else finish_with_error(each, error);
        }
        tokenwell_operation_free(completed);
        completed = NULL;
    }
}

/* A thread of the library runs this: wake up the loop, nothing else. */
static void invalidate_done(void *index, tokenwell_operation *operation)
{
    (void)operation;
    if (write(wake_up[1], index, sizeof(uint64_t)) < 0) perror("the wake-up of the loop");
}

/*
 * The resource server rejected the token although it has not expired. Another process may hold the
 * lock of the shared cache, so this can take a second: it must not delay the other transfers.
 */
static void invalidate(job *each)
{
    tokenwell_error *error = NULL;
    size_t length = 0;
    const char *value = tokenwell_token_value(each->token, &length);
    /* The index remains valid until `jobs` is released, after the drain: no destroy callback. */
    tokenwell_status status =
        tokenwell_client_invalidate_async(client, value, length, token_deadline_ms, invalidate_done, &each->index, NULL, &each->operation,
                                          &error);
    tokenwell_token_free(each->token);
    each->token = NULL;
    if (status == TOKENWELL_STATUS_PENDING) return;
    if (status == TOKENWELL_STATUS_OK) request_token(each);
    else finish_with_error(each, error);
}

/* Ctrl-C: nobody waits for the rest any more. */
static void cancel_all(void)
{
    for (size_t i = 0; i < job_count; i++) {
        if (jobs[i].done) continue;
        if (jobs[i].operation && tokenwell_operation_cancel(jobs[i].operation)) canceled++;
        finish(&jobs[i], "canceled");
    }
}

static void woken_up(void)
{
    uint64_t index;
    while (read(wake_up[0], &index, sizeof index) == sizeof index) {
        if (index == STOP) {
            cancel_all();
            continue;
        }
        job *each = &jobs[index];
        if (each->done || !each->operation) continue;
        tokenwell_error *error = NULL;
        tokenwell_status status = tokenwell_operation_wait(each->operation, 0, NULL, &error);
        tokenwell_operation_free(each->operation);
        each->operation = NULL;
        invalidated++;
        if (status == TOKENWELL_STATUS_OK) request_token(each);
        else finish_with_error(each, error);
    }
}

static void interrupted(int signal_number)
{
    (void)signal_number;
    int before = errno;
    if (write(wake_up[1], &STOP, sizeof STOP) < 0) _exit(1);
    errno = before;
}

static void shut_down(void)
{
    tokenwell_error *error = NULL;
    /* Everything that is pending ends with CLOSED. */
    if (tokenwell_client_close(client, &error) != TOKENWELL_STATUS_OK) fail("close", error);
    /* Afterwards no callback runs or comes, so the pipe and `jobs` may be released. If the server
     * hangs, a request to it may take longer: they are left to the end of the process. */
    if (tokenwell_client_drain(client, DRAIN_MS, NULL) == TOKENWELL_STATUS_OK) {
        close(wake_up[0]);
        close(wake_up[1]);
        free(jobs);
    }
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

/* ---- the transfers ---- */

static size_t ignore_body(char *bytes, size_t size, size_t count, void *nothing)
{
    (void)bytes, (void)nothing;
    return size * count;
}

static void start_transfer(job *each)
{
    char url[2048], authorization[4096];
    each->attempts++;
    each->transfer = curl_easy_init();
    if (!each->transfer) abort();
    snprintf(url, sizeof url, "%s%s", api, each->path);
    snprintf(authorization, sizeof authorization, "Authorization: %s", tokenwell_token_authorization(each->token, NULL));
    each->headers = curl_slist_append(curl_slist_append(NULL, authorization), "Accept: application/vnd.atlas.2024-08-05+json");
    curl_easy_setopt(each->transfer, CURLOPT_URL, url);
    curl_easy_setopt(each->transfer, CURLOPT_HTTPHEADER, each->headers);
    curl_easy_setopt(each->transfer, CURLOPT_PRIVATE, each);
    curl_easy_setopt(each->transfer, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(each->transfer, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(each->transfer, CURLOPT_TIMEOUT, (long)TRANSFER_SECONDS);
    curl_multi_add_handle(multi, each->transfer);
}

static void end_transfer(job *each)
{
    if (!each->transfer) return;
    curl_multi_remove_handle(multi, each->transfer);
    curl_easy_cleanup(each->transfer);
    curl_slist_free_all(each->headers);
    each->transfer = NULL;
    each->headers = NULL;
}

static void take_transfers(void)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        job *each = NULL;
        long status = 0;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &each);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        end_transfer(each);
        if (result == CURLE_OK && status == 401 && each->attempts < 2) {
            invalidate(each);
            continue;
        }
        char text[16];
        snprintf(text, sizeof text, "%ld", status);
        finish(each, result == CURLE_OK ? text : curl_easy_strerror(result));
    }
}

static void finish(job *each, const char *result)
{
    printf("%s: %s\n", each->path, result);
    fflush(stdout);
    end_transfer(each);
    tokenwell_operation_free(each->operation);
    tokenwell_token_free(each->token);
    each->operation = NULL;
    each->token = NULL;
    each->done = 1;
    jobs_left--;
}

static void finish_with_error(job *each, tokenwell_error *error)
{
    char text[512];
    snprintf(text, sizeof text, "%s: %s", tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    tokenwell_error_free(error);
    finish(each, text);
}

int main(int count, char **arguments)
{
    int first = 1, input = -1;
    struct sockaddr_storage address;
    socklen_t length;
    char host[64];
    const char *problem = NULL;
    for (; first < count && strncmp(arguments[first], "--", 2) == 0; first++) {
        if (strcmp(arguments[first], "--stop-at-end-of-input") == 0) input = 0;
        else if (strcmp(arguments[first],
                        "--token-deadline-ms") == 0 && first + 1 < count) token_deadline_ms = strtoull(arguments[++first], NULL, 10);
        else break;
    }
    api = getenv("EXAMPLE_API_URL");
    if (!api) api = getenv("MONGODB_ATLAS_BASE_URL");
    if (!api || count <= first || arguments[first][0] != '/') {
        fail("usage: MONGODB_ATLAS_BASE_URL=... curl_fetch [--stop-at-end-of-input] [--token-deadline-ms N] PATH...", NULL);
    }
    /* A bearer token is never sent over a network unencrypted. */
    if (strncmp(api, "https://", 8) != 0 && loopback_address(api, &address, &length, host, sizeof host, &problem) != 0) fail(problem, NULL);

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
    if (pipe2(wake_up, O_NONBLOCK | O_CLOEXEC) != 0) fail(strerror(errno), NULL);
    struct sigaction action = {.sa_handler = interrupted};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    job_count = (size_t)(count - first);
    jobs = calloc(job_count, sizeof *jobs);
    if (!multi || !jobs) abort();
    jobs_left = job_count;
    for (size_t i = 0; i < job_count; i++) {
        jobs[i].index = i;
        jobs[i].path = arguments[first + (int)i];
        request_token(&jobs[i]);
    }

    while (jobs_left > 0) {
        /* curl_multi_poll() watches the sockets of the transfers and these descriptors. */
        struct curl_waitfd also[] = {
            {.fd = queue_descriptor, .events = CURL_WAIT_POLLIN},
            {.fd = wake_up[0], .events = CURL_WAIT_POLLIN},
            {.fd = input, .events = CURL_WAIT_POLLIN},
        };
        int running;
        if (curl_multi_poll(multi, also, input < 0 ? 2 : 3, 60000, NULL) != CURLM_OK || curl_multi_perform(multi, &running) != CURLM_OK) {
            fail("curl_multi_poll", NULL);
        }
        char rest[256];
        if (also[0].revents) take_completions();
        if (also[1].revents) woken_up();
        if (input >= 0 && also[2].revents && read(input, rest, sizeof rest) <= 0) {
            cancel_all();
            input = -1;
        }
        take_transfers();
    }

    shut_down();
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    printf("%u tokens from memory, %u waits, %u invalidated, %u canceled\n", from_memory, waited, invalidated, canceled);
    return 0;
}

static void fail(const char *what, tokenwell_error *error)
{
    if (error) fprintf(stderr, "%s: %s: %s\n", what, tokenwell_error_name(error), tokenwell_error_message(error, NULL));
    else fprintf(stderr, "%s\n", what);
    exit(1);
}
