/*
 * Loaded with LD_PRELOAD into a command: when the command has ended, searches its memory for copies of a token.
 *
 *     CANARY_NEEDLE   the last 80 bytes of the token, each byte masked, in hexadecimal: this library must not bring a
 *                     copy of its own. Shorter parts are in vector registers, which the dynamic linker saves on
 *                     the stack
 *     CANARY_RESULT   the file to which it writes the number of copies and the location of each
 *     CANARY_PLANT    leaves a copy that is never wiped, which the search must find
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MASK = 0x5a, TAIL = 80 };

static unsigned char needle[TAIL];
static char *result, *planted;

__attribute__((constructor)) static void begin(void)
{
    const char *masked = getenv("CANARY_NEEDLE");
    const char *path = getenv("CANARY_RESULT");
    if (!masked || !path || strlen(masked) != 2 * TAIL) exit(99);
    for (size_t i = 0; i < TAIL; i++) {
        unsigned byte;
        if (sscanf(masked + 2 * i, "%2x", &byte) != 1) exit(99);
        needle[i] = (unsigned char)byte;
    }
    result = strdup(path);
    if (getenv("CANARY_PLANT") && (planted = malloc(TAIL))) {
        for (size_t i = 0; i < TAIL; i++) planted[i] = (char)(needle[i] ^ MASK);
    }
    /* Programs that the command starts are not searched. */
    unsetenv("LD_PRELOAD");
}

/* Waits until the thread of a refresh has wiped its memory and exited. */
static void wait_for_threads(void)
{
    for (int tries = 0; tries < 6000; tries++) {
        int threads = 0;
        DIR *tasks = opendir("/proc/self/task");
        if (!tasks) _Exit(99);
        for (struct dirent *task; (task = readdir(tasks));) threads += task->d_name[0] != '.';
        closedir(tasks);
        if (threads == 1) return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    _Exit(99);
}

__attribute__((destructor)) static void end(void)
{
    wait_for_threads();
    FILE *maps = fopen("/proc/self/maps", "r");
    FILE *told = fopen(result, "w");
    char line[512];
    size_t found = 0;
    if (!maps || !told) _Exit(99);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t begin, end;
        char rights[8] = "", name[256] = "";
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %255s", &begin, &end, rights, name) < 3) _Exit(99);
        if (rights[0] != 'r' || rights[1] != 'w') continue;
        const volatile unsigned char *memory = (const volatile unsigned char *)begin;
        for (size_t at = 0; at + TAIL <= end - begin; at++) {
            size_t same = 0;
            while (same < TAIL && (memory[at + same] ^ MASK) == needle[same]) same++;
            if (same < TAIL) continue;
            found++;
            fprintf(told, "left in %s\n", *name ? name : "anonymous memory");
        }
    }
    fprintf(told, "copies %zu\n", found);
    fclose(told);
    fclose(maps);
}
