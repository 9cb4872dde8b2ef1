#!/bin/sh
# valgrind: the concurrent tests of C for more rounds, without a leak, a wrong access or an open
# descriptor, and the tests that fork. `make test` runs the others under it. Helgrind and DRD are
# not used: they do not know the order that Rust's locks make (the suite tsan does).
cd "$(dirname "$0")/../.." || exit 1
. tests/more/sanitizers/build.sh
need valgrind "it runs the tests of C"
if [ -n "${SHORT:-}" ]; then rounds=3; else rounds=${ROUNDS:-40}; fi
make -s -C bindings/c PREFIX="$DIST" all || exit 1
programs=$PWD/bindings/c/build
planted=$work/planted
"$CC" -std=c11 -Wall -Wextra -Werror -O1 -g -pthread -Iinclude "$FAULTS/planted.c" -L"$DIST/lib" -ltokenwell \
    -Wl,-rpath,"$DIST/lib" -o "$planted" || exit 1

memcheck="valgrind --error-exitcode=99 --fair-sched=yes --log-file=$work/report.%p"
# Not "possible": arc-swap keeps pointers into its allocations, not to their start, and a refresh that nobody waits for may still run at the end.
with_leaks="$memcheck --track-fds=yes --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite"

# A command that fails if valgrind found an error, or a descriptor that the process opened and did
# not close.
examined() {
    rm -f "$work"/report*
    "$@"
    code=$?
    awk '/: <inherited from parent>$/ || /<inherited from parent>/ { open = "" }
        open != "" { print open; found = 1; open = "" }
        / Open .*(descriptor|socket)/ { open = FILENAME ": " $0 }
        END { if (open != "") { print open; found = 1 } exit found }' "$work"/report* || code=1
    if [ "$code" -ne 0 ]; then tail -n 100 "$work"/report*; fi
    return "$code"
}
fails_with() { # fails_with PATTERN COMMAND...
    pattern=$1
    shift
    if examined "$@" >"$work/examined"; then
        echo "a planted fault did not fail: $*"
        return 1
    fi
    cat "$work/examined"
    grep -q -e "$pattern" "$work/examined"
}

# The commands must be split into words.
# shellcheck disable=SC2086
{
    check "a planted leak is found" fails_with "are definitely lost" $with_leaks "$planted" leak_in_the_library
    check "a planted overflow in C is found" fails_with "Invalid write of size 1" $with_leaks "$planted" overflow_in_c
    check "a planted overflow in the library is found" fails_with "Invalid write of size" $with_leaks "$planted" overflow_in_the_library
    check "a planted use after free in the library is found" fails_with "Invalid read of size" $with_leaks "$planted" use_after_free_in_the_library
    check "a planted open descriptor is found" fails_with "descriptor .*/dev/null" $with_leaks "$planted" descriptor
    check "a program without a fault passes" examined $with_leaks "$planted" nothing
}
check "$rounds rounds of concurrent use" examined in_c "$(concurrent_tests)" UNDER="$with_leaks" UNDER_VALGRIND=1 CONCURRENT_ROUNDS="$rounds"
# In a child, memory and descriptors of the parent's refreshes remain on purpose. The families of
# fork_rounds.c are started outside valgrind.
forks=$(tests_because FORKS | sed 's/i30_whenever_a_process_forks_its_child_ends_with_an_answer//')
check "the tests of fork" in_c "$forks $(concurrent_tests FORKS)" UNDER="$memcheck --quiet" CONCURRENT_ROUNDS=2
finish memcheck
