/* Loaded with LD_PRELOAD: writes the log of the library, at the most verbose level, to standard error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenwell.h>
#include <unistd.h>

static void to_standard_error(void *unused, int32_t level, const char *message, size_t length)
{
    char line[8192];
    int size = snprintf(line, sizeof line, "canary log %d: %.*s\n", (int)level, (int)length, message);
    (void)unused;
    if (size > 0 && write(2, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1) < 0) abort();
}

__attribute__((constructor)) static void start(void)
{
    tokenwell_error *error = NULL;
    if (tokenwell_log_set(to_standard_error, NULL, 4, &error) != TOKENWELL_STATUS_OK) {
        fprintf(stderr, "canary log: %s\n", tokenwell_error_message(error, NULL));
        abort();
    }
}
