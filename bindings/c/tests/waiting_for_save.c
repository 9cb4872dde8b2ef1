/*
 * TOKENWELL_WAIT_FOR_SAVE: an operation ends when its token is saved for other processes. This
 * program defines renameat itself, by which the library replaces a file of the cache, and so decides
 * when the save ends.
 */
#define _GNU_SOURCE
#include "concurrent.h"
#include "operations.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* While it is true, no save ends. */
static atomic_bool saves_hang;
static atomic_uint saves_begun;

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    static int (*_Atomic real)(int, const char *, int, const char *);

    if (!atomic_load(&real)) {
        int (*found)(int, const char *, int, const char *);
        *(void **)&found = dlsym(RTLD_NEXT, "renameat");
        atomic_store(&real, found);
    }
    if (atomic_load(&saves_hang)) {
        atomic_fetch_add(&saves_begun, 1);
        while (atomic_load(&saves_hang)) pause_ms(1);
    }
    return atomic_load(&real)(from_directory, from, to_directory, to);
}

#define DIRECTORY_SIZE 64

static tokenwell_client *client_with_hanging_saves(char *directory)
{
    make_directory(directory, DIRECTORY_SIZE);
    atomic_store(&saves_begun, 0);
    atomic_store(&saves_hang, true);
    return concurrent_client(directory);
}

static void end_with_directory(tokenwell_client *client, const char *directory)
{
    tokenwell_error *error = NULL;

    atomic_store(&saves_hang, false);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
    tokenwell_client_free(client);
    remove_directory(directory);
}

/* Another client, which may only use what the first one saved. */
static void check_that_another_client_finds_the_token(const char *directory)
{
    uint64_t requests = emulator_counter("token_requests");
    tokenwell_client *other = concurrent_client(directory);

    tokenwell_token_free(get(other));

    CHECK_UINT(requests, emulator_counter("token_requests"));
    tokenwell_client_free(other);
}

static void an_operation_ends_after_the_save_if_it_waits_for_it(void)
{
    char directory[DIRECTORY_SIZE];
    tokenwell_client *client = client_with_hanging_saves(directory);
    tokenwell_queue *queue = new_queue();
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    uint64_t generation = generation_of(client);

    tokenwell_operation *patient = begin_queued_get(client, TOKENWELL_WAIT_FOR_SAVE, queue, 1);
    tokenwell_operation *other = begin_queued_get(client, 0, queue, 2);
    tokenwell_operation_free(take_one(queue, 2));
    CHECK(generation_of(client) != generation);
    wait_for_count(&saves_begun, 1);
    atomic_store(&saves_hang, false);
    tokenwell_operation *ended = take_one(queue, 1);

    check_that_another_client_finds_the_token(directory);
    CHECK_OK(tokenwell_operation_wait(ended, 0, &token, &error), &error);
    CHECK(token != NULL);
    tokenwell_token_free(token);
    tokenwell_operation_free(ended);
    tokenwell_operation_free(patient);
    tokenwell_operation_free(other);
    tokenwell_queue_free(queue);
    end_with_directory(client, directory);
}

static void an_operation_does_not_wait_for_ever_for_a_save_that_hangs(void)
{
    char directory[DIRECTORY_SIZE];
    tokenwell_client *client = client_with_hanging_saves(directory);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};

    tokenwell_operation *operation = begin_get(client, 0, TOKENWELL_WAIT_FOR_SAVE, &data);
    wait_for_count(&saves_begun, 1);
    CHECK_OK(tokenwell_operation_wait(operation, 30000, &token, &error), &error);

    CHECK(token != NULL && atomic_load(&saves_hang));
    CHECK(wait_for_destroy(&data));
    check_seen(1, TOKENWELL_STATUS_OK, &data);
    tokenwell_token_free(token);
    tokenwell_operation_free(operation);
    end_with_directory(client, directory);
}

static void an_operation_that_waits_for_a_save_can_be_canceled_and_closed(void)
{
    char directory[DIRECTORY_SIZE];
    tokenwell_client *client = client_with_hanging_saves(directory);
    tokenwell_error *error = NULL;
    seen canceled = {0}, closed = {0};

    tokenwell_operation *first = begin_get(client, 0, TOKENWELL_WAIT_FOR_SAVE, &canceled);
    tokenwell_operation *second = begin_get(client, 0, TOKENWELL_WAIT_FOR_SAVE, &closed);
    wait_for_count(&saves_begun, 1);
    int32_t never_comes = tokenwell_operation_cancel(first);
    CHECK_OK(tokenwell_client_close(client, &error), &error);

    CHECK(wait_for_destroy(&canceled) && wait_for_destroy(&closed));
    check_seen(never_comes ? 0 : 1, TOKENWELL_STATUS_OK, &canceled);
    /* The token came before the client was closed. */
    check_seen(1, TOKENWELL_STATUS_OK, &closed);
    tokenwell_operation_free(first);
    tokenwell_operation_free(second);
    end_with_directory(client, directory);
}

