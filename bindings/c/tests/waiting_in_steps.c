/*
 * Operations without callbacks and without a queue: the threads that wait for one continue it, in
 * steps as short as they like, and the library needs no thread of its own for it.
 */
#include "concurrent.h"
#include "operations.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static tokenwell_operation *begin_step_get(const tokenwell_client *client, uint64_t deadline_ms)
{
    tokenwell_operation *operation = NULL;
    tokenwell_token *now = NULL;
    tokenwell_error *error = NULL;
    tokenwell_status status = tokenwell_client_token_async(client, 0, deadline_ms, TOKENWELL_WAIT_FOR_SAVE, NULL, NULL, NULL, &now,
                                                           &operation, &error);

    if (!CHECK_INT(TOKENWELL_STATUS_PENDING, status)) exit(1);
    return operation;
}

/* Waits in steps. Returns the status, and the token or NULL. Counts the steps. */
static tokenwell_status wait_in_steps(const tokenwell_operation *operation, uint64_t step_ms, tokenwell_token **token, unsigned *steps)
{
    tokenwell_status status;

    do {
        status = tokenwell_operation_wait(operation, step_ms, token, NULL);
        ++*steps;
    } while (status == TOKENWELL_STATUS_PENDING);
    return status;
}

static void a_get_in_steps_makes_one_request_and_needs_only_the_thread_of_the_refresh(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    unsigned steps = 0, idle = threads_of_this_process(), most = 0;

    emulator_faults(SLOW(300));
    tokenwell_operation *operation = begin_step_get(client, 0);
    while (tokenwell_operation_wait(operation, 10, &token, &error) == TOKENWELL_STATUS_PENDING) {
        unsigned threads = threads_of_this_process();
        if (threads > most) most = threads;
        steps++;
    }

    CHECK(token != NULL && error == NULL);
    CHECK(steps >= 5);
    CHECK(most <= idle + 1);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_token_free(token);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void b15_a_get_in_steps_leaves_no_thread(void)
{
    enum { GETS = 50 };
    unsigned with_a_thread = 0, idle = threads_of_this_process();

    for (int i = 0; i < GETS; i++) {
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
        tokenwell_operation *operation = begin_step_get(client, 0);
        tokenwell_token *token = NULL;
        unsigned steps = 0;
        CHECK_INT(TOKENWELL_STATUS_OK, wait_in_steps(operation, 50, &token, &steps));
        with_a_thread += threads_of_this_process() > idle;
        tokenwell_token_free(token);
        tokenwell_operation_free(operation);
        tokenwell_client_free(client);
    }

    /* Linux lists a thread for some microseconds after it was joined. */
    CHECK(with_a_thread <= GETS / 5);
}

static void the_deadline_of_an_operation_counts_across_its_steps(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;
    unsigned steps = 0;

    emulator_faults(HANGING);
    uint64_t began = now_ms();
    tokenwell_operation *operation = begin_step_get(client, 200);
    tokenwell_status status = wait_in_steps(operation, 30, &token, &steps);

    CHECK_INT(TOKENWELL_STATUS_DEADLINE, status);
    CHECK(now_ms() - began >= 195 && now_ms() - began < 10000);
    CHECK(steps > 3);
    CHECK_FAILS(TOKENWELL_STATUS_DEADLINE, tokenwell_operation_wait(operation, 0, &token, &error), &error);
    CHECK(token == NULL);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void a_look_without_waiting_continues_an_operation_too(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_operation *operation = begin_step_get(client, 0);
    tokenwell_token *token = NULL;
    uint64_t began = now_ms();

    while (tokenwell_operation_wait(operation, 0, &token, NULL) == TOKENWELL_STATUS_PENDING && now_ms() - began < 60000) pause_ms(1);

    CHECK(token != NULL);
    tokenwell_token_free(token);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

typedef struct {
    const tokenwell_operation *operation;
    uint64_t step_ms;
    unsigned most_steps; /* 0: until the end */
    tokenwell_status status;
} step_waiter;

static void *wait_as_told(void *data)
{
    step_waiter *self = data;
    unsigned steps = 0;
    tokenwell_token *token = NULL;

    do {
        self->status = tokenwell_operation_wait(self->operation, self->step_ms, &token, NULL);
    } while (self->status == TOKENWELL_STATUS_PENDING && ++steps != self->most_steps);
    tokenwell_token_free(token);
    return NULL;
}

static void several_threads_wait_for_one_operation_and_some_stop(void)
{
    enum { WAITERS = 8 };
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    pthread_t threads[WAITERS];
    step_waiter waiters[WAITERS];

    emulator_faults(SLOW(300));
    tokenwell_operation *operation = begin_step_get(client, 0);
    for (int i = 0; i < WAITERS; i++) {
        /* The even ones stop soon: the one that continued the operation must hand it over. */
        waiters[i] = (step_waiter){operation, i % 2 == 0 ? 5 : 60000, i % 2 == 0 ? 4 : 0, TOKENWELL_STATUS_OK};
        start_thread(&threads[i], wait_as_told, &waiters[i]);
    }
    for (int i = 0; i < WAITERS; i++) pthread_join(threads[i], NULL);

    for (int i = 0; i < WAITERS; i++) {
        CHECK_INT(i % 2 == 0 ? TOKENWELL_STATUS_PENDING : TOKENWELL_STATUS_OK, waiters[i].status);
    }
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void a_cancel_and_a_close_end_a_step_at_once(void)
{
    for (int close = 0; close <= 1; close++) {
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
        pthread_t thread;
        emulator_faults(HANGING);
        tokenwell_operation *operation = begin_step_get(client, 0);
        step_waiter waiter = {operation, 50000, 0, TOKENWELL_STATUS_OK};
        start_thread(&thread, wait_as_told, &waiter);
        CHECK(emulator_wait_for("token_requests", (uint64_t)close + 1));
        uint64_t began = now_ms();

        if (close) CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_client_close(client, NULL));
        else CHECK_INT(1, tokenwell_operation_cancel(operation));
        pthread_join(thread, NULL);

        CHECK_INT(TOKENWELL_STATUS_CLOSED, waiter.status);
        CHECK(now_ms() - began < 10000);
        tokenwell_operation_free(operation);
        tokenwell_client_free(client);
    }
}

static void an_operation_that_nobody_waits_for_holds_up_no_drain(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_error *error = NULL;
    tokenwell_token *token = NULL;
    unsigned steps = 0;

    tokenwell_operation *operation = begin_step_get(client, 0);
    CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);

    /* The refresh is over, and says so in a moment. */
    CHECK_INT(TOKENWELL_STATUS_OK, wait_in_steps(operation, 60000, &token, &steps));
    CHECK_UINT(1, steps);
    tokenwell_token_free(token);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

static void a_forked_child_does_not_continue_the_operation_of_its_parent(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_token *token = NULL;
    unsigned steps = 0;

    emulator_faults(SLOW(100));
    tokenwell_operation *operation = begin_step_get(client, 0);
    pid_t child = fork();
    if (child == 0) {
        DEMAND(tokenwell_operation_wait(operation, 60000, &token, NULL) == TOKENWELL_STATUS_CLOSED);
        tokenwell_operation_cancel(operation);
        tokenwell_operation_free(operation);
        _exit(0);
    }

    CHECK_INT(TOKENWELL_STATUS_OK, wait_in_steps(operation, 20, &token, &steps));
    CHECK_INT(0, exit_code_of(child));
    tokenwell_token_free(token);
    tokenwell_operation_free(operation);
    tokenwell_client_free(client);
}

#define FORKS "valgrind would follow the child and report memory that the child leaves to its end on purpose"
#define THREADS "valgrind runs one thread at a time, so the times and the number of threads are its own"

const test step_tests[] = {
    NATIVE_TEST(a_get_in_steps_makes_one_request_and_needs_only_the_thread_of_the_refresh, THREADS),
    NATIVE_TEST(b15_a_get_in_steps_leaves_no_thread, THREADS),
    TEST(the_deadline_of_an_operation_counts_across_its_steps),
    TEST(a_look_without_waiting_continues_an_operation_too),
    NATIVE_TEST(several_threads_wait_for_one_operation_and_some_stop, THREADS),
    TEST(a_cancel_and_a_close_end_a_step_at_once),
    TEST(an_operation_that_nobody_waits_for_holds_up_no_drain),
    NATIVE_TEST(a_forked_child_does_not_continue_the_operation_of_its_parent, FORKS),
    END_OF_TESTS,
};
