#!/bin/sh
# Incident I11: another process swaps a file of the cache for a link while it is in use, many times.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
if [ -n "${SHORT:-}" ]; then rounds=10000; else rounds=${RACES:-100000}; fi
check "$rounds rounds of each race" env RACE_ROUNDS="$rounds" "$CARGO" test --quiet --locked --features "$FEATURES" --test file_store -- i11_
finish races
