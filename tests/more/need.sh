# Sourced, not run, by the suites of `make test-more`: what they have in common.
#
#   need TOOL REASON            ends the suite as skipped, with a line that names the tool and why it is needed, if the tool is missing
#   need_glibc VERSION REASON   the same if the C library is another one, or older
#   built                       ends a suite that was called only to build (tests/tiers/builds.sh)
#   check NAME COMMAND          one test; its output is shown if it fails
#   finish SUITE                the closing line; its status is 0 if nothing failed
#
# A missing tool is never a pass: the closing line counts it as skipped.

passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
suite_name=$(basename "$0" .sh)

need() {
    command -v "$1" >/dev/null 2>&1 && return
    skip "$1 is missing: $2"
    finish "$suite_name"
    exit
}

need_glibc() {
    getconf GNU_LIBC_VERSION 2>/dev/null | awk -v wanted="$1" '{ split($2, found, "."); split(wanted, least, ".") }
        END { exit !(found[1] > least[1] || (found[1] == least[1] && found[2] >= least[2])) }' && return
    skip "glibc $1 is missing: $2"
    finish "$suite_name"
    exit
}

skip() {
    echo "skipped $suite_name: $1"
    skipped=$((skipped + 1))
}

built() { [ -z "${BUILD_ONLY:-}" ] || exit 0; }

check() {
    name=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "FAILED $name"
        tail -n 200 "$work/output" | sed 's/^/  /'
    fi
}

finish() {
    echo "$1: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
