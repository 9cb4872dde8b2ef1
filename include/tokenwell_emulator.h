/**
 * @file tokenwell_emulator.h
 * Runs an emulator of MongoDB Atlas for a test (`tokenwell emulator`). Header-only, C99 or C++11,
 * POSIX. It does not need the library.
 *
 *     tokenwell_emulator emulator;
 *     if (tokenwell_emulator_start(&emulator, NULL, NULL) != 0) return 1;
 *     tokenwell_emulator_setenv(&emulator);
 *     ... the test: a client that is configured from the environment ...
 *     tokenwell_emulator_stop(&emulator);
 *
 * The page docs/emulator.md describes the flags, and the control API below
 * `MONGODB_ATLAS_BASE_URL` with which a test sets the clock and faults.
 */
#ifndef TOKENWELL_EMULATOR_H
#define TOKENWELL_EMULATOR_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A running emulator. The fields are private. */
typedef struct tokenwell_emulator {
    /** The process. */
    pid_t pid;
    /** The pipe whose end ends the process. */
    int standard_input;
    /** The assignments, each ended by NUL, and an empty one at the end. */
    char assignments[8192];
} tokenwell_emulator;

/** The most flags of tokenwell_emulator_start(). */
#define TOKENWELL_EMULATOR_MAX_FLAGS 60

/* Reads the assignments up to the line `# ready`. Returns 0, or -1 if the output ends before it. */
static inline int tokenwell_emulator_read_(tokenwell_emulator *emulator, FILE *output)
{
    size_t length = 0;
    for (;;) {
        char *line = emulator->assignments + length;
        size_t left = sizeof emulator->assignments - length - 1, read;
        if (left < 2 || !fgets(line, (int)left, output)) return -1;
        read = strcspn(line, "\n");
        if (line[read] != '\n') return -1;
        line[read] = '\0';
        if (strcmp(line, "# ready") == 0) {
            line[0] = '\0';
            return 0;
        }
        length += read + 1;
    }
}

/**
 * Ends the emulator and waits for its process. Does nothing if it has been stopped.
 * @param emulator A started emulator.
 */
static inline void tokenwell_emulator_stop(tokenwell_emulator *emulator)
{
    if (emulator->pid <= 0) return;
    /* It exits when its standard input closes, but a child of this process may have the pipe too. */
    close(emulator->standard_input);
    kill(emulator->pid, SIGTERM);
    while (waitpid(emulator->pid, NULL, 0) < 0 && errno == EINTR) {}
    emulator->pid = 0;
}

/**
 * Starts an emulator on a free port and returns when it accepts connections. It ends with
 * tokenwell_emulator_stop(), or when this process ends in any way.
 * @param emulator Is filled in.
 * @param command The path of the command; NULL for the variable TOKENWELL_BIN, or else `tokenwell` on PATH.
 * @param flags The flags of `tokenwell emulator`, ended by NULL; NULL for none.
 * @return 0; -1 after a message to standard error if it does not start.
 */
