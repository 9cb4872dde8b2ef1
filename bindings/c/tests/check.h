/*
 * The checks and the few helpers that all test files share.
 * A check that fails prints file:line, what was expected and what came, counts, and lets the test go on.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tokenwell.h>

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT(expected, got) check_int((expected), (got), __FILE__, __LINE__, #got)
#define CHECK_UINT(expected, got) check_uint((expected), (got), __FILE__, __LINE__, #got)
#define CHECK_TEXT(expected, got) check_text((expected), (got), __FILE__, __LINE__, #got)
#define CHECK_HAS(needle, text) check_has((needle), (text), true, __FILE__, __LINE__, #text)
#define CHECK_LACKS(needle, text) check_has((needle), (text), false, __FILE__, __LINE__, #text)
/* The call succeeded; otherwise its error is shown. Frees *error and sets it to NULL. */
#define CHECK_OK(call, error) check_ok((call), (error), __FILE__, __LINE__, #call)
/* The call failed with this status, and its error agrees. Frees *error and sets it to NULL. */
#define CHECK_FAILS(expected, call, error) check_fails((expected), (call), (error), NULL, __FILE__, __LINE__, #call)
/* As CHECK_FAILS, and the message contains `word`: the name of the wrong parameter or setting. */
#define CHECK_FAILS_NAMING(expected, word, call, error) check_fails((expected), (call), (error), (word), __FILE__, __LINE__, #call)

/* In a child process: ends it, and names the line, when something is not so. */
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

/* One test. `not_under_valgrind` is NULL, or says why valgrind would distort what is tested. */
typedef struct {
    const char *name;
    void (*run)(void);
    const char *not_under_valgrind;
} test;

#define TEST(function) {#function, function, NULL}
#define NATIVE_TEST(function, reason) {#function, function, reason}
#define END_OF_TESTS {NULL, NULL, NULL}

/* One file of tests, ended by END_OF_TESTS. */
extern const test argument_tests[], string_tests[], get_tests[], lifetime_tests[], watching_tests[], process_tests[], no_thread_tests[], fork_tests[],
    inherited_tests[], allocation_tests[];

/* A part of process.c that must run in a process of its own: `test_tokenwell --child NAME`. Returns the exit code. */
int run_child(const char *name);
/* The same for fork_rounds.c, inherited.c and allocations.c; -1 when there is none of this name. */
int fork_child(const char *name);
int inherited_child(const char *name);
int allocation_child(const char *name);

/* ---- clients against the emulator whose address is in the environment ---- */

typedef enum { SYSTEM_CLOCK, MANUAL_CLOCK } which_clock;

/* A configuration for the emulator; ends the program when even that fails. */
tokenwell_config *emulator_config(which_clock clock);
tokenwell_client *emulator_client(which_clock clock);
/* Sets one setting from a C string. */
tokenwell_status set(tokenwell_config *config, const char *name, const char *value, tokenwell_error **error);
/* One get with everything left at its default; NULL (and a failed check) when it fails. */
tokenwell_token *get(const tokenwell_client *client);
/* As get(), but only the value, to be freed with free(). */
char *get_value(const tokenwell_client *client);
tokenwell_stats stats_of(const tokenwell_client *client);
uint64_t generation_of(const tokenwell_client *client);
/* Waits until a background refresh has ended, well or badly: `ended` refreshes in all. */
void wait_for_refreshes(const tokenwell_client *client, uint64_t ended);

/* ---- the emulator's control API ---- */

void emulator_reset(void);
uint64_t emulator_counter(const char *name);
uint64_t emulator_now_ms(void);
/* `faults` is the JSON of docs/emulator.md. */
void emulator_faults(const char *faults);
/* Waits until the emulator has counted so many; false when that does not happen for a minute. */
bool emulator_wait_for(const char *counter, uint64_t at_least);

/* ---- odds and ends ---- */

uint64_t now_ms(void);
void pause_ms(unsigned ms);
unsigned threads_of_this_process(void);
const char *need_environment(const char *name);

#endif
