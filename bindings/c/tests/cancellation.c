/* pthread_cancel while a thread is in a call of tokenwell, or is a thread of tokenwell. */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/tokenwell-cancel-XXXXXX";

/* Calls every function that reads files, sends requests or waits, with a request to cancel the thread
 * pending. A call must neither abort the process nor end the thread. */
static void *call_everything(void *data)
{
    char cache[64], secret_file[64];
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    atomic_uint *finished = data;
    int state;
    snprintf(cache, sizeof cache, "%s/cache", directory);
    snprintf(secret_file, sizeof secret_file, "%s/secret", directory);
    FILE *file = fopen(secret_file, "w");
    DEMAND(file && fputs(need_environment("MONGODB_ATLAS_CLIENT_SECRET"), file) >= 0 && fclose(file) == 0);

    pthread_cancel(pthread_self());

    DEMAND(tokenwell_config_new(&config, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "base_url", need_environment("MONGODB_ATLAS_BASE_URL"), &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "client_id", need_environment("MONGODB_ATLAS_CLIENT_ID"), &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "client_secret_file", secret_file, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "cache", "on", &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "cache_dir", cache, &error) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_config_use_environment(config, &error) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_new(config, &client, &error) == TOKENWELL_STATUS_OK);
    tokenwell_config_free(config);
    for (int round = 0; round < 2; round++) {
        DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, &error) == TOKENWELL_STATUS_OK);
        tokenwell_token_free(token);
    }
    DEMAND(tokenwell_client_token(client, 0, 0, TOKENWELL_FORCE_REFRESH, &token, &error) == TOKENWELL_STATUS_OK);
    size_t length;
    const char *value = tokenwell_token_value(token, &length);
    DEMAND(tokenwell_client_invalidate(client, value, length, &error) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);
    DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, &error) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);
    DEMAND(tokenwell_client_revoke(client, 0, &error) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_log_set(NULL, NULL, 0, &error) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_close(client, &error) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, &error) == TOKENWELL_STATUS_CLOSED);
    tokenwell_error_free(error);
    tokenwell_client_free(client);

    /* The state of the thread is what it was. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    DEMAND(state == PTHREAD_CANCEL_ENABLE);
    pthread_setcancelstate(state, NULL);
    atomic_fetch_add(finished, 1);
    pthread_testcancel();
    return NULL;
}

/* Runs `work` in a child process, because a failure aborts it. Returns its exit code, or minus the
 * signal that killed it. */
static int in_a_child(void (*work)(void))
{
    int ended = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        work();
        _exit(0);
    }
    waitpid(child, &ended, 0);
    return WIFSIGNALED(ended) ? -WTERMSIG(ended) : WEXITSTATUS(ended);
}

static void cancel_a_calling_thread(void)
{
    atomic_uint finished = 0;
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, call_everything, &finished) != 0) abort();
    pthread_join(thread, &result);
    DEMAND(atomic_load(&finished) == 1);
    DEMAND(result == PTHREAD_CANCELED);
}

static void r18_a_canceled_thread_finishes_its_calls(void)
{
    char command[96];
    if (!mkdtemp(directory)) abort();

    CHECK_INT(0, in_a_child(cancel_a_calling_thread));

    snprintf(command, sizeof command, "rm -rf %s", directory);
    CHECK_INT(0, system(command));
}

static void cancel_in_the_callback(void *user_data, int32_t level, const char *message, size_t length)
{
    (void)user_data, (void)level, (void)message, (void)length;
    pthread_cancel(pthread_self());
}

static void cancel_a_thread_of_the_library(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    DEMAND(tokenwell_log_set(cancel_in_the_callback, NULL, 4, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void r18_a_thread_of_the_library_cannot_be_canceled(void)
{
    CHECK_INT(0, in_a_child(cancel_a_thread_of_the_library));
}

const test cancellation_tests[] = {
    NATIVE_TEST(r18_a_canceled_thread_finishes_its_calls, "valgrind would follow the child and report memory of threads that only its parent has"),
    NATIVE_TEST(r18_a_thread_of_the_library_cannot_be_canceled, "valgrind would follow the child and report memory of threads that only its parent has"),
    END_OF_TESTS,
};
