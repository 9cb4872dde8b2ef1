#!/bin/sh
# Forks at every moment of a refresh, many times. In the short form a child that is only late does not count: CI does other things at the same time.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
if [ -n "${SHORT:-}" ]; then forks=1000 late=10000; else forks=${FORKS:-10000} late=1000; fi
check "$forks forks, every child returns an answer within $late ms" env FORK_LATE_MS="$late" sh tests/forks.sh "$forks"
finish forks
