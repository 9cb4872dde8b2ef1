/* The system refuses to create threads for this process. */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000 };

static atomic_bool none_left;
static atomic_uint refused;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* A sanitizer must see each thread: this is its own override of the function. */
int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
#endif

/* Overrides the function of the C library, for this program and for the library under test. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    if (atomic_load(&none_left)) {
        atomic_fetch_add(&refused, 1);
        return EAGAIN;
    }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return __interceptor_pthread_create(thread, attributes, start, argument);
#else
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    if (!found) abort();
    /* ISO C has no conversion from an object pointer to a function pointer. */
    memcpy(&create, &found, sizeof create);
    return create(thread, attributes, start, argument);
#endif
}

static void a_get_refreshes_inline_if_no_thread_can_be_created(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    atomic_store(&refused, 0);

    atomic_store(&none_left, true);
    tokenwell_token *token = get(client);
    atomic_store(&none_left, false);

    CHECK(token != NULL);
    CHECK(atomic_load(&refused) > 0);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_token_free(token);
    tokenwell_client_free(client);
}

static void a_due_token_is_returned_immediately_and_refreshed_once_threads_can_be_created(void)
{
    tokenwell_client *client = emulator_client(MANUAL_CLOCK);
    tokenwell_error *error = NULL;
    char *first = get_value(client);
    CHECK_OK(tokenwell_client_advance_clock(client, 51 * MINUTE_MS, &error), &error);

    atomic_store(&none_left, true);
    char *due = get_value(client);
    atomic_store(&none_left, false);

    CHECK_TEXT(first, due);
    CHECK_UINT(1, emulator_counter("token_requests"));

    uint64_t generation = generation_of(client);
    char *still_due = get_value(client);
    for (int i = 0; i < 60000 && generation_of(client) == generation; i++) pause_ms(1);
    char *second = get_value(client);
    CHECK_TEXT(first, still_due);
    CHECK(strcmp(first, second) != 0);
    CHECK_UINT(2, emulator_counter("token_requests"));
    free(first), free(due), free(still_due), free(second);
    tokenwell_client_free(client);
}

const test no_thread_tests[] = {
    TEST(a_get_refreshes_inline_if_no_thread_can_be_created),
    TEST(a_due_token_is_returned_immediately_and_refreshed_once_threads_can_be_created),
    END_OF_TESTS,
};
