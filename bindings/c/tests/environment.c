/*
 * The environment: after a client was made, no variable is read, and with `environment` off or with
 * passed variables none is read at all. This program defines getenv itself, so it sees every call of
 * the library. The name lookups of the C library are the exception: its own calls are not seen.
 */
#define _GNU_SOURCE
#include "check.h"
#include "emulators.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static volatile bool forbidden;

static void refuse(const char *name)
{
    char line[256];
    int length = snprintf(line, sizeof line, "the variable %s is read when none may be read\n", name);
    if (write(STDERR_FILENO, line, (size_t)length) < 0) _exit(4);
    _exit(3);
}

char *getenv(const char *name)
{
    static char *(*real)(const char *);
    if (forbidden) refuse(name);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "getenv");
    return real(name);
}

char *secure_getenv(const char *name)
{
    return getenv(name);
}

/*
 * From now on no call of the library may read a variable. With `poisoned`, a read of the whole
 * environment, as for a list of all names, crashes too. A name lookup would crash then as well.
 */
static char **usual;

static void forbid(bool poisoned)
{
    usual = environ;
    if (poisoned) environ = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    forbidden = true;
}

static void allow(void)
{
    if (forbidden) environ = usual;
    forbidden = false;
}

static void pass_variable(tokenwell_config *config, const char *name, const char *value)
{
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_config_set_variable(config, name, strlen(name), value, strlen(value), &error), &error);
}

typedef struct {
    emulators running;
    char directory[64], base_url[64];
    const char *id, *secret;
} scene;

static scene open_scene(bool tls)
{
    scene opened;
    memset(&opened, 0, sizeof opened);
    strcpy(opened.directory, "/tmp/tokenwell-environment-XXXXXX");
    DEMAND(mkdtemp(opened.directory) != NULL);
    opened.running = start_emulators(tls, opened.directory);
    strcpy(opened.base_url, opened.running.fast);
    opened.id = need_environment("MONGODB_ATLAS_CLIENT_ID");
    opened.secret = need_environment("MONGODB_ATLAS_CLIENT_SECRET");
    return opened;
}

static void close_scene(scene *opened)
{
    allow();
    stop_emulators(&opened->running);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", opened->directory);
    DEMAND(system(command) == 0);
}

/* Only settings, and a cache directory, so that the store works too. */
static tokenwell_config *settings(const scene *opened)
{
    tokenwell_config *config = NULL;
    tokenwell_error *error = NULL;
    char cache[128];
    snprintf(cache, sizeof cache, "%s/cache", opened->directory);
    DEMAND(tokenwell_config_new(&config, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "base_url", opened->base_url, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "client_id", opened->id, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "client_secret", opened->secret, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "cache_dir", cache, &error) == TOKENWELL_STATUS_OK);
    DEMAND(set(config, "cache", "on", &error) == TOKENWELL_STATUS_OK);
    if (opened->running.ca_file[0]) DEMAND(set(config, "ca_file", opened->running.ca_file, &error) == TOKENWELL_STATUS_OK);
    return config;
}

static void demand_token(const tokenwell_client *client, uint32_t flags)
{
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_token(client, 0, 0, flags, &token, &error);
    if (status != TOKENWELL_STATUS_OK) fprintf(stderr, "no token: %s\n", tokenwell_error_message(error, NULL));
    DEMAND(status == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);
}

