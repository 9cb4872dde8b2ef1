/*
 * Loaded into a program with LD_PRELOAD: counts its allocations from a moment that the program
 * chooses, and fails those that it selects. tests/allocations.c uses it; fail_allocation.h
 * documents it.
 */
#define _GNU_SOURCE
#include "fail_allocation.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_ulong taken, first_to_fail = ULONG_MAX, last_to_fail = 0;
static atomic_bool counting;

void fail_allocations(unsigned long first, unsigned long last)
{
    atomic_store(&taken, 0);
    atomic_store(&first_to_fail, first);
    atomic_store(&last_to_fail, last);
    atomic_store(&counting, true);
}

unsigned long stop_failing_allocations(void)
{
    atomic_store(&counting, false);
    return atomic_load(&taken);
}

static bool fails(void)
{
    if (!atomic_load(&counting)) return false;
    unsigned long number = atomic_fetch_add(&taken, 1) + 1;
    return number >= atomic_load(&first_to_fail) && number <= atomic_load(&last_to_fail);
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/*
 * The functions that this library replaces: looked up at the first allocation of the process, when
 * it has one thread.
 */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
} real;

#define LOOK_UP(name)                                                  \
    real.name = (__typeof__(real.name))dlsym(RTLD_NEXT, #name);        \
    if (!real.name) abort()

/*
 * Returns whether the real functions are known. An older dlsym allocates and so calls this again
 * before it returns; it can do without that memory.
 */
static bool ready(void)
{
    static bool asking;
    if (real.malloc) return true;
    if (asking) return false;
    asking = true;
    LOOK_UP(posix_memalign);
    LOOK_UP(aligned_alloc);
    LOOK_UP(realloc);
    LOOK_UP(calloc);
    LOOK_UP(malloc);
    return true;
}

void *malloc(size_t size)
{
    return !ready() || fails() ? no_memory() : real.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return !ready() || fails() ? no_memory() : real.calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return !ready() || fails() ? no_memory() : real.realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return !ready() || fails() ? no_memory() : real.aligned_alloc(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    return !ready() || fails() ? ENOMEM : real.posix_memalign(memory, alignment, size);
}
