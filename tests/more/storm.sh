#!/bin/sh
# The storm of `make test` for more rounds: 64 concurrent processes of all languages.
cd "$(dirname "$0")/../.." || exit 1
if [ -n "${SHORT:-}" ]; then rounds=4; else rounds=${ROUNDS:-100}; fi
exec sh tests/storm/run.sh --rounds "$rounds"
