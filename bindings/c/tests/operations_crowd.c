/*
 * Very many operations, and processes that run out of descriptors. The parts that count threads,
 * memory or descriptors run in a fresh process each.
 */
#define _GNU_SOURCE
#include "concurrent.h"
#include "operations.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FEW = 100, MANY = 10000, VERY_MANY = 100000, MOST_THREADS = 4, MOST_BYTES = 256 };

static unsigned very_many(void)
{
    return getenv("UNDER_VALGRIND") ? 1000 : VERY_MANY;
}

static int run_fresh(const char *name)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_tokenwell", "--child", name, (char *)NULL);
        _exit(127);
    }
    return exit_code_of(child);
}

static atomic_uint ended, released, failed;

static void count_end(void *user_data, tokenwell_operation *operation)
{
    (void)user_data;
    if (tokenwell_operation_wait(operation, 0, NULL, NULL) != TOKENWELL_STATUS_OK) atomic_fetch_add(&failed, 1);
    atomic_fetch_add(&ended, 1);
}

static void count_release(void *user_data)
{
    atomic_uint *uses = user_data;
    atomic_fetch_add(uses, 1);
    atomic_fetch_add(&released, 1);
}

/* The first callback takes long enough for its thread to be seen. */
static void count_end_slowly(void *user_data, tokenwell_operation *operation)
{
    if (atomic_load(&ended) == 0) pause_ms(50);
    count_end(user_data, operation);
}

static void reset_counts(void)
{
    atomic_store(&ended, 0);
    atomic_store(&released, 0);
    atomic_store(&failed, 0);
}

/* ---- a crowd ---- */

static void a_crowd_on_a_cold_client_gets_one_token(void)
{
    unsigned count = very_many();
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    atomic_uint *uses = calloc(count, sizeof *uses);
    if (!uses) abort();
    reset_counts();
    emulator_faults(SLOW(2000));

    uint64_t started = now_ms();
    unsigned pending = 0;
    for (unsigned i = 0; i < count; i++) {
        tokenwell_token *now = NULL;
        tokenwell_status status = tokenwell_client_token_async(client, 0, 120000, 0, count_end, &uses[i], count_release, &now, NULL, NULL);
        if (status == TOKENWELL_STATUS_PENDING) pending++;
        else CHECK_INT(TOKENWELL_STATUS_OK, status);
        tokenwell_token_free(now);
    }
    uint64_t begun = now_ms() - started;
    wait_for_count(&released, pending);

    printf("  %u of %u were pending; begun in %" PRIu64 " ms, ended after %" PRIu64 " ms\n", pending, count, begun, now_ms() - started);
    CHECK_UINT(pending, atomic_load(&ended));
    CHECK_UINT(0, atomic_load(&failed));
    unsigned wrong = 0;
    for (unsigned i = 0; i < pending; i++) wrong += atomic_load(&uses[i]) != 1;
    CHECK_UINT(0, wrong);
    CHECK_UINT(1, emulator_counter("token_requests"));
    CHECK_OK(tokenwell_client_drain(client, 60000, NULL), NULL);
    tokenwell_client_free(client);
    free(uses);
}

static unsigned begin_many_queued(const tokenwell_client *client, tokenwell_queue *queue, unsigned count, tokenwell_operation **last)
{
    unsigned pending = 0;
    for (unsigned i = 0; i < count; i++) {
        tokenwell_token *now = NULL;
        tokenwell_status status = tokenwell_client_token_queued(client, 0, 120000, 0, queue, i, &now, i + 1 == count ? last : NULL, NULL);
        if (status == TOKENWELL_STATUS_PENDING) pending++;
        else CHECK_INT(TOKENWELL_STATUS_OK, status);
        tokenwell_token_free(now);
    }
    return pending;
}

static void a_queue_keeps_every_entry_until_it_is_read(void)
{
    unsigned count = very_many(), taken = 0, twice = 0;
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    tokenwell_operation *last = NULL;
    bool *seen_tags = calloc(count, sizeof *seen_tags);
    if (!seen_tags) abort();
    emulator_faults(SLOW(2000));
    unsigned pending = begin_many_queued(client, queue, count, &last);
    if (last) CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(last, 60000, NULL, NULL));
    CHECK_OK(tokenwell_client_drain(client, 60000, NULL), NULL);

    uint64_t started = now_ms(), tag;
    tokenwell_operation *operation = NULL;
    while (tokenwell_queue_take(queue, &tag, &operation, NULL) == TOKENWELL_STATUS_OK) {
        if (!CHECK(tag < count)) break;
        twice += seen_tags[tag];
        seen_tags[tag] = true;
        taken++;
        tokenwell_operation_free(operation);
        operation = NULL;
    }

    printf("  %u entries were read in %" PRIu64 " ms\n", taken, now_ms() - started);
    CHECK_UINT(pending, taken);
    CHECK_UINT(0, twice);
    check_empty(queue);
    CHECK_UINT(1, emulator_counter("token_requests"));
    tokenwell_operation_free(last);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
    free(seen_tags);
}

