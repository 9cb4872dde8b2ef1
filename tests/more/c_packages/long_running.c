/* Gets a token and revokes it, again and again, until standard input closes. Prints a line for each, or the error and ends with 1. */
#include <poll.h>
#include <stdio.h>
#include <tokenwell.h>

static int fail(const tokenwell_error *error)
{
    printf("%s\n", tokenwell_error_message(error, NULL));
    return 1;
}

int main(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    if (tokenwell_config_new(&config, &error) || tokenwell_config_use_environment(config, &error) || tokenwell_client_new(config, &client, &error))
        return fail(error);
    struct pollfd input = {0, POLLIN, 0};
    for (int round = 1; poll(&input, 1, 20) == 0; round++) {
        tokenwell_token *token = NULL;
        if (tokenwell_client_token(client, 0, 0, 0, &token, &error) || tokenwell_client_revoke(client, 0, &error)) return fail(error);
        tokenwell_token_free(token);
        printf("%d\n", round);
        fflush(stdout);
    }
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return 0;
}
