/*
 * Loads the library with dlopen, uses it and unloads it, several times. The last time a refresh is
 * still running.
 * `unload LIBRARY`; not linked with tokenwell. Exits with 0, or prints the failed condition and exits with 3.
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tokenwell.h>

#define DEMAND(condition)                                                          \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
            exit(3);                                                               \
        }                                                                          \
    } while (0)

/*
 * dlsym returns an object pointer. ISO C has no cast from it to a function pointer; POSIX defines
 * this one.
 */
#define FIND(library, name)                                       \
    do {                                                          \
        *(void **)&name = dlsym(library, "tokenwell_" #name);     \
        DEMAND(name != NULL);                                     \
    } while (0)

static void use(const char *path, uint64_t deadline_ms);

int main(int count, char **arguments)
{
    DEMAND(count == 2);
    for (int round = 0; round < 3; round++) use(arguments[1], 0);
    /* With one millisecond the call times out before the server answers, or before there is a
     * connection, or just gets the token. All must be safe. */
    use(arguments[1], 1);

    /* -z nodelete: the code remains mapped for a thread that still runs it. */
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 300000000};
    nanosleep(&pause, NULL);
    DEMAND(dlopen(arguments[1], RTLD_NOW | RTLD_NOLOAD) != NULL);
    return 0;
}

static void use(const char *path, uint64_t deadline_ms)
{
    tokenwell_status (*config_new)(tokenwell_config **, tokenwell_error **);
    tokenwell_status (*config_use_environment)(tokenwell_config *, tokenwell_error **);
    void (*config_free)(tokenwell_config *);
    tokenwell_status (*client_new)(const tokenwell_config *, tokenwell_client **, tokenwell_error **);
    tokenwell_status (*client_token)(const tokenwell_client *, uint64_t, uint64_t, uint32_t, tokenwell_token **, tokenwell_error **);
    void (*client_free)(tokenwell_client *);
    void (*token_free)(tokenwell_token *);
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;

    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror());
    DEMAND(library != NULL);
    FIND(library, config_new);
    FIND(library, config_use_environment);
    FIND(library, config_free);
    FIND(library, client_new);
    FIND(library, client_token);
    FIND(library, client_free);
    FIND(library, token_free);

    DEMAND(config_new(&config, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(config_use_environment(config, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(client_new(config, &client, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_status status = client_token(client, 0, deadline_ms, 0, &token, NULL);
    DEMAND(status == TOKENWELL_STATUS_OK ||
           (deadline_ms && (status == TOKENWELL_STATUS_DEADLINE || status == TOKENWELL_STATUS_NETWORK)));
    token_free(token);
    client_free(client);
    config_free(config);
    DEMAND(dlclose(library) == 0);
}
