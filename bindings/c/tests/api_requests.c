/* Requests to the Admin API: what is sent, what is returned, cancel, close, fork and the queue. */
#define _GNU_SOURCE
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVALID TOKENWELL_STATUS_INVALID_ARGUMENT
#define ORGS "/api/atlas/v2/orgs"
/* The reply of the API, and no test waits for it. */
#define HANGING_API "[{\"path\":\"" ORGS "\",\"delay_ms\":120000,\"then_serve\":true}]"

static tokenwell_api_request *new_request(const char *method, const char *path)
{
    tokenwell_api_request *request = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_api_request_new(method, strlen(method), path, strlen(path), &request, &error), &error);
    return request;
}

static tokenwell_status path_status(const char *path, tokenwell_error **error)
{
    tokenwell_api_request *request = NULL;
    tokenwell_status status = tokenwell_api_request_new("GET", 3, path, strlen(path), &request, error);
    tokenwell_api_request_free(request);
    return status;
}

static const char *header(const tokenwell_api_response *response, const char *name)
{
    return tokenwell_api_response_header(response, name, strlen(name), NULL);
}

/* Begins a GET of ORGS with `on_end` and `on_destroy`, or with a queue. */
static tokenwell_operation *begin(const tokenwell_client *client, uint64_t deadline_ms, const tokenwell_queue *queue, uint64_t tag, seen *data)
{
    tokenwell_operation *operation = NULL;
    tokenwell_error *error = NULL;
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_status status =
        queue ? tokenwell_client_request_queued(client, request, deadline_ms, queue, tag, &operation, &error)
              : tokenwell_client_request_async(client, request, deadline_ms, data ? on_end : NULL, data, data ? on_destroy : NULL, &operation, &error);
    if (!CHECK_INT(TOKENWELL_STATUS_PENDING, status) && error) printf("  %s\n", tokenwell_error_message(error, NULL));
    tokenwell_error_free(error);
    /* A call that was begun does not refer to it. */
    tokenwell_api_request_free(request);
    return operation;
}

/* Checks that the operation has a response with this HTTP status. */
static void check_response(int status, const tokenwell_operation *operation)
{
    tokenwell_token *token = (tokenwell_token *)&token;
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_operation_wait(operation, 60000, &token, &error), &error);
    CHECK(token == NULL);
    CHECK_OK(tokenwell_operation_response(operation, &response, &error), &error);
    CHECK_INT(status, tokenwell_api_response_status(response));
    tokenwell_api_response_free(response);
}

/* ---- arguments ---- */