static void a_queue_that_nobody_reads_can_be_closed_and_freed(void)
{
    for (int close_first = 0; close_first < 2; close_first++) {
        tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
        tokenwell_queue *queue = new_queue();
        tokenwell_operation *last = NULL;
        tokenwell_error *error = NULL;
        emulator_faults(SLOW(1000));
        begin_many_queued(client, queue, very_many(), &last);
        if (last) CHECK_INT(TOKENWELL_STATUS_OK, tokenwell_operation_wait(last, 60000, NULL, NULL));

        uint64_t started = now_ms(), tag;
        if (close_first) {
            CHECK_OK(tokenwell_queue_close(queue, &error), &error);
            CHECK_INT(TOKENWELL_STATUS_CLOSED, tokenwell_queue_take(queue, &tag, &last, NULL));
        }
        tokenwell_queue_free(queue);
        CHECK(now_ms() - started < 30000);
        CHECK_OK(tokenwell_client_drain(client, 60000, &error), &error);
        tokenwell_operation_free(last);
        tokenwell_client_free(client);
        emulator_reset();
    }
}

static void a_queue_is_freed_while_very_many_wait(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = new_queue();
    emulator_faults(HANGING);
    unsigned pending = begin_many_queued(client, queue, very_many(), NULL);

    uint64_t started = now_ms();
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);

    CHECK_UINT(very_many(), pending);
    CHECK(now_ms() - started < 30000);
}

static void canceling_all_but_one_serves_the_last(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    static tokenwell_operation *operations[MANY];
    static seen data[MANY];
    unsigned count = getenv("UNDER_VALGRIND") ? 500 : MANY, wrong = 0;
    emulator_faults(SLOW(2000));
    for (unsigned i = 0; i < count; i++) operations[i] = begin_get(client, 120000, 0, &data[i]);

    for (unsigned i = 0; i + 1 < count; i++) CHECK_INT(1, tokenwell_operation_cancel(operations[i]));

    check_seen(1, TOKENWELL_STATUS_OK, &data[count - 1]);
    CHECK_OK(tokenwell_client_drain(client, 60000, NULL), NULL);
    for (unsigned i = 0; i + 1 < count; i++) wrong += atomic_load(&data[i].called) != 0 || atomic_load(&data[i].destroyed) != 1;
    CHECK_UINT(0, wrong);
    CHECK_UINT(1, emulator_counter("token_requests"));
    for (unsigned i = 0; i < count; i++) tokenwell_operation_free(operations[i]);
    tokenwell_client_free(client);
}

/* ---- threads ---- */

/* Returns how many threads there were at most, beyond those of an idle process, until all ended. */
static unsigned threads_for(unsigned count, const char *directory)
{
    tokenwell_client *client = concurrent_client(directory);
    static atomic_uint uses[MANY];
    unsigned idle = threads_of_this_process(), most = idle;
    reset_counts();
    for (unsigned i = 0; i < count; i++) {
        tokenwell_token *now = NULL;
        DEMAND(tokenwell_client_token_async(client, 0, 120000, 0, count_end_slowly, &uses[i], count_release, &now, NULL,
                                            NULL) == TOKENWELL_STATUS_PENDING);
    }
    for (uint64_t started = now_ms(); atomic_load(&released) < count; pause_ms(1)) {
        unsigned now = threads_of_this_process();
        if (now > most) most = now;
        DEMAND(now_ms() - started < 100000);
    }
    DEMAND(atomic_load(&ended) == count && atomic_load(&failed) == 0);
    tokenwell_client_free(client);
    for (uint64_t started = now_ms(); threads_of_this_process() > idle; pause_ms(1)) DEMAND(now_ms() - started < 60000);
    return most - idle;
}

static int child_threads(void)
{
    DEMAND(threads_of_this_process() == 1);
    unsigned few = threads_for(FEW, NULL), many = threads_for(MANY, NULL);
    printf("  %u threads for %d waiters, %u for %d\n", few, FEW, many, MANY);
    DEMAND(few <= MOST_THREADS && many <= MOST_THREADS);
    /* Threads that live for a moment, as for a call of the store, are not always seen. */
    for (int i = 0; i < 5; i++) {
        char directory[64];
        make_directory(directory, sizeof directory);
        unsigned shared = threads_for(MANY, directory);
        printf("  %u threads with the shared cache\n", shared);
        DEMAND(shared <= MOST_THREADS);
        remove_directory(directory);
    }
    return 0;
}