/* Everything that a client does, from its first token to its end. */
static void use(tokenwell_client *client)
{
    demand_token(client, 0);
    demand_token(client, TOKENWELL_FORCE_REFRESH);
    DEMAND(tokenwell_client_revoke(client, 0, NULL) == TOKENWELL_STATUS_OK);
    demand_token(client, 0);
    DEMAND(tokenwell_client_close(client, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_client_free(client);
}

static tokenwell_client *client_of(tokenwell_config *config)
{
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_new(config, &client, &error);
    if (status != TOKENWELL_STATUS_OK) fprintf(stderr, "no client: %s\n", tokenwell_error_message(error, NULL));
    DEMAND(status == TOKENWELL_STATUS_OK);
    tokenwell_config_free(config);
    return client;
}

static int child_made_before(bool tls, bool by_name)
{
    scene opened = open_scene(tls);
    if (by_name) snprintf(opened.base_url, sizeof opened.base_url, "https://localhost%s", strrchr(opened.running.fast, ':'));
    tokenwell_client *client = client_of(settings(&opened));
    forbid(!by_name);
    use(client);
    close_scene(&opened);
    return 0;
}

static int child_system_authorities(void)
{
    scene opened = open_scene(true);
    opened.running.ca_file[0] = '\0';
    tokenwell_client *client = client_of(settings(&opened));
    tokenwell_token *token = NULL;
    forbid(true);
    DEMAND(tokenwell_client_token(client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_TLS);
    tokenwell_client_free(client);
    close_scene(&opened);
    return 0;
}

typedef enum { OFF, NO_VARIABLES, SOME_VARIABLES } sealing;

static int child_sealed(sealing how)
{
    scene opened = open_scene(false);
    forbid(true);
    tokenwell_config *config = settings(&opened);
    if (how == OFF) DEMAND(set(config, "environment", "off", NULL) == TOKENWELL_STATUS_OK);
    if (how == NO_VARIABLES) DEMAND(tokenwell_config_use_variables(config, NULL) == TOKENWELL_STATUS_OK);
    if (how == SOME_VARIABLES) {
        pass_variable(config, "HOME", opened.directory);
        pass_variable(config, "TOKENWELL_TIMEOUT_MS", "20000");
        DEMAND(tokenwell_config_use_environment(config, NULL) == TOKENWELL_STATUS_OK);
    }
    use(client_of(config));
    close_scene(&opened);
    return 0;
}

/* ---- threads that change the environment meanwhile ---- */

static volatile bool over;

/* Each new name makes the C library allocate the list of variables again. */
static void *set_new_variables(void *number)
{
    char name[64];
    for (unsigned count = 0; !over; count++) {
        snprintf(name, sizeof name, "OF_THREAD_%zu_%u", (size_t)number, count % 4000);
        setenv(name, "value", 1);
        if (count % 4000 == 3999) {
            for (unsigned each = 0; each < 4000; each++) {
                snprintf(name, sizeof name, "OF_THREAD_%zu_%u", (size_t)number, each);
                unsetenv(name);
            }
        }
    }
    return NULL;
}

/*
 * With `passed` false the clients read the environment of the process, which is the mistake: this
 * is not a test, but shows that the test can fail (`test_tokenwell --child b1_process_variables`).
 */
static int child_beside_setenv(bool passed, unsigned rounds)
{
    scene opened = open_scene(false);
    pthread_t threads[2];
    for (size_t each = 0; each < 2; each++) DEMAND(pthread_create(&threads[each], NULL, set_new_variables, (void *)each) == 0);
    for (unsigned round = 0; round < rounds; round++) {
        tokenwell_config *config = settings(&opened);
        if (passed) {
            pass_variable(config, "HOME", opened.directory);
            pass_variable(config, "TOKENWELL_LOG", "error");
        }
        DEMAND(tokenwell_config_use_environment(config, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_client *client = client_of(config);
        demand_token(client, round % 8 == 0 ? TOKENWELL_FORCE_REFRESH : 0);
        tokenwell_client_free(client);
    }
    over = true;
    for (size_t each = 0; each < 2; each++) pthread_join(threads[each], NULL);
    close_scene(&opened);
    return 0;
}

int environment_child(const char *name)
{
    if (strcmp(name, "r6_http") == 0) return child_made_before(false, false);
    if (strcmp(name, "r6_tls") == 0) return child_made_before(true, false);
    if (strcmp(name, "r6_tls_by_name") == 0) return child_made_before(true, true);
    if (strcmp(name, "r6_system_authorities") == 0) return child_system_authorities();
    if (strcmp(name, "environment_off") == 0) return child_sealed(OFF);
    if (strcmp(name, "b1_no_variables") == 0) return child_sealed(NO_VARIABLES);
    if (strcmp(name, "b1_some_variables") == 0) return child_sealed(SOME_VARIABLES);
    if (strcmp(name, "b1_passed_variables") == 0) return child_beside_setenv(true, 300);
    if (strcmp(name, "b1_process_variables") == 0) return child_beside_setenv(false, 300);
    return -1;
}

/* ---- the tests ---- */

/* Returns the exit code of a part, or 1000 + the signal that killed it. */
static int code_of(const char *name)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_tokenwell", "--child", name, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 2000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void r6_no_variable_is_read_after_the_client_was_made(void)
{
    CHECK_INT(0, code_of("r6_http"));
    CHECK_INT(0, code_of("r6_tls"));
    CHECK_INT(0, code_of("r6_tls_by_name"));
    CHECK_INT(0, code_of("r6_system_authorities"));
}

static void with_environment_off_no_variable_is_read_at_all(void)
{
    CHECK_INT(0, code_of("environment_off"));
}

static void b1_with_passed_variables_the_environment_is_not_read(void)
{
    CHECK_INT(0, code_of("b1_no_variables"));
    CHECK_INT(0, code_of("b1_some_variables"));
}

static void b1_clients_with_passed_variables_are_made_beside_setenv(void)
{
    CHECK_INT(0, code_of("b1_passed_variables"));
}

static void b1_a_passed_variable_is_used_and_a_wrong_one_is_named(void)
{
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_error *error = NULL;
    CHECK_OK(tokenwell_config_new(&config, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "name", tokenwell_config_set_variable(config, "A=B", 3, "", 0, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "name", tokenwell_config_set_variable(config, "", 0, "", 0, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "value", tokenwell_config_set_variable(config, "A", 1, "a\0b", 3, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "value", tokenwell_config_set_variable(config, "A", 1, NULL, 0, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "config", tokenwell_config_set_variable(NULL, "A", 1, "", 0, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_INVALID_ARGUMENT, "config", tokenwell_config_use_variables(NULL, &error), &error);
    pass_variable(config, "TOKENWELL_CLIENT_ID", "mdb_sa_id_1");
    pass_variable(config, "TOKENWELL_CLIENT_SECRET", "secret");
    pass_variable(config, "TOKENWELL_BASE_URL", "http://not-on-loopback.example");
    CHECK_OK(tokenwell_config_use_environment(config, &error), &error);
    CHECK_FAILS_NAMING(TOKENWELL_STATUS_REFUSED, "TOKENWELL_BASE_URL", tokenwell_client_new(config, &client, &error), &error);
    pass_variable(config, "TOKENWELL_BASE_URL", "");
    CHECK_OK(tokenwell_client_new(config, &client, &error), &error);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
}

static const char slow[] = "the child process is not instrumented, so valgrind would show nothing";

const test environment_tests[] = {
    NATIVE_TEST(r6_no_variable_is_read_after_the_client_was_made, slow),
    NATIVE_TEST(with_environment_off_no_variable_is_read_at_all, slow),
    NATIVE_TEST(b1_with_passed_variables_the_environment_is_not_read, slow),
    NATIVE_TEST(b1_clients_with_passed_variables_are_made_beside_setenv, slow),
    TEST(b1_a_passed_variable_is_used_and_a_wrong_one_is_named),
    END_OF_TESTS,
};
