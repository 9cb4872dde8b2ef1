/*
 * The C caller of the demo: gets one token, makes one Admin API call with it, reads 10,000 more
 * headers and prints one line of JSON.
 *
 *   cc demo.c loopback_http.c $(pkg-config --cflags --libs tokenwell) -o demo
 *
 * Reads MONGODB_ATLAS_BASE_URL, MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET, as
 * `tokenwell emulator` prints them.
 */
#define _POSIX_C_SOURCE 200809L
#include "loopback_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tokenwell.h>

enum { GETS = 10000 };

static tokenwell_client *client_from_environment(tokenwell_error **error);
static int api_status(const char *base, const tokenwell_token *token);
static double now_ns(void);
static int fail(tokenwell_error *error);

int main(void)
{
    const char *base = getenv("MONGODB_ATLAS_BASE_URL");
    if (!base) {
        fprintf(stderr, "MONGODB_ATLAS_BASE_URL is not set: start `tokenwell emulator` and set the variables that it prints\n");
        return 1;
    }

    tokenwell_error *error = NULL;
    tokenwell_client *client = client_from_environment(&error);
    if (!client) return fail(error);

    tokenwell_token *token = NULL;
    double started = now_ns();
    if (tokenwell_client_token(client, 0, 0, 0, &token, &error) != TOKENWELL_STATUS_OK) {
        tokenwell_client_free(client);
        return fail(error);
    }
    double first_token_ms = (now_ns() - started) / 1e6;
    int status = api_status(base, token);
    tokenwell_token_free(token);

    started = now_ns();
    for (int i = 0; i < GETS; i++) {
        if (tokenwell_client_token(client, 0, 0, 0, &token, &error) != TOKENWELL_STATUS_OK) {
            tokenwell_client_free(client);
            return fail(error);
        }
        if (strncmp(tokenwell_token_authorization(token, NULL), "Bearer ", 7) != 0) abort();
        tokenwell_token_free(token);
    }
    double ns_per_get = (now_ns() - started) / GETS;

    printf("{\"language\":\"C\",\"api_status\":%d,\"gets\":%d,\"ns_per_get\":%.1f,\"first_token_ms\":%.3f}\n", status, GETS, ns_per_get,
           first_token_ms);
    tokenwell_client_free(client);
    return status == 200 ? 0 : 1;
}

static tokenwell_client *client_from_environment(tokenwell_error **error)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    if (tokenwell_config_new(&config, error) == TOKENWELL_STATUS_OK &&
        tokenwell_config_use_environment(config, error) == TOKENWELL_STATUS_OK) {
        tokenwell_client_new(config, &client, error);
    }
    tokenwell_config_free(config);
    return client;
}

/*
 * Sends GET {base}/api/atlas/v2/orgs with the token. Returns the HTTP status, or 0 after printing
 * the error.
 */
static int api_status(const char *base, const tokenwell_token *token)
{
    static const char form[] = "Authorization: %s\r\nAccept: application/vnd.atlas.2024-08-05+json\r\n";
    const char *authorization = tokenwell_token_authorization(token, NULL);
    size_t size = sizeof form + strlen(authorization);
    char *headers = malloc(size);
    if (!headers) abort();
    snprintf(headers, size, form, authorization);

    loopback_reply reply = {0, NULL};
    const char *problem = NULL;
    if (loopback_http("GET", base, "/api/atlas/v2/orgs", headers, NULL, &reply, &problem) != 0) {
        fprintf(stderr, "GET %s/api/atlas/v2/orgs: %s\n", base, problem);
    }
    free(reply.body);
    free(headers);
    return reply.status;
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int fail(tokenwell_error *error)
{
    fprintf(stderr, "%s: %s\n%s\n", tokenwell_error_name(error), tokenwell_error_message(error, NULL), tokenwell_error_hint(error, NULL));
    tokenwell_error_free(error);
    return 1;
}
