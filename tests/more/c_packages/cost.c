/* Cached gets in C: cost COUNT. cost.cpp does the same with tokenwell.hpp. */
#include <stdio.h>
#include <stdlib.h>
#include <tokenwell.h>

__attribute__((noinline)) size_t get(const tokenwell_client *client)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    if (tokenwell_client_token(client, 0, 0, TOKENWELL_WAIT_FOR_SAVE, &token, &error) != TOKENWELL_STATUS_OK) {
        tokenwell_error_free(error);
        return 0;
    }
    size_t length = 0;
    tokenwell_token_value(token, &length);
    tokenwell_token_free(token);
    return length;
}

int main(int count, char **arguments)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    if (count != 2 || tokenwell_config_new(&config, NULL) || tokenwell_config_use_environment(config, NULL) ||
        tokenwell_client_new(config, &client, NULL)) return 1;
    size_t sum = 0;
    for (long left = strtol(arguments[1], NULL, 10); left; left--) sum += get(client);
    printf("%zu\n", sum);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return sum == 0;
}
