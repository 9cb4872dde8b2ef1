#!/bin/sh
# Runs all C tests, natively and under valgrind, and counts the results.
#   run.sh DIST BUILD     DIST is created by `make library`, BUILD by ../Makefile.
# ONLY="NAME..." in the environment runs only these tests of the test program, natively; ONLY=all runs all of its tests.
# UNDER="COMMAND" runs the program with this command.
# Each line that begins with "ok ", "FAIL " or "skipped " counts as one test.
set -u

here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../../examples/c
dist=$(cd "$1" && pwd) || exit 1
build=$(cd "$2" && pwd) || exit 1
cc=${CC:-cc}
cxx=${CXX:-c++}
emulator=${TOKENWELL_BIN:-$dist/bin/tokenwell}
library=$dist/lib/libtokenwell.so.0
valgrind="valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --fair-sched=yes"

work=$(mktemp -d) || exit 1
results=$work/results
: >"$results"
trap 'exec 9>&-; [ -n "${emulator_pid:-}" ] && wait "$emulator_pid"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The profile, cache and proxy of the user must not affect the tests.
for name in $(env | sed -n 's/^\(TOKENWELL_[A-Z_]*\|MONGODB_ATLAS_[A-Z_]*\|MCLI_[A-Z_]*\|[a-zA-Z]*_[pP][rR][oO][xX][yY]\)=.*/\1/p'); do unset "$name"; done
user_home=${HOME:-/root}
export HOME="$work/home" XDG_CONFIG_HOME="$work/home/.config" XDG_CACHE_HOME="$work/home/.cache"
mkdir -p "$XDG_CONFIG_HOME" "$XDG_CACHE_HOME"
# Otherwise a test would get a token that another test left in the shared cache.
export TOKENWELL_CACHE=off
export LD_LIBRARY_PATH="$dist/lib"
export TOKENWELL_BIN="$emulator"
export UNLOAD_PROGRAM="$build/unload" UNLOAD_LIBRARY="$library" FAIL_ALLOCATION="$build/fail_allocation.so"
export EXAMPLES_BUILD="$build"

report() { # report NAME COMMAND...: runs a command as one test; shows its output if it fails
    name=$1
    shift
    if "$@" >"$work/output" 2>&1 9>&-; then
        echo "ok $name"
    else
        echo "FAIL $name"
        sed 's/^/  /' "$work/output"
    fi | tee -a "$results"
}

# Runs a program that prints its own result lines. If it fails without printing FAIL (a crash, an
# error found by valgrind), that is reported as one failure.
run() { # run NAME COMMAND...
    name=$1
    shift
    { "$@" 2>&1 9>&-; echo "$?" >"$work/code"; } | grep --line-buffered -v '^c: ' | tee "$work/output" | tee -a "$results"
    code=$(cat "$work/code")
    if [ "$code" -ne 0 ] && ! grep -q '^FAIL ' "$work/output"; then echo "FAIL $name (exit code $code)" | tee -a "$results"; fi
}

start_emulator() {
    mkfifo "$work/stdin"
    : >"$work/emulator.env"
    "$emulator" emulator --until-stdin-closes --no-rate-limit <"$work/stdin" >"$work/emulator.env" 2>"$work/emulator.log" &
    emulator_pid=$!
    exec 9>"$work/stdin"
    tries=0
    until grep -qx '# ready' "$work/emulator.env"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$emulator_pid" 2>/dev/null; then
            echo "the emulator did not start: $emulator emulator" >&2
            cat "$work/emulator.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    # The tests have cache directories of their own.
    set -a
    . "$work/emulator.env"
    set +a
    unset TOKENWELL_CACHE_DIR
}

