/*
 * Allocations that fail on demand. The two functions are NULL unless LD_PRELOAD loads
 * fail_allocation.so.
 */
#ifndef FAIL_ALLOCATION_H
#define FAIL_ALLOCATION_H

#include <stdbool.h>

/* Starts to count the allocations of all threads, from 1. Those from `first` to `last` fail. */
__attribute__((weak)) void fail_allocations(unsigned long first, unsigned long last);
/* Stops failing allocations. Returns how many there were since fail_allocations(). */
__attribute__((weak)) unsigned long stop_failing_allocations(void);

#endif
