#!/bin/sh
# Every allocation of a program that gets a token fails once. `make test` fails a spread of them.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
if [ -n "${SHORT:-}" ]; then rounds=1000; else rounds=0; fi
make -s -C bindings/c PREFIX="$DIST" all || exit 1
names=$(sed -n 's/^ *NATIVE_TEST(\(a_failed_allocation_[a-z_]*\), .*/\1/p' bindings/c/tests/allocations.c)
for name in $names; do
    check "$name, ALLOCATION_ROUNDS=$rounds" env ALLOCATION_ROUNDS="$rounds" ONLY="$name" sh bindings/c/tests/run.sh "$DIST" bindings/c/build
done
finish allocations
