/*
 * Operations and fork: a pending operation exists only in the process that began it. The child sees
 * no callback, no destroy and no entry of its parent, and can begin operations of its own.
 */
#define _GNU_SOURCE
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a child inherits, and how far the parent was at the moment of the fork. */
typedef struct {
    tokenwell_client *client;
    tokenwell_queue *queue;
    tokenwell_operation *called_back, *queued;
    seen *data;
    unsigned called, destroyed;
} inheritance;

/* The child is alone with its client, so a forced get is always pending. */
static tokenwell_status queued_get_here(const tokenwell_client *client, tokenwell_queue *queue, uint64_t tag)
{
    tokenwell_token *now = NULL;
    tokenwell_operation *own = NULL, *taken = NULL;
    int32_t descriptor = -1;
    uint64_t got = 0;
    DEMAND(tokenwell_client_token_queued(client, 0, 0, TOKENWELL_FORCE_REFRESH, queue, tag, &now, &own, NULL) == TOKENWELL_STATUS_PENDING);
    DEMAND(tokenwell_queue_descriptor(queue, &descriptor, NULL) == TOKENWELL_STATUS_OK && descriptor >= 0);
    DEMAND(readable_within(descriptor, 60000));
    DEMAND(tokenwell_queue_take(queue, &got, &taken, NULL) == TOKENWELL_STATUS_OK && got == tag && taken);
    DEMAND(!readable_within(descriptor, 0));
    tokenwell_status status = tokenwell_operation_wait(taken, 0, NULL, NULL);
    tokenwell_operation_free(own), tokenwell_operation_free(taken);
    return status;
}