static void the_number_of_threads_does_not_grow_with_the_number_of_waiters(void)
{
    emulator_faults(SLOW(1500));
    CHECK_INT(0, run_fresh("crowd_threads"));
    CHECK_UINT(7, emulator_counter("token_requests"));
}

/* ---- memory ---- */

/* One of the totals that malloc_info() prints after the arenas. */
static long long total_of(const char *report, const char *key)
{
    const char *found = NULL;
    for (const char *each = report; (each = strstr(each, key)); each++) found = each;
    const char *size = found ? strstr(found, "size=\"") : NULL;
    DEMAND(size != NULL);
    return strtoll(size + 6, NULL, 10);
}

/* What malloc has given to the program in all arenas: mallinfo2() knows only the first. */
static long long bytes_in_use(void)
{
    char *report = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&report, &length);
    DEMAND(stream && malloc_info(0, stream) == 0 && fclose(stream) == 0);
    long long bytes = total_of(report, "<system type=\"current\"") - total_of(report, "<total type=\"fast\"") - total_of(report,
            "<total type=\"rest\"") +
                      total_of(report, "<total type=\"mmap\"");
    free(report);
    return bytes;
}

/* Returns the bytes for each of many waiters on a cold client, after all of them have ended. */
static long long bytes_of_a_waiter(const tokenwell_client *client, tokenwell_queue *queue)
{
    static atomic_uint uses[MANY];
    uint64_t tag;
    tokenwell_operation *operation = NULL, *last = NULL;
    long long before = bytes_in_use();
    reset_counts();
    for (unsigned i = 0; i < MANY; i++) {
        tokenwell_token *now = NULL;
        tokenwell_operation **place = i + 1 == MANY ? &last : NULL;
        tokenwell_status status =
            queue ? tokenwell_client_token_queued(client, 0, 120000, 0, queue, i, &now, place, NULL)
                  : tokenwell_client_token_async(client, 0, 120000, 0, count_end, &uses[i], count_release, &now, place, NULL);
        DEMAND(status == TOKENWELL_STATUS_PENDING);
    }
    /* The threads of the library get the time to see all of them. */
    pause_ms(500);
    long long bytes = (bytes_in_use() - before) / MANY;
    DEMAND(tokenwell_operation_wait(last, 0, NULL, NULL) == TOKENWELL_STATUS_PENDING);
    tokenwell_token *token = NULL;
    DEMAND(tokenwell_operation_wait(last, 60000, &token, NULL) == TOKENWELL_STATUS_OK);
    const char *value = tokenwell_token_value(token, NULL);
    DEMAND(tokenwell_client_invalidate(client, value, strlen(value), NULL) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(token);
    tokenwell_operation_free(last);
    DEMAND(tokenwell_client_drain(client, 60000, NULL) == TOKENWELL_STATUS_OK);
    while (queue && tokenwell_queue_take(queue, &tag, &operation, NULL) == TOKENWELL_STATUS_OK) tokenwell_operation_free(operation);
    /* The last thread of the library gives the memory of its lists back. */
    for (uint64_t started = now_ms(); threads_of_this_process() > 1; pause_ms(1)) DEMAND(now_ms() - started < 60000);
    return bytes;
}

static int child_memory(bool queued)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = NULL;
    if (queued) DEMAND(tokenwell_queue_new(&queue, NULL) == TOKENWELL_STATUS_OK);
    /* The first round pays for what exists once and is kept. */
    long long first = bytes_of_a_waiter(client, queue), before = bytes_in_use(), second = bytes_of_a_waiter(client, queue),
        left = bytes_in_use() - before;
    printf("  %lld and %lld bytes for each waiter with a %s, %lld bytes more after a round\n", first, second,
           queued ? "queue" : "callback", left);
    DEMAND(first > 0 && first <= MOST_BYTES + 50 && second <= MOST_BYTES);
    DEMAND(left < (long long)MANY * 8);
    tokenwell_queue_free(queue);
    tokenwell_client_free(client);
    return 0;
}

static void a_waiter_takes_few_bytes(void)
{
    emulator_faults(SLOW(2000));
    CHECK_INT(0, run_fresh("crowd_memory_of_callbacks"));
    CHECK_INT(0, run_fresh("crowd_memory_of_queues"));
}

/* ---- no descriptors ---- */

