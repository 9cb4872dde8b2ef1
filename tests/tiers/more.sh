#!/bin/sh
# What needs tools beyond those of `make test`, or more time: long rounds, other versions, checks of scripts and of the header's documentation.
# Called by `make test-more`. Each suite says which tool it lacks and is then counted as skipped.
#
#   more.sh [SUITE...]   only these suites, by the names of the files in tests/more
#   SHORT=1              a short form of each suite, for CI
#   BESIDE=1             two suites at the same time: those that measure time one after another, and beside them the others
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/environment.sh
. tests/tiers/suite.sh
export XDG_CACHE_HOME="$logs/cache" XDG_CONFIG_HOME="$logs/config"
export SHORT="${SHORT:-}"

# They compile, compare files and run single programs, with no limit on time that a busy machine could exceed. Cargo lets only one process use the target
# directory, so the suites that compile with it are not among them.
no_time="atlas_sdk c_packages doxygen emulator_load go_packages killed_creates lowest_versions node_packages older_version python_packages shellcheck"

# shellcheck disable=SC2046 # The names are words.
[ $# -gt 0 ] || set -- $(cd tests/more && for script in *.sh; do basename "$script" .sh; done | grep -vx need)
here='' beside=''
for name in "$@"; do
    case "${BESIDE:+ $no_time }" in *" $name "*) beside="$beside $name" ;; *) here="$here $name" ;; esac
done
if [ -n "$beside" ]; then
    # Those that measure time come first. The command must be split into words.
    # shellcheck disable=SC2086
    BESIDE='' nice -n 3 sh tests/tiers/more.sh $beside >"$logs/beside" 2>&1 &
    others=$!
fi
for name in $here; do
    if [ -f "tests/more/$name.sh" ]; then
        suite "$name" count_plain sh "tests/more/$name.sh"
    else
        echo "there is no suite $name in tests/more" >&2
        failed=$((failed + 1))
    fi
done
if [ -n "$beside" ]; then
    wait "$others" || failed=$((failed + 1))
    cat "$logs/beside"
    grep '^FAILED in ' "$logs/beside" >>"$logs/failed"
fi

close test-more
