/* Runs the functions in bindings/c/README.md: snippets CLIENT_ID SECRET_FILE BASE_URL. They are in snippets.inc. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>

#define CHECK(condition) do { if (!(condition)) { printf("snippets.c:%d: %s\n", __LINE__, #condition); exit(1); } } while (0)

/* What the functions use: a library for HTTP, and a vault. */
static char sent[2][4096];
static int requests;
static int http_get(const char *url, const char *authorization)
{
    CHECK(strcmp(url, "https://api.example/orgs") == 0 && strlen(authorization) < sizeof sent[0] && requests < 2);
    strcpy(sent[requests], authorization);
    return requests++ == 0 ? 401 : 200;
}
static const char *read_from(void *vault) { return vault; }

#include "snippets.inc"

int main(int count, char **arguments)
{
    CHECK(count == 4);
    tokenwell_error *error = NULL;

    tokenwell_client *client = connect_to(arguments[3], arguments[1], arguments[2], &error);
    CHECK(client && !error);
    CHECK(get_with_retry(client, "https://api.example/orgs", &error) == 200);
    CHECK(requests == 2 && strncmp(sent[0], "Bearer ", 7) == 0 && strcmp(sent[0], sent[1]) != 0);
    tokenwell_client_free(client);

    client = connect_to(arguments[3], arguments[1], arguments[2], &error);
    tokenwell_token *token = token_in_a_loop(client, &error);
    CHECK(token && strlen(tokenwell_token_value(token, NULL)) > 10);
    tokenwell_token_free(token);
    token = token_in_a_loop(client, &error);
    CHECK(token);
    tokenwell_token_free(token);
    CHECK(print_organizations(client, &error) == 200 && !error);
    tokenwell_client_free(client);

    char secret[256] = "";
    FILE *file = fopen(arguments[2], "r");
    CHECK(file && fgets(secret, sizeof secret, file));
    fclose(file);
    char *vaults[] = {secret, NULL};
    for (int i = 0; i < 2; i++) {
        tokenwell_config *config = NULL;
        CHECK(tokenwell_config_new(&config, NULL) == 0 && tokenwell_config_set(config, "client_id", 9, arguments[1], strlen(arguments[1]), NULL) == 0);
        CHECK(tokenwell_config_set(config, "base_url", 8, arguments[3], strlen(arguments[3]), NULL) == 0);
        CHECK(tokenwell_config_set_secret_callback(config, deliver, vaults[i], NULL, NULL) == 0);
        CHECK(tokenwell_client_new(config, &client, NULL) == 0);
        token = NULL;
        tokenwell_status status = tokenwell_client_token(client, 0, 0, 0, &token, &error);
        CHECK(vaults[i] ? status == 0 : status == TOKENWELL_STATUS_NOT_CONFIGURED && strstr(tokenwell_error_message(error, NULL), "the vault is sealed"));
        tokenwell_token_free(token);
        tokenwell_client_free(client);
        tokenwell_config_free(config);
    }
    report(error);
    tokenwell_error_free(error);
    return 0;
}