static void allow_descriptors(rlim_t count)
{
    struct rlimit limit;
    DEMAND(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count;
    DEMAND(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int child_no_descriptors(void)
{
    tokenwell_client *client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue *queue = NULL, *early = NULL;
    tokenwell_error *error = NULL;
    tokenwell_token *now = NULL;
    tokenwell_operation *operation = NULL, *queued = NULL;
    int32_t descriptor = -1;
    seen data = {0};
    DEMAND(tokenwell_queue_new(&early, NULL) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_queue_descriptor(early, &descriptor, NULL) == TOKENWELL_STATUS_OK);
    int lowest = dup(0);
    DEMAND(lowest > 0 && close(lowest) == 0);
    allow_descriptors((rlim_t)lowest);

    /* The descriptor is made with the queue, or when it is first asked for. */
    tokenwell_status status = tokenwell_queue_new(&queue, &error);
    if (status == TOKENWELL_STATUS_OK) status = tokenwell_queue_descriptor(queue, &descriptor, &error);
    DEMAND(status != TOKENWELL_STATUS_OK && tokenwell_error_status(error) == status);
    printf("  a queue: %s: %s (%s)\n", tokenwell_error_name(error), tokenwell_error_message(error, NULL), tokenwell_error_hint(error,
                                                                                                                               NULL));
    DEMAND(strstr(tokenwell_error_message(error, NULL), "descriptor"));
    tokenwell_error_free(error);
    error = NULL;

    /* Gets fail, immediately or after a while, and say so. */
    status = tokenwell_client_token_queued(client, 0, 20000, 0, early, 1, &now, &queued, NULL);
    DEMAND(status != TOKENWELL_STATUS_OK);
    if (status == TOKENWELL_STATUS_PENDING) {
        uint64_t tag = 0;
        tokenwell_operation *taken = NULL;
        DEMAND(tokenwell_queue_wait(early, 60000, NULL) == TOKENWELL_STATUS_OK);
        DEMAND(tokenwell_queue_take(early, &tag, &taken, NULL) == TOKENWELL_STATUS_OK && tag == 1);
        status = tokenwell_operation_wait(taken, 0, NULL, &error);
        DEMAND(status != TOKENWELL_STATUS_OK && status != TOKENWELL_STATUS_PENDING);
        printf("  a get: %s: %s (%s)\n", tokenwell_error_name(error), tokenwell_error_message(error, NULL), tokenwell_error_hint(error,
                                                                                                                                 NULL));
        tokenwell_error_free(error);
        tokenwell_operation_free(taken);
    }
    status = tokenwell_client_token_async(client, 0, 20000, TOKENWELL_FORCE_REFRESH, on_end, &data, on_destroy, &now, &operation, NULL);
    DEMAND(status != TOKENWELL_STATUS_OK);
    if (status == TOKENWELL_STATUS_PENDING) {
        for (uint64_t started = now_ms(); atomic_load(&data.destroyed) == 0; pause_ms(1)) DEMAND(now_ms() - started < 60000);
        DEMAND(atomic_load(&data.called) == 1 && atomic_load(&data.status) != TOKENWELL_STATUS_OK);
    }

    /* With descriptors it works again, on a client that has no failure to remember. */
    allow_descriptors((rlim_t)lowest + 100);
    tokenwell_client_free(client);
    client = emulator_client(SYSTEM_CLOCK);
    tokenwell_queue_free(queue);
    queue = NULL;
    DEMAND(tokenwell_queue_new(&queue, NULL) == TOKENWELL_STATUS_OK && tokenwell_queue_descriptor(queue, &descriptor,
                                                                                                  NULL) == TOKENWELL_STATUS_OK);
    DEMAND(tokenwell_client_token(client, 0, 0, 0, &now, NULL) == TOKENWELL_STATUS_OK);
    tokenwell_token_free(now);
    tokenwell_operation_free(operation), tokenwell_operation_free(queued);
    tokenwell_queue_free(queue), tokenwell_queue_free(early);
    tokenwell_client_free(client);
    return 0;
}

static void without_descriptors_every_call_ends_with_an_error(void)
{
    CHECK_INT(0, run_fresh("crowd_no_descriptors"));
}

int crowd_child(const char *name)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(name, "crowd_threads") == 0) return child_threads();
    if (strcmp(name, "crowd_memory_of_callbacks") == 0) return child_memory(false);
    if (strcmp(name, "crowd_memory_of_queues") == 0) return child_memory(true);
    if (strcmp(name, "crowd_no_descriptors") == 0) return child_no_descriptors();
    return -1;
}

#define FRESH "it runs in a fresh process, and valgrind has its own threads, allocator and descriptors"

const test operation_crowd_tests[] = {
    TEST(a_crowd_on_a_cold_client_gets_one_token),
    TEST(a_queue_keeps_every_entry_until_it_is_read),
    TEST(a_queue_that_nobody_reads_can_be_closed_and_freed),
    TEST(a_queue_is_freed_while_very_many_wait),
    TEST(canceling_all_but_one_serves_the_last),
    NATIVE_TEST(the_number_of_threads_does_not_grow_with_the_number_of_waiters, FRESH),
    NATIVE_TEST(a_waiter_takes_few_bytes, FRESH),
    NATIVE_TEST(without_descriptors_every_call_ends_with_an_error, FRESH),
    END_OF_TESTS,
};
