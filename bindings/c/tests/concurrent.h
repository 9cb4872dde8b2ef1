/* What concurrent.c and concurrent_operations.c share. */
#ifndef CONCURRENT_H
#define CONCURRENT_H

#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* Random numbers of one thread. */
typedef struct { uint64_t state; } dice;

unsigned concurrent_rounds(void);
void seed_dice(dice *own, unsigned round, unsigned thread);
unsigned roll(dice *own, unsigned below);
/* The server works, fails or is slow until the next change. */
void change_the_mood_of_the_server(dice *own);
void start_thread(pthread_t *thread, void *(*run)(void *), void *data);
/* Waits for the child. Returns its exit code, or 1000 + the signal that killed it. */
int code_of_child(pid_t child);
void make_directory(char *path, size_t size);
void remove_directory(const char *path);
/* With a directory the cache is on; NULL is without a cache. */
tokenwell_client *concurrent_client(const char *directory);

#endif
