#!/bin/sh
# The Go wrapper: thousands of goroutines that wait, the environment, exits in random moments, and the garbage collector at every call.
cd "$(dirname "$0")/../.." || exit 1
root=$(pwd)
. tests/more/need.sh
need "$GO" "it builds the programs; install Go 1.24 or newer"
need pkg-config "cgo finds the library with it"
[ "$(uname -s)" = Linux ] || { skip "threads are counted in /proc"; finish go; exit; }
need_glibc 2.33 "it counts the bytes that are allocated"

# Builds the program of tests/more/go, and a program that links two major versions of the module: the second one is a copy with another path, and with
# the names that a later major version would have.
(cd tests/more/go && "$GO" vet . && "$GO" build -o "$work/scenes" .) || exit 1
two_versions() {
    mkdir -p "$work/two/next" && cp bindings/go/*.go bindings/go/*.h "$work/two/next" && rm -f "$work"/two/next/*_test.go &&
        sed -i 's/tokenwell_go_v0_/tokenwell_go_v1_/g' "$work"/two/next/*.go &&
        printf 'module example.com/two\n\ngo 1.24\n\nrequire github.com/tokenwell/tokenwell/bindings/go v0.0.0\n\nreplace github.com/tokenwell/tokenwell/bindings/go => %s\n' \
            "$root/bindings/go" >"$work/two/go.mod" &&
        cp tests/more/go/two_versions.go.txt "$work/two/main.go" &&
        (cd "$work/two" && "$GO" build -o two . && ./two)
}
static_link() {
    (cd tests/more/go && CGO_LDFLAGS="-static $(pkg-config --static --libs tokenwell)" "$GO" build -ldflags '-linkmode external -extldflags -static' -o "$work/static" .) &&
        ! readelf -d "$work/static" | grep -q NEEDED && PYTHONPATH="$root/tests/more" "$PYTHON" "$root/tests/more/go/run.py" "$work/static" waiters exits
}
tests() { (cd bindings/go && "$GO" test -count=1 "$@" .); }
stressed() { tests -tags tokenwell_gcstress,tokenwell_dynamic -timeout 20m "$@"; }
checkmark() { GODEBUG=gccheckmark=1 GOGC=1 tests -run 'Wait|Alive|Freed|Leave|Clos|R10'; }

if [ -n "$SHORT" ]; then
    check "the garbage collector at every call, the tests of waiting" stressed -run 'Alive|Freed|CanceledWaiter|Saved|Error|Sources'
else
    check "the garbage collector at every call" stressed
    check "GOGC=1 and checkptr in all packages" env GOGC=1 sh -c 'cd bindings/go && "$GO" test -count=1 -gcflags=all=-d=checkptr .'
    check "the race detector, three times" tests -race -count=3
fi
check "the garbage collector with checkmark" checkmark
check "two major versions in one program" two_versions
check "a program that is linked statically" static_link
PYTHONPATH=tests/more "$PYTHON" tests/more/go/run.py "$work/scenes" >"$work/observed"
status=$?
cat "$work/observed"
passed=$((passed + $(grep -c '^ok ' "$work/observed")))
observed_failures=$(grep -c '^FAILED ' "$work/observed")
# A status without such a line: the observer itself failed.
[ "$status" -eq 0 ] || [ "$observed_failures" -gt 0 ] || observed_failures=1
failed=$((failed + observed_failures))
finish go
