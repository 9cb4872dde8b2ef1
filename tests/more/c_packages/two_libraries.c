/* Uses two Rust libraries in one program: tokenwell, and the one in second.rs, which panics on the way. */
#include <stdint.h>
#include <stdio.h>
#include <tokenwell.h>

int64_t second_sum(uint32_t count);

int main(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    if (second_sum(4) != 6 || second_sum(101) != -1) return 2;
    if (tokenwell_config_new(&config, NULL) || tokenwell_config_use_environment(config, NULL) || tokenwell_client_new(config, &client, NULL) ||
        tokenwell_client_token(client, 0, 0, 0, &token, NULL)) return 1;
    if (second_sum(101) != -1) return 2;
    size_t length = 0;
    tokenwell_token_value(token, &length);
    printf("a token of %zu characters\n", length);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    return 0;
}