static void null_in_a_request_call_is_named(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_api_request *request = new_request("GET", ORGS), *none = NULL;
    tokenwell_api_response *response = NULL;
    tokenwell_operation *operation = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};
    size_t length = 7;

    CHECK_FAILS_NAMING(INVALID, "method", tokenwell_api_request_new(NULL, 3, "/", 1, &none, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "path", tokenwell_api_request_new("GET", 3, NULL, 1, &none, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_api_request_new("GET", 3, "/", 1, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_api_request_set_version(NULL, "preview", 7, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "version", tokenwell_api_request_set_version(request, NULL, 7, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_api_request_add_query(NULL, "a", 1, "b", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "name", tokenwell_api_request_add_query(request, NULL, 1, "b", 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "value", tokenwell_api_request_add_query(request, "a", 1, NULL, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_api_request_set_body(NULL, "{}", 2, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "json", tokenwell_api_request_set_body(request, NULL, 2, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_api_request_set_max_body(NULL, 1, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_request(NULL, request, 0, &response, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_client_request(client, NULL, 0, &response, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_client_request(client, request, 0, NULL, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_request_async(NULL, request, 0, on_end, &data, on_destroy, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_client_request_async(client, NULL, 0, on_end, &data, on_destroy, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "client", tokenwell_client_request_queued(NULL, request, 0, queue, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "request", tokenwell_client_request_queued(client, NULL, 0, queue, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "queue", tokenwell_client_request_queued(client, request, 0, NULL, 1, &operation, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "operation", tokenwell_operation_response(NULL, &response, &error), &error);
    CHECK(none == NULL && response == NULL && operation == NULL);
    CHECK_UINT(0, atomic_load(&data.called) + atomic_load(&data.destroyed));
    CHECK_UINT(0, emulator_counter("requests"));

    CHECK_INT(0, tokenwell_api_response_status(NULL));
    CHECK(tokenwell_api_response_body(NULL, &length) == NULL && length == 0);
    CHECK(tokenwell_api_response_body(NULL, NULL) == NULL);
    length = 7;
    CHECK(tokenwell_api_response_header(NULL, "a", 1, &length) == NULL && length == 0);
    CHECK_UINT(0, tokenwell_api_response_header_count(NULL));
    CHECK(tokenwell_api_response_header_name(NULL, 0, NULL) == NULL);
    CHECK(tokenwell_api_response_header_value(NULL, 0, NULL) == NULL);
    tokenwell_api_response_free(NULL);
    tokenwell_api_request_free(NULL);

    tokenwell_api_request_free(request);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void i5_a_request_that_could_reach_another_place_is_refused(void)
{
    static const char *const refused[] = {"https://evil.example/", "//evil.example/", "/\\evil.example", "https://cloud.mongodb.com" ORGS,
                                          "/api/../x", "/api/%2e%2E/x", "/api/..%2Fx"};
    static const char *const invalid[] = {"", "api", "/a b", "/a#b", "/a\r\nHost: b"};
    tokenwell_error *error = NULL;

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK_FAILS_NAMING(TOKENWELL_STATUS_REFUSED, "path", path_status(refused[i], &error), &error);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) CHECK_FAILS_NAMING(INVALID, "path", path_status(invalid[i], &error), &error);
    tokenwell_api_request *request = NULL;
    CHECK_FAILS_NAMING(INVALID, "method", tokenwell_api_request_new("get", 3, "/", 1, &request, &error), &error);
    request = new_request("POST", "/");
    CHECK_FAILS_NAMING(INVALID, "body", tokenwell_api_request_set_body(request, "{\"a\":", 5, &error), &error);
    CHECK_FAILS_NAMING(INVALID, "version", tokenwell_api_request_set_version(request, "2025/03", 7, &error), &error);
    tokenwell_api_request_free(request);
}

/* ---- results ---- */

static void a_response_has_its_status_its_headers_and_its_body(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    size_t length = 0;
    emulator_faults("[{\"path\":\"" ORGS "\",\"status\":429,\"headers\":{\"Retry-After\":\"7\",\"X-Twice\":[\"a\",\"b\"],"
                    "\"Content-Type\":\"application/json\"},\"body\":\"{\\\"detail\\\":\\\"x\\\\u0000\\\"}\"}]");

    CHECK_OK(tokenwell_client_request(client, request, 0, &response, &error), &error);
    CHECK_INT(429, tokenwell_api_response_status(response));
    CHECK_TEXT("{\"detail\":\"x\\u0000\"}", tokenwell_api_response_body(response, &length));
    CHECK_UINT(20, length);
    CHECK_TEXT("7", header(response, "retry-after"));
    CHECK_TEXT("7", header(response, "Retry-After"));
    CHECK_TEXT("application/json", tokenwell_api_response_header(response, "CONTENT-TYPE", 12, &length));
    CHECK_UINT(16, length);
    CHECK_TEXT("a", header(response, "x-twice"));
    CHECK(header(response, "x-none") == NULL);
    CHECK(tokenwell_api_response_header(response, NULL, 0, &length) == NULL && length == 0);

    size_t count = tokenwell_api_response_header_count(response), twice = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = tokenwell_api_response_header_name(response, i, &length);
        CHECK_UINT(strlen(name), length);
        if (strcmp(name, "x-twice") == 0) CHECK_TEXT(twice++ ? "b" : "a", tokenwell_api_response_header_value(response, i, &length));
    }
    CHECK_UINT(2, twice);
    CHECK(tokenwell_api_response_header_name(response, count, NULL) == NULL);
    CHECK(tokenwell_api_response_header_value(response, SIZE_MAX, NULL) == NULL);

    /* It outlives its client. */
    tokenwell_client_free(client);
    CHECK_INT(429, tokenwell_api_response_status(response));
    tokenwell_api_response_free(response);
    tokenwell_api_request_free(request);
}

static void a_request_is_an_operation_with_a_callback_or_a_queue(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};

    tokenwell_operation *called_back = begin(client, 0, NULL, 0, &data), *queued = begin(client, 0, queue, 9, NULL);
    tokenwell_operation *waited_for = begin(client, 0, NULL, 0, NULL);
    check_response(200, called_back);
    check_response(200, waited_for);
    tokenwell_operation *taken = take_one(queue, 9);
    check_response(200, taken);
    wait_for_destroy(&data);
    CHECK_UINT(1, atomic_load(&data.called));
    CHECK_INT(TOKENWELL_STATUS_OK, atomic_load(&data.status));
    CHECK(!atomic_load(&data.got_token));
    check_empty(queue);
    CHECK_UINT(3, emulator_counter("api_requests"));
    CHECK_UINT(1, emulator_counter("token_requests"));

    CHECK_FAILS_NAMING(INVALID, "out", tokenwell_operation_response(taken, NULL, &error), &error);
    seen token = {0};
    tokenwell_operation *get = begin_get(client, 0, TOKENWELL_FORCE_REFRESH, &token);
    check_seen(1, TOKENWELL_STATUS_OK, &token);
    CHECK_FAILS_NAMING(INVALID, "operation", tokenwell_operation_response(get, &response, &error), &error);

    tokenwell_operation_free(called_back), tokenwell_operation_free(queued), tokenwell_operation_free(taken);
    tokenwell_operation_free(waited_for), tokenwell_operation_free(get);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void a_rejected_token_is_replaced_once(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    emulator_faults("[{\"path\":\"" ORGS "\",\"status\":401,\"times\":1}]");
    tokenwell_operation *repaired = begin(client, 0, NULL, 0, NULL);
    check_response(200, repaired);
    CHECK_UINT(2, emulator_counter("requests") - emulator_counter("token_requests"));
    CHECK_UINT(2, emulator_counter("tokens_minted"));
    CHECK_UINT(1, stats_of(client).invalidations);

    /* Another client: several new tokens in a row that are rejected pause the token requests. */
    tokenwell_client *other = emulator_client(SYSTEM_CLOCK);
    emulator_faults("[{\"path\":\"" ORGS "\",\"status\":401}]");
    tokenwell_operation *rejected = begin(other, 0, NULL, 0, NULL);
    check_response(401, rejected);
    CHECK_UINT(4, emulator_counter("requests") - emulator_counter("token_requests"));
    tokenwell_operation_free(repaired), tokenwell_operation_free(rejected);
    tokenwell_client_free(client), tokenwell_client_free(other);
}

static void without_another_token_the_401_is_the_response(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    free(get_value(client));
    emulator_faults("[{\"path\":\"" ORGS "\",\"status\":401},{\"path\":\"/api/oauth/token\",\"status\":401,\"body\":{\"error\":\"invalid_client\"}}]");
    tokenwell_operation *operation = begin(client, 0, NULL, 0, NULL);
    check_response(401, operation);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void a_response_that_is_too_large_is_an_error(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    char body[1002] = "", faults[1200];
    memset(body, 'a', 1001);
    CHECK_OK(tokenwell_api_request_set_max_body(request, 1000, &error), &error);
    for (size_t i = 0; i < 2; i++) {
        snprintf(faults, sizeof faults, "[{\"path\":\"%s\",\"body\":\"%s\"%s}]", ORGS, i ? "a" : body, i ? ",\"endless\":true" : "");
        emulator_faults(faults);
        CHECK_FAILS_NAMING(TOKENWELL_STATUS_PROTOCOL, "longer than 1000 bytes", tokenwell_client_request(client, request, 0, &response, &error),
                           &error);
    }
    body[1000] = '\0';
    snprintf(faults, sizeof faults, "[{\"path\":\"%s\",\"body\":\"%s\"}]", ORGS, body);
    emulator_faults(faults);
    size_t length = 0;
    CHECK_OK(tokenwell_client_request(client, request, 0, &response, &error), &error);
    CHECK(tokenwell_api_response_body(response, &length) && length == 1000);
    tokenwell_api_response_free(response);
    tokenwell_api_request_free(request);
    tokenwell_client_free(client);
}

/* ---- deadline, cancel, close ---- */

static void a_request_has_its_own_deadline(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};

    for (int i = 0; i < 2; i++) {
        /* The API does not answer, then the server of the tokens. */
        emulator_faults(i ? HANGING : HANGING_API);
        tokenwell_client *each = i ? emulator_client(SYSTEM_CLOCK) : client;
        uint64_t started = now_ms();
        CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_client_request(each, request, 300, &response, &error), &error);
        CHECK(now_ms() - started >= 300 && now_ms() - started < 30000);
        if (i) tokenwell_client_free(each);
    }
    emulator_faults(HANGING_API);
    uint64_t started = now_ms();
    tokenwell_operation *operation = begin(client, 300, NULL, 0, &data);
    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
    CHECK(now_ms() - started >= 300 && now_ms() - started < 30000);
    wait_for_destroy(&data);
    CHECK_INT(TOKENWELL_STATUS_DEADLINE, atomic_load(&data.status));
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    tokenwell_operation_free(operation);
    tokenwell_api_request_free(request);
    tokenwell_client_free(client);
}

static void a_canceled_request_ends_and_uses_nothing(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    seen data = {0};
    emulator_faults(HANGING_API);
    tokenwell_operation *operations[] = {begin(client, 0, NULL, 0, &data), begin(client, 0, queue, 3, NULL), begin(client, 0, NULL, 0, NULL)};
    CHECK(emulator_wait_for("requests", 4));
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_operation_wait(operations[2], 10, NULL, NULL));
    tokenwell_api_response *response = NULL;
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_operation_response(operations[0], &response, NULL));

    for (size_t i = 0; i < 3; i++) CHECK_INT(1, tokenwell_operation_cancel(operations[i]));
    wait_for_destroy(&data);
    CHECK_UINT(0, atomic_load(&data.called));
    for (size_t i = 0; i < 3; i++) {
        CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(operations[i], 60000, NULL, &error), &error);
        CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_response(operations[i], &response, &error), &error);
        tokenwell_operation_free(operations[i]);
    }
    check_empty(queue);
    /* Their threads have ended although the API never answers. */
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void freeing_a_waited_for_request_ends_it(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    emulator_faults(HANGING_API);
    /* Nothing announces its end, and nobody can wait for it any more. */
    tokenwell_operation_free(begin(client, 0, NULL, 0, NULL));
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    tokenwell_client_free(client);
}

static void close_ends_all_pending_requests(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    seen data = {0}, later = {0};
    emulator_faults(HANGING_API);
    tokenwell_operation *operation = begin(client, 0, NULL, 0, &data), *queued = begin(client, 0, queue, 3, NULL), *none = NULL;
    CHECK(emulator_wait_for("requests", 3));

    CHECK_OK(tokenwell_client_close(client, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(operation, 60000, NULL, &error), &error);
    tokenwell_operation *taken = take_one(queue, 3);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_operation_response(taken, &response, &error), &error);
    wait_for_destroy(&data);
    CHECK_INT(TOKENWELL_STATUS_CLOSED, atomic_load(&data.status));
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);

    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_request(client, request, 0, &response, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_request_async(client, request, 0, on_end, &later, on_destroy, &none, &error), &error);
    CHECK_FAILS(TOKENWELL_STATUS_CLOSED, tokenwell_client_request_queued(client, request, 0, queue, 1, &none, &error), &error);
    CHECK_UINT(0, atomic_load(&later.called) + atomic_load(&later.destroyed));
    CHECK(none == NULL && response == NULL);
    tokenwell_operation_free(operation), tokenwell_operation_free(queued), tokenwell_operation_free(taken);
    tokenwell_api_request_free(request);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

static void block_inside(seen *self, tokenwell_operation *operation)
{
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    CHECK_FAILS_NAMING(INVALID, "tokenwell_client_request", tokenwell_client_request(self->client, request, 0, &response, &error), &error);
    CHECK_OK(tokenwell_operation_response(operation, &response, &error), &error);
    CHECK_INT(200, tokenwell_api_response_status(response));
    tokenwell_api_response_free(response);
    tokenwell_api_request_free(request);
}

static void a_callback_reads_the_response_and_may_not_block(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    seen data = {.inside = block_inside, .client = client};
    tokenwell_operation_free(begin(client, 0, NULL, 0, &data));
    wait_for_destroy(&data);
    CHECK_UINT(1, atomic_load(&data.called));
    tokenwell_client_free(client);
}

static void a_client_of_another_server_has_no_api(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_api_request *request = new_request("GET", ORGS);
    tokenwell_api_response *response = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_OK(set(config, "client_id", "a", &error), &error);
    CHECK_OK(set(config, "client_secret", "hidden", &error), &error);
    CHECK_OK(set(config, "token_url", "http://127.0.0.1:1/token", &error), &error);
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_NOT_CONFIGURED, "token_url", tokenwell_client_request(client, request, 0, &response, &error), &error);
    tokenwell_api_request_free(request);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

/* ---- fork ---- */

static void a_fork_during_a_request_leaves_it_to_the_parent(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    seen data = {0};
    free(get_value(client));
    emulator_faults("[{\"path\":\"" ORGS "\",\"delay_ms\":700,\"then_serve\":true,\"times\":2}]");
    tokenwell_operation *called_back = begin(client, 0, NULL, 0, &data), *queued = begin(client, 0, queue, 4, NULL);
    CHECK(emulator_wait_for("requests", 3));

    pid_t child = fork();
    if (child == 0) {
        tokenwell_api_response *response = NULL;
        tokenwell_api_request *request = NULL;
        DEMAND(tokenwell_operation_wait(called_back, 60000, NULL, NULL) == TOKENWELL_STATUS_CLOSED);
        DEMAND(tokenwell_operation_response(queued, &response, NULL) == TOKENWELL_STATUS_CLOSED && !response);
        tokenwell_operation_cancel(queued);
        DEMAND(tokenwell_api_request_new("GET", 3, ORGS, strlen(ORGS), &request, NULL) == TOKENWELL_STATUS_OK);
        DEMAND(tokenwell_client_request(client, request, 0, &response, NULL) == TOKENWELL_STATUS_OK);
        DEMAND(tokenwell_api_response_status(response) == 200);
        tokenwell_api_response_free(response);
        tokenwell_api_request_free(request);
        tokenwell_operation_free(called_back), tokenwell_operation_free(queued);
        DEMAND(tokenwell_client_close(client, NULL) == TOKENWELL_STATUS_OK);
        DEMAND(tokenwell_client_drain(client, 60000, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_queue_free(queue);
        tokenwell_client_free(client);
        DEMAND(atomic_load(&data.called) == 0 && atomic_load(&data.destroyed) == 0);
        _exit(0);
    }
    check_response(200, called_back);
    wait_for_destroy(&data);
    CHECK_UINT(1, atomic_load(&data.called));
    tokenwell_operation *taken = take_one(queue, 4);
    check_response(200, taken);
    CHECK_INT(0, exit_code_of(child));
    tokenwell_operation_free(called_back), tokenwell_operation_free(queued), tokenwell_operation_free(taken);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

const test api_request_tests[] = {
    TEST(null_in_a_request_call_is_named),
    TEST(i5_a_request_that_could_reach_another_place_is_refused),
    TEST(a_response_has_its_status_its_headers_and_its_body),
    TEST(a_request_is_an_operation_with_a_callback_or_a_queue),
    TEST(a_rejected_token_is_replaced_once),
    TEST(without_another_token_the_401_is_the_response),
    TEST(a_response_that_is_too_large_is_an_error),
    TEST(a_request_has_its_own_deadline),
    TEST(a_canceled_request_ends_and_uses_nothing),
    TEST(freeing_a_waited_for_request_ends_it),
    TEST(close_ends_all_pending_requests),
    TEST(a_callback_reads_the_response_and_may_not_block),
    TEST(a_client_of_another_server_has_no_api),
    NATIVE_TEST(a_fork_during_a_request_leaves_it_to_the_parent,
                "valgrind would follow the child and report memory that it does not free on purpose"),
    END_OF_TESTS,
};
