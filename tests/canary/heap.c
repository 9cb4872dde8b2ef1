/*
 * Searches the memory of this process for copies of a secret and of a token after everything was freed.
 *
 *     heap unused|used|leaky URL CLIENT_ID < SECRET (each byte masked, in hexadecimal)
 *
 * Prints "secret BEFORE AFTER token BEFORE AFTER": the number of copies before and after the client was freed. Before
 * that it prints the location of each remaining copy. This program must not keep a copy itself: it stores and compares
 * the searched bytes masked.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <tokenwell.h>
#include <unistd.h>

enum { MASK = 0x5a, MOST = 65536, TAIL = 24, WINDOW = 1 << 20 };

/* The end of a string, masked: free() overwrites the beginning of a freed block. */
typedef struct { unsigned char bytes[TAIL]; } needle;

static unsigned char *window;
static char *left_behind;

static needle needle_of(const char *text, size_t length)
{
    needle made;
    for (size_t i = 0; i < TAIL; i++) made.bytes[i] = (unsigned char)text[length - TAIL + i] ^ MASK;
    return made;
}

static size_t count(const needle *searched, const char *what, int tell)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    char line[512];
    size_t found = 0;
    if (!maps || memory < 0) exit(3);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t begin, end;
        char rights[8] = "", name[256] = "";
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %255s", &begin, &end, rights, name) < 3) exit(3);
        if (rights[1] != 'w') continue;
        for (uintptr_t at = begin; at + TAIL <= end; at += WINDOW - TAIL + 1) {
            size_t size = end - at < WINDOW ? end - at : WINDOW;
            /* Skips the window itself, which contains a copy of the bytes that were read. */
            if (at < (uintptr_t)window + WINDOW && (uintptr_t)window < at + size) continue;
            ssize_t got = pread(memory, window, size, (off_t)at);
            for (ssize_t i = 0; i + TAIL <= got; i++) {
                size_t same = 0;
                while (same < TAIL && (window[i + (ssize_t)same] ^ MASK) == searched->bytes[same]) same++;
                if (same < TAIL) continue;
                found++;
                if (!tell) continue;
                printf("left: %s in %s, before \"", what, *name ? name : "anonymous memory");
                for (ssize_t j = i + TAIL; j < got && j < i + TAIL + 24; j++) putchar(window[j] >= ' ' && window[j] < 127 ? window[j] : '_');
                puts("\"");
            }
        }
    }
    memset(window, 0, WINDOW);
    close(memory);
    fclose(maps);
    return found;
}

/* Waits until the thread of a refresh has exited. */
static void wait_for_threads(void)
{
    for (int tries = 0; tries < 6000; tries++) {
        int threads = 0;
        DIR *tasks = opendir("/proc/self/task");
        if (!tasks) exit(3);
        for (struct dirent *task; (task = readdir(tasks));) threads += task->d_name[0] != '.';
        closedir(tasks);
        if (threads == 1) return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    exit(4);
}

static void must(tokenwell_status status, tokenwell_error *error)
{
    if (status == TOKENWELL_STATUS_OK) return;
    fprintf(stderr, "heap: %s\n", tokenwell_error_message(error, NULL));
    exit(2);
}

int main(int count_of_arguments, char **arguments)
{
    char *secret = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t length = 0;
    unsigned masked;
    tokenwell_config *config = NULL;
    tokenwell_client *client = NULL;
    tokenwell_token *token = NULL;
    tokenwell_error *error = NULL;

    window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (count_of_arguments != 4 || secret == MAP_FAILED || window == MAP_FAILED) return 2;
    while (length < MOST && scanf("%2x", &masked) == 1) secret[length++] = (char)(masked ^ MASK);
    if (length < TAIL) return 2;
    needle secret_needle = needle_of(secret, length), token_needle;

    must(tokenwell_config_new(&config, &error), error);
    must(tokenwell_config_set(config, "client_secret", 13, secret, length, &error), error);
    if (strcmp(arguments[1], "leaky") == 0) {
        /* A copy that is never wiped, which the search must find. It is not freed, because the next user of the block
           could overwrite it. */
        left_behind = malloc(length);
        if (left_behind) memcpy(left_behind, secret, length);
    }
    munmap(secret, MOST);
    must(tokenwell_config_set(config, "base_url", 8, arguments[2], strlen(arguments[2]), &error), error);
    must(tokenwell_config_set(config, "client_id", 9, arguments[3], strlen(arguments[3]), &error), error);
    must(tokenwell_client_new(config, &client, &error), error);
    size_t tokens = 0, tokens_after = 0;
    if (strcmp(arguments[1], "used") == 0) {
        must(tokenwell_client_token(client, 0, 0, 0, &token, &error), error);
        size_t token_length = 0;
        const char *value = tokenwell_token_value(token, &token_length);
        token_needle = needle_of(value, token_length);
        wait_for_threads();
        tokens = count(&token_needle, "token", 0);
    }
    size_t secrets = count(&secret_needle, "secret", 0);

    tokenwell_token_free(token);
    tokenwell_client_free(client);
    tokenwell_config_free(config);
    wait_for_threads();

    size_t secrets_after = count(&secret_needle, "secret", 1);
    if (token) tokens_after = count(&token_needle, "token", 1);
    printf("secret %zu %zu token %zu %zu\n", secrets, secrets_after, tokens, tokens_after);
    return 0;
}
