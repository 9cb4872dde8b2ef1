/* Loads libraries and then tokenwell with dlopen, and gets a token: late LIBRARY OTHER_LIBRARY... */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <tokenwell.h>

/* ISO C has no conversion from an object pointer to a function pointer. */
#define FUNCTION(name) __typeof__(name) *call_##name = NULL; load(library, #name, &call_##name, sizeof call_##name)

static int missing;
static void load(void *library, const char *name, void *function, size_t size)
{
    void *address = dlsym(library, name);
    if (!address) missing = printf("%s\n", dlerror());
    memcpy(function, &address, size);
}

int main(int count, char **arguments)
{
    int loaded = 0;
    for (int i = 2; i < count; i++) {
        if (dlopen(arguments[i], RTLD_NOW)) loaded++;
        else printf("not loaded: %s\n", dlerror());
    }
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return printf("%s\n", dlerror());
    FUNCTION(tokenwell_config_new);
    FUNCTION(tokenwell_config_use_environment);
    FUNCTION(tokenwell_client_new);
    FUNCTION(tokenwell_client_token);
    FUNCTION(tokenwell_client_free);
    FUNCTION(tokenwell_config_free);
    FUNCTION(tokenwell_token_free);
    FUNCTION(tokenwell_error_message);
    if (missing) return 1;

    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    if (call_tokenwell_config_new(&config, &error) || call_tokenwell_config_use_environment(config, &error) ||
        call_tokenwell_client_new(config, &client, &error) || call_tokenwell_client_token(client, 0, 0, 0, &token, &error)) {
        printf("%s\n", call_tokenwell_error_message(error, NULL));
        return 1;
    }
    printf("a token after %d libraries\n", loaded);
    call_tokenwell_token_free(token);
    call_tokenwell_client_free(client);
    call_tokenwell_config_free(config);
    return 0;
}
