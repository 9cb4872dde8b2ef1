/*
 * Gets one token, prints it and exits immediately, by the way that its argument names:
 *
 *     one_get return|exit|abandon
 *
 * return: from main, after everything was released; exit: with exit(), nothing is released; abandon: with _exit(), which
 * runs no handler at all. The settings come from the environment.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    if (count != 2) return 2;
    if (tokenwell_config_new(&config, &error) != TOKENWELL_STATUS_OK || tokenwell_config_use_environment(config, &error) != TOKENWELL_STATUS_OK ||
        tokenwell_client_new(config, &client, &error) != TOKENWELL_STATUS_OK ||
        tokenwell_client_token(client, 0, 0, 0, &token, &error) != TOKENWELL_STATUS_OK) {
        fprintf(stderr, "one_get: %s\n", tokenwell_error_message(error, NULL));
        return 1;
    }
    puts(tokenwell_token_value(token, NULL));
    fflush(stdout);
    if (strcmp(arguments[1], "abandon") == 0) _exit(0);
    if (strcmp(arguments[1], "exit") == 0) exit(0);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return 0;
}
