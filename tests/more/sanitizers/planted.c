/*
 * Faults that the suites asan, tsan and memcheck must report: planted FAULT. Those of the library
 * are wrong calls of it, so that the wrong access happens in its Rust code.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>

static tokenwell_config *config;
static unsigned number;

static tokenwell_status set(const char *name, const char *value)
{
    return tokenwell_config_set(config, name, strlen(name), value, strlen(value), NULL);
}

static void make_config(void)
{
    if (tokenwell_config_new(&config, NULL) != TOKENWELL_STATUS_OK) exit(2);
}

static void leak_in_the_library(void)
{
    make_config();
    config = NULL;
}

static void overflow_in_c(void)
{
    volatile char *bytes = malloc(8);
    volatile size_t size = 8;
    bytes[size] = 1;
    free((void *)bytes);
}

/* The library is told that the buffer is larger than it is. */
static void overflow_in_the_library(void)
{
    tokenwell_client *client = NULL;
    void *small = malloc(24);
    make_config();
    if (set("client_id", "mdb_sa_id_0123456789abcdef01234567") || set("client_secret", "mdb_sa_sk_planted") ||
        set("base_url", "http://127.0.0.1:9") || tokenwell_client_new(config, &client, NULL)) {
        exit(2);
    }
    tokenwell_client_stats(client, small, sizeof(tokenwell_stats), NULL);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    free(small);
}

static void use_after_free_in_the_library(void)
{
    tokenwell_error *error = NULL;
    make_config();
    if (tokenwell_config_set(config, "no", 2, "", 0, &error) != TOKENWELL_STATUS_INVALID_ARGUMENT) exit(2);
    tokenwell_error_free(error);
    printf("%d\n", tokenwell_error_http_status(error));
    tokenwell_config_free(config);
}

static void descriptor(void)
{
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) exit(2);
}

/* ---- races ---- */

static pthread_barrier_t start;

static void *add(void *nothing)
{
    pthread_barrier_wait(&start);
    number++;
    return nothing;
}

static void *set_the_scope(void *nothing)
{
    pthread_barrier_wait(&start);
    set("scope", "a");
    return nothing;
}

static void in_two_threads(void *(*run)(void *))
{
    pthread_t threads[2];
    pthread_barrier_init(&start, NULL, 2);
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, run, NULL) != 0) exit(2);
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

static void race_in_c(void)
{
    in_two_threads(add);
}

/* Only one thread at a time may set a setting. */
static void race_in_the_library(void)
{
    make_config();
    in_two_threads(set_the_scope);
    tokenwell_config_free(config);
}

static void nothing(void)
{
    make_config();
    if (set("scope", "a") != TOKENWELL_STATUS_OK) exit(2);
    tokenwell_config_free(config);
}

int main(int count, char **arguments)
{
    static const struct { const char *name; void (*run)(void); } faults[] = {
        {"leak_in_the_library", leak_in_the_library},
        {"overflow_in_c", overflow_in_c},
        {"overflow_in_the_library", overflow_in_the_library},
        {"use_after_free_in_the_library", use_after_free_in_the_library},
        {"descriptor", descriptor},
        {"race_in_c", race_in_c},
        {"race_in_the_library", race_in_the_library},
        {"nothing", nothing},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (count == 2 && strcmp(arguments[1], faults[i].name) == 0) {
            faults[i].run();
            return 0;
        }
    }
    fprintf(stderr, "planted: no such fault\n");
    return 2;
}
