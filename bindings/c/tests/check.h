/*
 * The checks and helpers that all test files share. A failed check prints file:line, the expected
 * value and the actual value, is counted, and does not stop the test.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tokenwell.h>

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT(expected, got) check_int((expected), (got), __FILE__, __LINE__, #got)
#define CHECK_UINT(expected, got) check_uint((expected), (got), __FILE__, __LINE__, #got)
#define CHECK_TEXT(expected, got) check_text((expected), (got), __FILE__, __LINE__, #got)
#define CHECK_HAS(needle, text) check_has((needle), (text), true, __FILE__, __LINE__, #text)
#define CHECK_LACKS(needle, text) check_has((needle), (text), false, __FILE__, __LINE__, #text)
/* Checks that the call succeeded; otherwise prints its error. Frees *error and sets it to NULL. */
#define CHECK_OK(call, error) check_ok((call), (error), __FILE__, __LINE__, #call)
/*
 * Checks that the call failed with this status and that its error has the same status. Frees *error
 * and sets it to NULL.
 */
#define CHECK_FAILS(expected, call, error) check_fails((expected), (call), (error), NULL, __FILE__, __LINE__, #call)
/* As CHECK_FAILS, and the message contains `word`: the name of the wrong parameter or setting. */
#define CHECK_FAILS_NAMING(expected, word, call, error) check_fails((expected), (call), (error), (word), __FILE__, __LINE__, #call)

/* In a child process: if the condition is false, prints the line and exits. */
#define DEMAND(condition) demand((condition), __FILE__, __LINE__, #condition)

void demand(bool condition, const char *file, int line, const char *what);
bool check_that(bool condition, const char *file, int line, const char *what);
bool check_int(int64_t expected, int64_t got, const char *file, int line, const char *what);
bool check_uint(uint64_t expected, uint64_t got, const char *file, int line, const char *what);
bool check_text(const char *expected, const char *got, const char *file, int line, const char *what);
bool check_has(const char *needle, const char *text, bool wanted, const char *file, int line, const char *what);
bool check_ok(tokenwell_status status, tokenwell_error **error, const char *file, int line, const char *what);
bool check_fails(tokenwell_status expected, tokenwell_status status, tokenwell_error **error, const char *word, const char *file, int line,
                 const char *what);

/* One test. `not_under_valgrind` is NULL, or the reason why valgrind would distort the result. */
typedef struct {
    const char *name;
    void (*run)(void);
    const char *not_under_valgrind;
} test;

#define TEST(function) {#function, function, NULL}
#define NATIVE_TEST(function, reason) {#function, function, reason}
#define END_OF_TESTS {NULL, NULL, NULL}

/* The tests of each file, terminated by END_OF_TESTS. */
extern const test argument_tests[], string_tests[], get_tests[], lifetime_tests[], watching_tests[], process_tests[], no_thread_tests[],
    cancellation_tests[], error_tests[], secret_callback_tests[], fork_tests[], inherited_tests[], allocation_tests[], environment_tests[],
    operation_tests[], operation_cancel_tests[], operation_close_tests[], operation_callback_tests[], operation_queue_tests[],
    operation_fork_tests[], operation_crowd_tests[], event_loop_tests[], save_tests[], step_tests[], description_tests[], api_request_tests[], concurrent_tests[], concurrent_operation_tests[];

/* Called by a test that cannot run here: it is counted as skipped, never as passed. `reason` is a static string. */
void skip_this_test(const char *reason);

/*
 * Runs a part of process.c that needs a separate process: `test_tokenwell --child NAME`. Returns
 * the exit code.
 */
int run_child(const char *name);
/*
 * The same for operations_crowd.c, fork_rounds.c, inherited.c, allocations.c and environment.c. Returns -1 if there is no part with
 * this name.
 */
int fork_child(const char *name);
int inherited_child(const char *name);
int allocation_child(const char *name);
int environment_child(const char *name);
int crowd_child(const char *name);

/* ---- clients against the emulator whose address is in the environment ---- */

typedef enum { SYSTEM_CLOCK, MANUAL_CLOCK } which_clock;

/* Creates a config for the emulator. Exits the program on failure. */
tokenwell_config *emulator_config(which_clock clock);
tokenwell_client *emulator_client(which_clock clock);
/* Sets one setting from a C string. */
tokenwell_status set(tokenwell_config *config, const char *name, const char *value, tokenwell_error **error);
/* One get with default arguments. On failure a check fails and NULL is returned. */
tokenwell_token *get(const tokenwell_client *client);
/* As get(), but returns only the value. Release it with free(). */
char *get_value(const tokenwell_client *client);
tokenwell_stats stats_of(const tokenwell_client *client);
uint64_t generation_of(const tokenwell_client *client);
/* Waits until `ended` refreshes in total have succeeded or failed. */
void wait_for_refreshes(const tokenwell_client *client, uint64_t ended);

/* ---- the emulator's control API ---- */

void emulator_reset(void);
uint64_t emulator_counter(const char *name);
uint64_t emulator_now_ms(void);
/* `faults` is the JSON of docs/emulator.md. */
void emulator_faults(const char *faults);
/* `settings` too. */
void emulator_settings(const char *settings);
/* Waits until the counter has reached `at_least`. Returns false after one minute. */
bool emulator_wait_for(const char *counter, uint64_t at_least);

/* ---- utilities ---- */

uint64_t now_ms(void);
void pause_ms(unsigned ms);
unsigned threads_of_this_process(void);
/* Those that the library has named. A tool such as ThreadSanitizer may have others at any time. */
unsigned threads_of_the_library(void);
/*
 * Waits for at most two minutes, so that a child that hangs is a failure and does not block the
 * test run. Returns the exit code, 1000 + the signal that killed it, or 2000 if it hung and was
 * killed.
 */
int exit_code_of(pid_t child);
const char *need_environment(const char *name);

#endif
