#!/bin/sh
# What needs tools beyond those of `make test`, or more time: long rounds, other versions, checks of scripts and of the header's documentation.
# Called by `make test-more`. Each suite says which tool it lacks and is then counted as skipped.
#
#   more.sh [SUITE...]   only these suites, by the names of the files in tests/more
#   SHORT=1              a short form of each suite, for CI
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/environment.sh
. tests/tiers/suite.sh
export XDG_CACHE_HOME="$logs/cache" XDG_CONFIG_HOME="$logs/config"
export SHORT="${SHORT:-}"

for script in tests/more/*.sh; do
    name=$(basename "$script" .sh)
    [ "$name" = need ] && continue
    case " ${*:-$name} " in *" $name "*) suite "$name" count_plain sh "$script" ;; esac
done
for wanted in "$@"; do
    if [ ! -f "tests/more/$wanted.sh" ]; then
        echo "there is no suite $wanted in tests/more" >&2
        failed=$((failed + 1))
    fi
done

close test-more
