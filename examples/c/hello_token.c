/*
 * The shortest complete program: gets a token and prints when it expires.
 *
 *   cc hello_token.c $(pkg-config --cflags --libs tokenwell) -o hello_token
 *
 * The credential comes from the environment: MONGODB_ATLAS_CLIENT_ID and
 * MONGODB_ATLAS_CLIENT_SECRET.
 */
#include <inttypes.h>
#include <stdio.h>
#include <tokenwell.h>

int main(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    if (tokenwell_config_new(&config, &error) == TOKENWELL_STATUS_OK &&
        tokenwell_config_use_environment(config, &error) == TOKENWELL_STATUS_OK &&
        tokenwell_client_new(config, &client, &error) == TOKENWELL_STATUS_OK &&
        tokenwell_client_token(client, 0, 0, 0, &token, &error) == TOKENWELL_STATUS_OK) {
        /* The value is a secret: pass it to your HTTP library and do not print it. */
        size_t length = 0;
        tokenwell_token_value(token, &length);
        printf("a token of %zu characters, valid until %" PRId64 " (seconds since 1970)\n", length,
               tokenwell_token_expires_at_ms(token) / 1000);
    } else {
        fprintf(stderr, "%s: %s\n%s\n", tokenwell_error_name(error), tokenwell_error_message(error, NULL),
                tokenwell_error_hint(error, NULL));
    }

    int failed = token == NULL;
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    tokenwell_error_free(error);
    return failed;
}