/* Ends the child with 0 if everything in it is as promised. */
static _Noreturn void child_of_a_fork(const inheritance *its)
{
    tokenwell_operation *const inherited[] = {its->called_back, its->queued};
    tokenwell_token *token = NULL;
    tokenwell_operation *taken = NULL;
    uint64_t tag = 7, started = now_ms();
    for (size_t i = 0; i < 2; i++) {
        tokenwell_error *error = NULL;
        if (!inherited[i]) continue;
        DEMAND(tokenwell_operation_wait(inherited[i], 60000, &token, &error) == TOKENWELL_STATUS_CLOSED && !token);
        DEMAND(tokenwell_error_status(error) == TOKENWELL_STATUS_CLOSED);
        tokenwell_error_free(error);
        tokenwell_operation_cancel(inherited[i]);
        DEMAND(tokenwell_operation_wait(inherited[i], 0, NULL, NULL) == TOKENWELL_STATUS_CLOSED);
    }
    DEMAND(tokenwell_queue_take(its->queue, &tag, &taken, NULL) == TOKENWELL_STATUS_PENDING && !taken);
    DEMAND(tokenwell_queue_wait(its->queue, 0, NULL) == TOKENWELL_STATUS_PENDING);
    DEMAND(now_ms() - started < 30000);

    /* Its own operations work. */
    seen own = {0};
    DEMAND(queued_get_here(its->client, its->queue, 99) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_token_async(its->client, 0, 0, TOKENWELL_FORCE_REFRESH, on_end, &own, on_destroy, &token, NULL,
                                        NULL) == TOKENWELL_STATUS_PENDING);
    for (started = now_ms(); atomic_load(&own.destroyed) == 0; pause_ms(1)) DEMAND(now_ms() - started < 60000);
    DEMAND(atomic_load(&own.called) == 1 && atomic_load(&own.status) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_token(its->client, 0, 0, 0, &token, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);

    for (size_t i = 0; i < 2; i++) tokenwell_operation_free(inherited[i]);
    DEMAND(tokenwell_client_close(its->client, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_drain(its->client, 60000, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_queue_free(its->queue);
    tokenwell_client_free(its->client);
    if (its->data) DEMAND(atomic_load(&its->data->called) == its->called && atomic_load(&its->data->destroyed) == its->destroyed);
    _exit(0);
}

static void a_fork_before_any_operation_leaves_both_usable(void)
{
    inheritance its = {.client = emulator_client(SYSTEM_CLOCK), .queue = new_queue()};
    CHECK(descriptor_of(its.queue) >= 0);

    pid_t child = fork();
    if (child == 0) child_of_a_fork(&its);
    CHECK_INT(0, exit_code_of(child));

    /* The entries of the child are not seen here. */
    check_empty(its.queue);
    seen data = {0};
    begin_unowned_get(its.client, 0, 0, &data);
    check_seen(1, TOKENWELL_STATUS_OK, &data);
    tokenwell_queue_free(its.queue);
    tokenwell_client_free(its.client);
}

static void a_fork_during_an_operation_leaves_it_to_the_parent(void)
{
    seen data = {0};
    inheritance its = {.client = emulator_client(SYSTEM_CLOCK), .queue = new_queue(), .data = &data};
    emulator_faults(SLOW(700));
    its.called_back = begin_get(its.client, 0, 0, &data);
    its.queued = begin_queued_get(its.client, 0, its.queue, 5);
    CHECK(emulator_wait_for("token_requests", 1));

    pid_t child = fork();
    if (child == 0) child_of_a_fork(&its);

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    tokenwell_operation *taken = take_one(its.queue, 5);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(taken, 0, NULL, NULL));
    CHECK_INT(0, exit_code_of(child));
    check_empty(its.queue);
    tokenwell_operation_free(its.called_back), tokenwell_operation_free(its.queued), tokenwell_operation_free(taken);
    tokenwell_queue_free(its.queue);
    tokenwell_client_free(its.client);
}

static void a_fork_after_an_operation_takes_no_entry_along(void)
{
    seen data = {0};
    inheritance its = {.client = emulator_client(SYSTEM_CLOCK), .queue = new_queue(), .data = &data};
    its.called_back = begin_get(its.client, 0, 0, &data);
    its.queued = begin_queued_get(its.client, 0, its.queue, 5);
    check_seen(1, TOKENWELL_STATUS_OK, &data);
    CHECK(readable_within(descriptor_of(its.queue), 60000));
    its.called = its.destroyed = 1;

    pid_t child = fork();
    if (child == 0) child_of_a_fork(&its);
    CHECK_INT(0, exit_code_of(child));

    CHECK(readable_within(descriptor_of(its.queue), 0));
    tokenwell_operation *taken = take_one(its.queue, 5);
    CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(taken, 0, NULL, NULL));
    check_empty(its.queue);
    tokenwell_operation_free(its.called_back), tokenwell_operation_free(its.queued), tokenwell_operation_free(taken);
    tokenwell_queue_free(its.queue);
    tokenwell_client_free(its.client);
}

static void fork_inside(seen *self, tokenwell_operation *operation)
{
    inheritance *its = self->more;
    (void)operation;
    its->called = 1;
    pid_t child = fork();
    if (child == 0) child_of_a_fork(its);
    CHECK_INT(0, exit_code_of(child));
}

static void a_fork_in_a_callback_leaves_both_usable(void)
{
    inheritance its = {.client = emulator_client(SYSTEM_CLOCK), .queue = new_queue()};
    seen data = {.inside = fork_inside, .more = &its}, other = {0};
    its.data = &data;
    its.called_back = begin_get(its.client, 0, 0, &data);

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    begin_unowned_get(its.client, 0, TOKENWELL_FORCE_REFRESH, &other);
    check_seen(1, TOKENWELL_STATUS_OK, &other);
    tokenwell_operation_free(its.called_back);
    tokenwell_queue_free(its.queue);
    tokenwell_client_free(its.client);
}

/* A callback that forks and in which parent and child both return. */
typedef struct { pid_t parent, child; atomic_uint called, destroyed; } forker;

static void fork_and_return(void *user_data, tokenwell_operation *operation)
{
    forker *self = user_data;
    (void)operation;
    DEMAND(getpid() == self->parent);
    fflush(NULL);
    if (atomic_fetch_add(&self->called, 1) == 0) self->child = fork();
}

static void destroy_in_the_parent(void *user_data)
{
    forker *self = user_data;
    DEMAND(getpid() == self->parent);
    atomic_fetch_add(&self->destroyed, 1);
}

static void a_child_that_returns_from_the_callback_runs_nothing_of_its_parent(void)
{
    enum { GETS = 8 };
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    forker data = {.parent = getpid()};
    emulator_faults(SLOW(300));
    for (int i = 0; i < GETS; i++) {
        tokenwell_token *now = NULL;
        CHECK_INT(TOKENWELL_STATUS_PENDING,
                  tokenwell_client_token_async(client, 0, 0, 0, fork_and_return, &data, destroy_in_the_parent, &now, NULL, NULL));
    }
    for (uint64_t started = now_ms(); atomic_load(&data.destroyed) < GETS && now_ms() - started < 60000;) pause_ms(2);
    CHECK_UINT(GETS, atomic_load(&data.called));
    CHECK_UINT(GETS, atomic_load(&data.destroyed));
    /* The callback's thread was the only one of the child, and it has ended. */
    CHECK_INT(0, exit_code_of(data.child));
    tokenwell_client_free(client);
}

/* While a child closes and frees everything, nothing of the parent ends. */
static void what_the_child_frees_stays_with_the_parent(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_error *error = NULL;
    seen data = {0};
    emulator_faults(SLOW(1000));
    CHECK_OK(tokenwell_client_watch(client, queue, 1, &error), &error);
    tokenwell_operation *operation = begin_get(client, 0, 0, &data);

    pid_t child = fork();
    if (child == 0) {
        tokenwell_operation_free(operation);
        DEMAND(tokenwell_queue_close(queue, NULL) == TOKENWELL_STATUS_OK);
        tokenwell_queue_free(queue);
        tokenwell_client_free(client);
        DEMAND(atomic_load(&data.called) == 0 && atomic_load(&data.destroyed) == 0);
        _exit(0);
    }
    CHECK_INT(0, exit_code_of(child));

    check_seen(1, TOKENWELL_STATUS_OK, &data);
    CHECK(take_one(queue, 1) == NULL);
    tokenwell_operation_free(operation);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
}

/* Forks at random moments while operations begin, complete and call back. */
static void whenever_a_process_forks_each_callback_comes_once_and_in_one_process(void)
{
    enum { GETS = 8, ROUNDS = 60 };
    emulator_settings("{\"token_cap\":1000000}");
    for (unsigned round = 0; round < ROUNDS; round++) {
        seen data[GETS] = {{0}};
        inheritance its = {.client = emulator_client(SYSTEM_CLOCK), .queue = new_queue()};
        /* In each third round the client has a token already. */
        if (round % 3 == 0) tokenwell_token_free(get(its.client));
        bool pending[GETS], queued;
        unsigned entries = 0;
        for (unsigned i = 0; i < GETS; i++) {
            tokenwell_operation_free(begin_forced_get(its.client, NULL, 0, &data[i], &pending[i]));
            tokenwell_operation_free(begin_forced_get(its.client, its.queue, i, NULL, &queued));
            entries += queued;
        }
        struct timespec pause = {.tv_nsec = (long)(round * 6007 % 9000) * 1000};
        nanosleep(&pause, NULL);

        pid_t child = fork();
        if (child == 0) {
            unsigned called[GETS], destroyed[GETS];
            for (unsigned i = 0; i < GETS; i++) called[i] = atomic_load(&data[i].called), destroyed[i] = atomic_load(&data[i].destroyed);
            uint64_t tag;
            tokenwell_operation *taken = NULL;
            DEMAND(tokenwell_queue_take(its.queue, &tag, &taken, NULL) == TOKENWELL_STATUS_PENDING);
            DEMAND(queued_get_here(its.client, its.queue, 77) == TOKENWELL_STATUS_OK);
            for (unsigned i = 0; i < GETS; i++) {
                DEMAND(called[i] == atomic_load(&data[i].called) && destroyed[i] == atomic_load(&data[i].destroyed));
            }
            its.data = NULL;
            child_of_a_fork(&its);
        }

        for (unsigned i = 0; i < GETS; i++) {
            if (pending[i]) check_seen(1, TOKENWELL_STATUS_OK, &data[i]);
        }
        for (; entries > 0; entries--) {
            uint64_t tag;
            tokenwell_operation *taken = NULL;
            CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_wait(its.queue, 60000, NULL));
            CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_queue_take(its.queue, &tag, &taken, NULL));
            tokenwell_operation_free(taken);
        }
        check_empty(its.queue);
        CHECK_INT(0, exit_code_of(child));
        tokenwell_queue_free(its.queue);
        tokenwell_client_free(its.client);
    }
}

#define FORKS "valgrind would follow the children and report memory that they do not free on purpose"

const test operation_fork_tests[] = {
    NATIVE_TEST(a_fork_before_any_operation_leaves_both_usable, FORKS),
    NATIVE_TEST(a_fork_during_an_operation_leaves_it_to_the_parent, FORKS),
    NATIVE_TEST(a_fork_after_an_operation_takes_no_entry_along, FORKS),
    NATIVE_TEST(a_fork_in_a_callback_leaves_both_usable, FORKS),
    NATIVE_TEST(a_child_that_returns_from_the_callback_runs_nothing_of_its_parent, FORKS),
    NATIVE_TEST(what_the_child_frees_stays_with_the_parent, FORKS),
    NATIVE_TEST(whenever_a_process_forks_each_callback_comes_once_and_in_one_process, FORKS),
    END_OF_TESTS,
};