static inline int tokenwell_emulator_start(tokenwell_emulator *emulator, const char *command, const char *const *flags)
{
    const char *arguments[TOKENWELL_EMULATOR_MAX_FLAGS + 4];
    size_t count = 0;
    int input[2], output[2], problem;
    FILE *stream;

    memset(emulator, 0, sizeof *emulator);
    if (!command) command = getenv("TOKENWELL_BIN");
    if (!command || !*command) command = "tokenwell";
    arguments[count++] = command;
    arguments[count++] = "emulator";
    arguments[count++] = "--until-stdin-closes";
    for (; flags && *flags; flags++) {
        if (count >= sizeof arguments / sizeof arguments[0] - 1) {
            fprintf(stderr, "tokenwell_emulator: too many flags\n");
            return -1;
        }
        arguments[count++] = *flags;
    }
    arguments[count] = NULL;

    if (pipe(input) != 0) {
        fprintf(stderr, "tokenwell_emulator: cannot create a pipe: %s\n", strerror(errno));
        return -1;
    }
    if (pipe(output) != 0) {
        fprintf(stderr, "tokenwell_emulator: cannot create a pipe: %s\n", strerror(errno));
        close(input[0]);
        close(input[1]);
        return -1;
    }
    /* Another child of this process must not hold the standard input of the emulator open. */
    fcntl(input[1], F_SETFD, FD_CLOEXEC);
    fcntl(output[0], F_SETFD, FD_CLOEXEC);
    emulator->pid = fork();
    if (emulator->pid == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        if (input[0] > 2) close(input[0]);
        if (output[1] > 2) close(output[1]);
        execvp(command, (char *const *)(const void *)arguments);
        fprintf(stderr, "tokenwell_emulator: cannot start %s: %s: install the tokenwell command, or name it in TOKENWELL_BIN\n", command,
                strerror(errno));
        _exit(127);
    }
    problem = errno;
    close(input[0]);
    close(output[1]);
    stream = emulator->pid < 0 ? NULL : fdopen(output[0], "r");
    if (!stream) {
        if (emulator->pid > 0) problem = errno;
        fprintf(stderr, "tokenwell_emulator: cannot create a process: %s\n", strerror(problem));
        close(output[0]);
        emulator->standard_input = input[1];
        if (emulator->pid < 0) close(input[1]);
        tokenwell_emulator_stop(emulator);
        return -1;
    }
    emulator->standard_input = input[1];
    problem = tokenwell_emulator_read_(emulator, stream);
    fclose(stream);
    if (problem != 0) {
        /* The command has printed the reason. */
        fprintf(stderr, "tokenwell_emulator: `%s emulator` did not start\n", command);
        tokenwell_emulator_stop(emulator);
        return -1;
    }
    return 0;
}

/* The value of an assignment, without quotes, which a value without special characters does not have. */
static inline const char *tokenwell_emulator_unquoted_(char *value)
{
    size_t length = strlen(value);
    if (length >= 2 && (value[0] == '\'' || value[0] == '"') && value[length - 1] == value[0]) {
        value[length - 1] = '\0';
        return value + 1;
    }
    return value;
}

/**
 * Returns the value of a variable of the emulator's clients, for example of `MONGODB_ATLAS_BASE_URL`.
 * @param emulator A started emulator.
 * @param name The name of the variable.
 * @param value The buffer for the value.
 * @param size The size of the buffer.
 * @return 0; -1 if there is no such variable or the buffer is too small.
 */
static inline int tokenwell_emulator_get(const tokenwell_emulator *emulator, const char *name, char *value, size_t size)
{
    const char *each = emulator->assignments;
    size_t length = strlen(name);
    for (; *each; each += strlen(each) + 1) {
        if (strncmp(each, name, length) == 0 && each[length] == '=') {
            const char *unquoted;
            if (strlen(each + length + 1) >= size) return -1;
            strcpy(value, each + length + 1);
            unquoted = tokenwell_emulator_unquoted_(value);
            memmove(value, unquoted, strlen(unquoted) + 1);
            return 0;
        }
    }
    return -1;
}

/**
 * Sets the variables of the emulator's clients in this process. Like setenv(), it must not run
 * concurrently with other code that uses the environment.
 * @param emulator A started emulator.
 * @return 0; -1 if there is not enough memory.
 */
static inline int tokenwell_emulator_setenv(const tokenwell_emulator *emulator)
{
    const char *each = emulator->assignments;
    for (; *each; each += strlen(each) + 1) {
        char name[64], value[sizeof emulator->assignments];
        size_t length = strcspn(each, "=");
        if (length >= sizeof name) return -1;
        memcpy(name, each, length);
        name[length] = '\0';
        if (tokenwell_emulator_get(emulator, name, value, sizeof value) != 0 || setenv(name, value, 1) != 0) return -1;
    }
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
