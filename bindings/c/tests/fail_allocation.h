/* Allocations that fail on demand: these two are there in a program that runs with fail_allocation.so before all else, and NULL in any other. */
#ifndef FAIL_ALLOCATION_H
#define FAIL_ALLOCATION_H

#include <stdbool.h>

/* From here on allocations are counted, on all threads; those from the `first` to the `last` (from 1) fail. */
__attribute__((weak)) void fail_allocations(unsigned long first, unsigned long last);
/* From here on none fails. How many were asked for since fail_allocations(). */
__attribute__((weak)) unsigned long stop_failing_allocations(void);

#endif
