#!/bin/sh
# ThreadSanitizer: the tests of C, and the concurrent ones for more rounds, with an instrumented
# library and standard library. Nothing is suppressed. In a forked child of a process with threads
# TSan reports nothing: there it only shows that the child works.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/sanitizers/build.sh
if [ -n "${SHORT:-}" ]; then rounds=6 forks=40; else rounds=${ROUNDS:-60} forks=${FORKS:-1000}; fi
build thread tsan
with_nightly build -Zbuild-std --manifest-path "$FAULTS/standard_library/Cargo.toml" || exit 1
built
TSAN_OPTIONS=$(options die_after_fork=0:second_deadlock_stack=1:atexit_sleep_ms=50)
export TSAN_OPTIONS

found "a planted race in C" "data race" "#0 add " -- "$programs/planted" race_in_c
found "a planted race in the library" "data race" " tokenwell_config_set " -- "$programs/planted" race_in_the_library
found "a planted race in the standard library" "data race" "#0 .*library/std/src/path.rs" -- "$output/standard_library" race
clean "an order that the standard library makes is not a race" "$output/standard_library" order
clean "a program without a fault" "$programs/planted" nothing

# Without those that need a process of a certain kind: TSan has a thread of its own in each.
clean "the tests of C" in_c all UNDER_VALGRIND=1
clean "$rounds rounds of concurrent use" in_c "$(concurrent_tests) $(concurrent_tests FORKS)" CONCURRENT_ROUNDS="$rounds"
clean "the tests of fork, exit and signals" in_c "$(tests_because FORKS) $(tests_because SCHEDULES) $(exit_tests)" FORK_ROUNDS="$forks"
finish tsan