static void a_cached_token_is_returned_at_once_whatever_is_saved(void)
{
    char directory[DIRECTORY_SIZE];
    tokenwell_client *client = client_with_hanging_saves(directory);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    seen data = {0};

    tokenwell_operation *first = begin_get(client, 0, 0, &data);
    CHECK(wait_for_destroy(&data));
    CHECK_OK(tokenwell_client_token_async(client, 0, 0, TOKENWELL_WAIT_FOR_SAVE, on_end, &data, on_destroy, &token, NULL, &error), &error);

    CHECK(token != NULL && atomic_load(&saves_hang));
    tokenwell_token_free(token);
    tokenwell_operation_free(first);
    end_with_directory(client, directory);
}

static void a_process_that_exits_when_its_operation_ends_leaves_its_token(void)
{
    char directory[DIRECTORY_SIZE];

    for (unsigned round = 0; round < 20; round++) {
        emulator_reset();
        make_directory(directory, sizeof directory);
        pid_t child = fork();
        if (child == 0) {
            tokenwell_client *client = concurrent_client(directory);
            tokenwell_operation *operation = NULL;
            tokenwell_token *token = NULL;
            DEMAND(tokenwell_client_token_async(client, 0, 0, TOKENWELL_WAIT_FOR_SAVE, NULL, NULL, NULL, &token, &operation, NULL) ==
                   TOKENWELL_STATUS_PENDING);
            DEMAND(tokenwell_operation_wait(operation, 60000, &token, NULL) == TOKENWELL_STATUS_OK);
            _exit(0);
        }
        CHECK_INT(0, exit_code_of(child));
        check_that_another_client_finds_the_token(directory);
        CHECK_UINT(1, emulator_counter("token_requests"));
        remove_directory(directory);
    }
}

static void a_get_of_a_client_that_is_closed_waits_for_no_save(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_operation *operation = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    emulator_faults(HANGING);
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_token_async(client, 0, 0, TOKENWELL_WAIT_FOR_SAVE, NULL, NULL, NULL, &token,
                                                                     &operation, &error));
    CHECK(emulator_wait_for("token_requests", 1));

    CHECK_OK(tokenwell_client_close(client, &error), &error);

    CHECK_INT(TOKENWELL_STATUS_CLOSED, tokenwell_operation_wait(operation, 0, &token, NULL));
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void an_invalidation_succeeds_at_its_deadline_and_continues(void)
{
    char directory[DIRECTORY_SIZE];
    tokenwell_client *client = client_with_hanging_saves(directory);
    tokenwell_operation *operation = NULL;
    tokenwell_error *error = NULL;
    tokenwell_token *token = get(client);
    size_t length;
    const char *value = tokenwell_token_value(token, &length);

    /* The hanging save has the lock of the directory. */
    CHECK_INT(TOKENWELL_STATUS_PENDING, tokenwell_client_invalidate_async(client, value, length, 20, NULL, NULL, NULL, &operation, &error));
    CHECK_OK(tokenwell_operation_wait(operation, 30000, NULL, &error), &error);

    CHECK(atomic_load(&saves_hang));
    tokenwell_operation_free(operation);
    tokenwell_token_free(token);
    end_with_directory(client, directory);
}

const test save_tests[] = {
    TEST(an_operation_ends_after_the_save_if_it_waits_for_it),
    TEST(an_operation_does_not_wait_for_ever_for_a_save_that_hangs),
    TEST(an_operation_that_waits_for_a_save_can_be_canceled_and_closed),
    TEST(a_cached_token_is_returned_at_once_whatever_is_saved),
    TEST(a_get_of_a_client_that_is_closed_waits_for_no_save),
    TEST(an_invalidation_succeeds_at_its_deadline_and_continues),
    NATIVE_TEST(a_process_that_exits_when_its_operation_ends_leaves_its_token, "its children would be measured, not the exit"),
    END_OF_TESTS,
};
