#!/bin/sh
# Builds what suites of `make test-more` compile for themselves, while other tests run: it gets only the time that no other process uses, so that it does
# not disturb tests that measure time. The suites find everything built. If a build fails, its suite repeats it and reports why.
#   builds.sh [SUITE...]
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${DIST:=$PWD/dist}" "${CARGO:=cargo}" "${GO:=go}" "${NPM:=npm}" "${PYTHON:=python3}" "${CC:=cc}"
export DIST CARGO GO NPM PYTHON CC SHORT="${SHORT-1}" BUILD_ONLY=1
. tests/environment.sh

# Linux may share the processor between sessions first, whatever the priority of their processes (sched_autogroup). A session of its own gets the smallest share.
if read -r _ _ _ _ _ session _ 2>/dev/null </proc/$$/stat && [ "$session" = $$ ]; then
    echo 19 2>/dev/null >/proc/self/autogroup || true
fi
idle="nice -n 19"
if chrt --idle 0 true 2>/dev/null; then idle="chrt --idle 0"; fi
[ $# -gt 0 ] || set -- asan tsan older_version atlas_sdk lowest_versions go_packages
for name in "$@"; do
    start=$(date +%s)
    # The command must be split into words.
    # shellcheck disable=SC2086
    if $idle sh "tests/more/$name.sh"; then verdict=built; else verdict="not built, see its suite"; fi
    echo "$name: $verdict, $(($(date +%s) - start)) s"
done
