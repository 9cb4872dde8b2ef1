#!/bin/sh
# Runs the storm test with processes in all languages:
#   sh tests/storm/run.sh [OPTIONS OF tests/storm/main.rs]
# Called by `make test` and `make storm`, which build the library first. The last line and the exit
# code are the result.
set -eu
cd "$(dirname "$0")/../.."

. tests/environment.sh
make -s -C bindings/c PREFIX="$DIST" shim
(cd bindings/go && "$GO" build -race -o "$DIST/test/go-shim" ./internal/shim)
if "$CARGO" test --quiet --locked --features "$FEATURES" --test storm -- \
    --shim "c=bindings/c/build/shim" \
    --shim "python=$PYTHON bindings/python/tests/shim.py" \
    --shim "go=$DIST/test/go-shim" \
    --shim "node=$NODE bindings/node/test/shim.mjs" \
    "$@"; then
    echo "storm: PASSED"
else
    echo "storm: FAILED: see the lines above" >&2
    exit 1
fi
