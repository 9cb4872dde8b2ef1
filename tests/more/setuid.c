/*
 * A program with all settings in its arguments, which setuid.py makes set-user-ID.
 *
 *   setuid [--use-environment] [NAME=VALUE]...    prints OK or the status, message and hint of the error
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <tokenwell.h>

static int failed(tokenwell_error *error)
{
    printf("%s: %s (%s)\n", tokenwell_status_name(tokenwell_error_status(error)), tokenwell_error_message(error, NULL), tokenwell_error_hint(error, NULL));
    return 1;
}

int main(int count, char **arguments)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    if (count == 2 && strcmp(arguments[1], "--secure") == 0) {
        printf("%lu\n", getauxval(AT_SECURE));
        return 0;
    }
    if (tokenwell_config_new(&config, &error) != TOKENWELL_STATUS_OK) return failed(error);
    for (int i = 1; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        tokenwell_status status = equals ? tokenwell_config_set(config, arguments[i], (size_t)(equals - arguments[i]), equals + 1, strlen(equals + 1), &error)
                                         : tokenwell_config_use_environment(config, &error);
        if (status != TOKENWELL_STATUS_OK) return failed(error);
    }
    if (tokenwell_client_new(config, &client, &error) != TOKENWELL_STATUS_OK) return failed(error);
    if (tokenwell_client_token(client, 0, 0, 0, &token, &error) != TOKENWELL_STATUS_OK) return failed(error);
    puts("OK");
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return 0;
}