finish() {
    passed=$(grep -c '^ok ' "$results")
    failed=$(grep -c '^FAIL ' "$results")
    skipped=$(grep -c '^skipped ' "$results")
    echo "c: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

if [ -n "${ONLY:-}" ]; then
    start_emulator
    for name in $ONLY; do
        [ "$name" = all ] && only= || only=$name
        # The command must be split into words.
        # shellcheck disable=SC2086
        run "$name" ${UNDER:-} "$build/test_tokenwell" ${only:+"$only"}
    done
    finish
fi

# ---- the header and the library, without an emulator ----

root=$(cd "$here/../../.." && pwd)
for standard in c99 c11; do
    report "the_header_is_clean_$standard" "$cc" -std=$standard -Wall -Wextra -Werror -pedantic -I"$dist/include" -c "$here/abi_layout.c" -o "$work/layout.o"
done
for standard in c++11 c++17; do
    report "the_header_is_clean_$standard" "$cxx" -x c++ -std=$standard -Wall -Wextra -Werror -pedantic -I"$dist/include" -c "$here/abi_layout.c" -o "$work/layout.o"
done
# Without exceptions and run-time type information too, as some programs are built.
for options in -std=c++17 -std=c++20 "-std=c++17 -fno-exceptions -fno-rtti"; do
    # shellcheck disable=SC2086
    report "tokenwell_hpp_is_clean_with_$options" "$cxx" $options -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$dist/include" \
        -c "$root/examples/cpp/hello_token.cpp" -o "$work/hpp.o"
done
emulator_header() { # emulator_header COMPILER OPTION...: compiles and runs the test of tokenwell_emulator.h
    "$@" -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$dist/include" "$here/emulator_header.c" -o "$work/emulator_header" &&
        "$work/emulator_header"
}
report tokenwell_emulator_h_starts_an_emulator_in_c99 emulator_header "$cc" -std=c99
report tokenwell_emulator_h_starts_an_emulator_in_cpp11 emulator_header "$cxx" -x c++ -std=c++11
run abi_symbols sh "$here/abi_symbols.sh" "$library" "$dist/include/tokenwell.h" "$root/" "${CARGO_HOME:-$user_home/.cargo}/" registry/src
only_our_symbols_are_global_in() { # only_our_symbols_are_global_in ARCHIVE
    nm -g --defined-only "$1" | awk 'NF == 3 { print $3 }' >"$work/global"
    [ "$(grep -c '^tokenwell_' "$work/global")" -ge 30 ] || { echo "fewer than 30 functions in $1"; return 1; }
    ! grep -v -e '^tokenwell_' -e '^DW\.ref\.tokenwell_eh_personality$' "$work/global"
}
only_our_symbols_are_global_in_the_archive() {
    only_our_symbols_are_global_in "$dist/lib/libtokenwell.a" || return 1
    # The check itself: a foreign symbol is found.
    echo 'int planted(void) { return 1; }' >"$work/foreign.c"
    cp "$dist/lib/libtokenwell.a" "$work/planted.a" && chmod u+w "$work/planted.a" &&
        "$cc" -c "$work/foreign.c" -o "$work/foreign.o" && ar r "$work/planted.a" "$work/foreign.o" || return 1
    ! only_our_symbols_are_global_in "$work/planted.a"
}
nothing_names_a_directory_of_the_build_machine() {
    for file in "$dist/lib/libtokenwell.a" "$dist/bin/tokenwell"; do
        [ -s "$file" ] || { echo "$file is missing"; return 1; }
        for path in "$root/" "${CARGO_HOME:-$user_home/.cargo}/" registry/src; do
            if grep -qaF "$path" "$file"; then echo "$file names $path" && return 1; fi
        done
    done
}
report only_our_symbols_are_global_in_the_archive only_our_symbols_are_global_in_the_archive
report nothing_names_a_directory_of_the_build_machine nothing_names_a_directory_of_the_build_machine

# ---- the programs, against an emulator ----

start_emulator

hello_by_pkg_config() { # hello_by_pkg_config TREE: compiles and runs hello_token as a user does
    flags=$(PKG_CONFIG_PATH="$1/lib/pkgconfig" pkg-config --cflags --libs tokenwell) || return 1
    # The flags must be split into words.
    # shellcheck disable=SC2086
    "$cc" "$examples/hello_token.c" $flags -o "$work/hello" && LD_LIBRARY_PATH="$1/lib" "$work/hello" | grep 'a token of [1-9]'
}
hello_from_the_archive() { # fully static too: the C library then warns of its name lookups, which need its shared parts
    libraries=$(PKG_CONFIG_PATH="$dist/lib/pkgconfig" pkg-config --static --libs-only-l tokenwell) || return 1
    libraries=$(printf ' %s ' "$libraries" | sed 's| -ltokenwell | |')
    for mode in "" -static; do
        # shellcheck disable=SC2086
        "$cc" $mode "$examples/hello_token.c" -I"$dist/include" "$dist/lib/libtokenwell.a" $libraries -o "$work/hello" || return 1
        env -u LD_LIBRARY_PATH "$work/hello" | grep 'a token of [1-9]' || return 1
    done
}
hello_from_a_moved_tree() {
    mkdir -p "$work/moved" && cp -R "$dist/include" "$dist/lib" "$work/moved/" && hello_by_pkg_config "$work/moved" &&
        ! PKG_CONFIG_PATH="$work/moved/lib/pkgconfig" pkg-config --cflags --libs tokenwell | grep -F "$dist"
}
the_versions_agree() {
    [ "$(PKG_CONFIG_PATH="$dist/lib/pkgconfig" pkg-config --modversion tokenwell)" = "$(printf 'hello\nquit\n' | "$build/shim" | sed -n 's/^ok c //p')" ]
}
hello_without_a_credential() {
    env -u MONGODB_ATLAS_CLIENT_ID -u MONGODB_ATLAS_CLIENT_SECRET "$build/hello_token" && return 1
    env -u MONGODB_ATLAS_CLIENT_ID -u MONGODB_ATLAS_CLIENT_SECRET "$build/hello_token" 2>&1 | grep 'NOT_CONFIGURED: '
}
the_demo_prints_its_line() {
    line=$("$build/demo") && echo "$line" && echo "$line" | grep -xE '\{"language":"C","api_status":200,"gets":10000,"ns_per_get":[0-9.]+,"first_token_ms":[0-9.]+\}'
}
the_demo_refuses_a_foreign_host() {
    MONGODB_ATLAS_BASE_URL=http://127.0.0.1.example.com:80 "$build/demo" && return 1
    MONGODB_ATLAS_BASE_URL=http://127.0.0.1.example.com:80 "$build/demo" 2>&1 | grep REFUSED
}
retry_after_401() { "$build/refresh_after_401" | grep -x 'GET /api/atlas/v2/orgs: 200'; }
hello_in_cpp() { "$build/hello_token_cpp" | grep 'a token of [1-9]'; }
shim_answers() { [ "$(printf 'hello\nset x73636f7065 x61\nquit\n' | "$build/shim" | sed 's/[0-9.]*$//')" = "$(printf 'ok c \nok\nok')" ]; }

# Checks of the checks: each must fail for a planted fault.
a_planted_leak_is_found() {
    cat >"$work/leak.c" <<'END'
#include <tokenwell.h>
static tokenwell_config *lost;
int main(void) { tokenwell_config_new(&lost, 0); lost = 0; return 0; }
END
    "$cc" "$work/leak.c" -I"$dist/include" -L"$dist/lib" -ltokenwell -o "$work/leak" || return 1
    # shellcheck disable=SC2086
    $valgrind "$work/leak"
    [ $? -eq 99 ]
}
a_planted_symbol_is_found() {
    echo "int planted(void) { return 1; } int tokenwell_planted(void) { return 1; } const char *built_in = \"$work/source.c\";" >"$work/planted.c"
    "$cc" -shared -fPIC "$work/planted.c" -o "$work/planted.so" || return 1
    sh "$here/abi_symbols.sh" "$work/planted.so" "$dist/include/tokenwell.h" "$work/" >"$work/found" && return 1
    grep -x '  planted' "$work/found" && grep -A3 'FAIL every_symbol_has_a_version' "$work/found" | grep -x '  tokenwell_planted' &&
        grep -x "  $work/" "$work/found" && grep -x '  exported, not declared: tokenwell_planted' "$work/found" &&
        grep -x '  declared, not exported: tokenwell_version' "$work/found" && grep NODELETE "$work/found"
}
a_run_without_tests_fails() { ! "$build/test_tokenwell" no_test_has_this_name; }

report a_planted_leak_is_found a_planted_leak_is_found
report a_planted_symbol_is_found a_planted_symbol_is_found
report a_run_without_tests_fails a_run_without_tests_fails
report hello_needs_only_pkg_config hello_by_pkg_config "$dist"
report the_static_archive_links hello_from_the_archive
report a_moved_tree_still_works hello_from_a_moved_tree
report the_versions_of_library_and_pkg_config_agree the_versions_agree
report hello_reports_a_missing_credential hello_without_a_credential
report the_demo_prints_its_line the_demo_prints_its_line
report i5_the_demo_refuses_a_foreign_host the_demo_refuses_a_foreign_host
report the_retry_example_gets_its_answer retry_after_401
report the_shim_answers shim_answers
report hello_in_cpp hello_in_cpp
# Before the tests in C, which leave faults in the emulator.
run test_cpp "$build/test_cpp"
# shellcheck disable=SC2086
run valgrind_of_test_cpp $valgrind "$build/test_cpp"
run test_tokenwell "$build/test_tokenwell"

echo "-- under valgrind --"
# shellcheck disable=SC2086
run valgrind_of_test_tokenwell env UNDER_VALGRIND=1 $valgrind "$build/test_tokenwell"
# shellcheck disable=SC2086
report valgrind_of_the_demo $valgrind "$build/demo"

finish
