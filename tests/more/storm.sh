#!/bin/sh
# The storm of `make test` for more rounds: 64 concurrent processes of all languages.
cd "$(dirname "$0")/../.." || exit 1
# The short form only shows that the suite works: `make test` has run three rounds.
if [ -n "${SHORT:-}" ]; then rounds=1; else rounds=${ROUNDS:-100}; fi
exec sh tests/storm/run.sh --rounds "$rounds"
