# Sourced, not run, by the suites asan, tsan and memcheck: builds the library and the test program
# of bindings/c with a sanitizer.
#
#   build SANITIZER RUNTIME               "address asan" or "thread tsan"; the programs are then
#                                         in $programs: test_tokenwell, planted
#   clean NAME COMMAND                    one test: the command succeeds, and no process writes a
#                                         report
#   found NAME PATTERN... -- COMMAND      one test: there is a report, and each pattern matches a
#                                         line of it
#   in_c TESTS [NAME=VALUE...]            a command: these tests of test_tokenwell, or "all"
#
# There is one runtime in a program: the one of the nightly toolchain, for Rust and for C. The
# instrumentation of gcc calls the same functions. With TSan the standard library is built with the
# sanitizer too: otherwise the order that its locks make is unknown, and everything that they
# protect is reported. Nothing is suppressed. `ring` has parts in C and assembly, which are not
# instrumented: accesses in them are not seen.

. tests/more/need.sh
nightly=${NIGHTLY:-$(cat tests/more/sanitizers/nightly)}
target_directory=${CARGO_TARGET_DIR:-$PWD/target}
FAULTS=tests/more/sanitizers

skip_all() {
    skip "$1"
    finish "$suite_name"
    exit
}

build() { # build SANITIZER RUNTIME
    [ "$(uname -s)" = Linux ] || skip_all "it runs on Linux only"
    need gcc "it compiles the tests with -fsanitize=$1; install gcc"
    need rustup "it installs $nightly, which has -Zsanitizer=$1"
    if ! [ -d "$(rustup run "$nightly" rustc --print sysroot 2>/dev/null)/lib/rustlib/src" ] &&
        ! rustup toolchain install "$nightly" --profile minimal --component rust-src >"$work/install" 2>&1; then
        skip_all "$nightly is missing; install it with \`rustup toolchain install $nightly --profile minimal --component rust-src\`"
    fi
    host=$(rustup run "$nightly" rustc -vV | sed -n 's/^host: //p')
    runtime=$(rustup run "$nightly" rustc --print sysroot)/lib/rustlib/$host/lib/librustc-nightly_rt.$2.a
    [ -f "$runtime" ] || skip_all "$nightly has no $1 sanitizer for $host"
    mkdir -p "$target_directory/sanitizers/$1"
    target=$(cd "$target_directory/sanitizers/$1" && pwd)
    programs=$target/c
    output=$target/$host/debug
    # With --target, build scripts and macros are not instrumented.
    export RUSTFLAGS="-Zsanitizer=$1 -Copt-level=1 -Cdebuginfo=line-tables-only -Cforce-frame-pointers=yes"
    standard_library=
    [ "$1" = thread ] && standard_library=-Zbuild-std
    # Must be split into words.
    # shellcheck disable=SC2086
    with_nightly rustc --no-default-features --features capi --lib --crate-type staticlib $standard_library -- \
        --print "native-static-libs=$target/libraries" || exit 1
    # gcc would add a runtime of its own: therefore it adds no library at all.
    link="$output/libtokenwell.a -nodefaultlibs -Wl,--whole-archive $runtime -Wl,--no-whole-archive -Wl,--export-dynamic"
    link="$link $(cat "$target/libraries") -lgcc"
    compile="-O1 -g -fno-omit-frame-pointer -fsanitize=$1"
    make -s -C bindings/c CC=gcc BUILD="$programs" PREFIX="$PWD" LIBRARY="$output/libtokenwell.a" CFLAGS="$compile" LINK="$link" \
        "$programs/test_tokenwell" || exit 1
    # shellcheck disable=SC2086
    gcc -std=c11 -Wall -Wextra -Werror -pthread $compile -Iinclude "$FAULTS/planted.c" $link -o "$programs/planted" || exit 1
}

with_nightly() {
    command=$1
    shift
    CARGO_TARGET_DIR="$target" CARGO_INCREMENTAL=0 rustup run "$nightly" cargo "$command" --quiet --locked --target "$host" "$@"
}

# The options of all sanitizers have the same form; each process writes its report to a file of its own.
options() { echo "log_path=$work/report:$1"; }

in_c() {
    tests=$1
    shift
    env "$@" ONLY="$tests" sh bindings/c/tests/run.sh "$DIST" "$programs"
}

clean() {
    name=$1
    shift
    check "$name" without_a_report "$@"
}
without_a_report() {
    rm -f "$work"/report*
    "$@"
    code=$?
    for report in "$work"/report*; do
        [ -e "$report" ] && code=1 && head -n 150 "$report"
    done
    return $code
}

found() {
    name=$1
    shift
    check "$name" with_a_report "$@"
}
with_a_report() {
    patterns=$work/patterns
    : >"$patterns"
    while [ "$1" != -- ]; do echo "$1" >>"$patterns" && shift; done
    shift
    rm -f "$work"/report*
    if "$@"; then
        echo "a planted fault did not fail: $*"
        return 1
    fi
    cat "$work"/report* || return 1
    while read -r pattern; do
        cat "$work"/report* | grep -q -e "$pattern" || { echo "no line of the report has: $pattern"; return 1; }
    done <"$patterns"
}

# Names of tests of C: the concurrent ones, without and with forks, and of the others those that
# valgrind distorts for this reason, and a sanitizer does not.
tests_in() { # tests_in FILE REASON, which is empty for those that run under valgrind too
    if [ -n "$2" ]; then sed -n "s/^ *NATIVE_TEST(\([a-z0-9_]*\), $2),/\1/p" "$1"; else sed -n 's/^ *TEST(\([a-z0-9_]*\)),/\1/p' "$1"; fi
}
tests_because() {
    for file in bindings/c/tests/*.c; do
        case $file in */concurrent*) ;; *) tests_in "$file" "$1" | tr '\n' ' ' ;; esac
    done
}
concurrent_tests() { # concurrent_tests [REASON]
    tests_in bindings/c/tests/concurrent.c "${1:-}" | tr '\n' ' '
    tests_in bindings/c/tests/concurrent_operations.c "${1:-}" | tr '\n' ' '
}
exit_tests() { echo exit_during_a_refresh_is_safe exit_while_others_wait_is_safe exit_as_a_refresh_ends_is_safe; }
