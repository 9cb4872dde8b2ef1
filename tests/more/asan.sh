#!/bin/sh
# AddressSanitizer and LeakSanitizer: the tests of C, and the concurrent ones for more rounds, with
# an instrumented library. Nothing is suppressed.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/sanitizers/build.sh
if [ -n "${SHORT:-}" ]; then rounds=6 forks=40; else rounds=${ROUNDS:-60} forks=${FORKS:-1000}; fi
build address asan
built
with_leaks=$(options detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1)
without_leaks=$(options detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1)
export ASAN_OPTIONS="$with_leaks"

found "a planted leak in the library" "LeakSanitizer: detected memory leaks" " tokenwell_config_new " -- "$programs/planted" leak_in_the_library
found "a planted overflow in C" "heap-buffer-overflow" "#0 .* overflow_in_c " -- "$programs/planted" overflow_in_c
found "a planted overflow in the library" "heap-buffer-overflow" " tokenwell_client_stats " -- "$programs/planted" overflow_in_the_library
found "a planted use after free in the library" "heap-use-after-free" " tokenwell_error_http_status " -- \
    "$programs/planted" use_after_free_in_the_library
clean "a program without a fault" "$programs/planted" nothing

# Without those that need a process of a certain kind.
clean "the tests of C" in_c all UNDER_VALGRIND=1
clean "$rounds rounds of concurrent use" in_c "$(concurrent_tests) $(concurrent_tests FORKS)" CONCURRENT_ROUNDS="$rounds"
# Their children call exit() with a client that is not freed, or with state of the parent that
# remains there on purpose.
clean "the tests of fork, exit and signals" in_c "$(tests_because FORKS) $(tests_because SCHEDULES) $(exit_tests)" \
    FORK_ROUNDS="$forks" ASAN_OPTIONS="$without_leaks"
finish asan
