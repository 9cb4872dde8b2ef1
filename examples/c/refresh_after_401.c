/*
 * A token may become invalid before it expires, for example because it was revoked. The resource
 * server then answers 401. The remedy is always the same: invalidate this token, get another one,
 * and retry once. A second 401 is the result.
 *
 *   cc refresh_after_401.c loopback_http.c $(pkg-config --cflags --libs tokenwell) -o refresh_after_401
 */
#include "loopback_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>

static int list_organizations(const tokenwell_client *client, const char *base, int *status, tokenwell_error **error);
static int get_once(const char *base, const tokenwell_token *token, int *status);

int main(void)
{
    const char *base = getenv("MONGODB_ATLAS_BASE_URL");
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    int status = 0, failed = 1;

    if (!base) {
        fprintf(stderr, "MONGODB_ATLAS_BASE_URL is not set: start `tokenwell emulator` and set the variables that it prints\n");
        return 1;
    }
    if (tokenwell_config_new(&config, &error) == TOKENWELL_STATUS_OK &&
        tokenwell_config_use_environment(config, &error) == TOKENWELL_STATUS_OK &&
        tokenwell_client_new(config, &client, &error) == TOKENWELL_STATUS_OK) {
        failed = list_organizations(client, base, &status, &error);
    }

    if (error) {
        fprintf(stderr, "%s: %s\n%s\n", tokenwell_error_name(error), tokenwell_error_message(error, NULL), tokenwell_error_hint(error, NULL));
    } else if (status) {
        printf("GET /api/atlas/v2/orgs: %d\n", status);
    }
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    tokenwell_error_free(error);
    return failed || status != 200;
}

/* Calls the API, and calls it once more with a new token if the first reply is 401. */
static int list_organizations(const tokenwell_client *client, const char *base, int *status, tokenwell_error **error)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        tokenwell_token *token = NULL;
        if (tokenwell_client_token(client, 0, 0, 0, &token, error) != TOKENWELL_STATUS_OK) return 1;

        int failed = get_once(base, token, status);
        if (!failed && *status == 401 && attempt == 0) {
            /* Pass the token that was rejected: if another thread has already replaced it, the new
             * token is kept. */
            size_t length = 0;
            const char *value = tokenwell_token_value(token, &length);
            failed = tokenwell_client_invalidate(client, value, length, error) != TOKENWELL_STATUS_OK;
        }
        tokenwell_token_free(token);
        if (failed) return 1;
        if (*status != 401) return 0;
    }
    return 0;
}

static int get_once(const char *base, const tokenwell_token *token, int *status)
{
    static const char form[] = "Authorization: %s\r\nAccept: application/vnd.atlas.2024-08-05+json\r\n";
    const char *authorization = tokenwell_token_authorization(token, NULL);
    size_t size = sizeof form + strlen(authorization);
    char *headers = malloc(size);
    if (!headers) return 1;
    snprintf(headers, size, form, authorization);

    loopback_reply reply = {0, NULL};
    const char *problem = NULL;
    int failed = loopback_http("GET", base, "/api/atlas/v2/orgs", headers, NULL, &reply, &problem);
    if (failed) fprintf(stderr, "GET %s/api/atlas/v2/orgs: %s\n", base, problem);
    *status = reply.status;
    free(reply.body);
    free(headers);
    return failed != 0;
}
