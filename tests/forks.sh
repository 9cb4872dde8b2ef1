#!/bin/sh
# Many rounds of forks, nine in ten from C and the others from Python, none of which may take longer than a second: `sh tests/forks.sh ROUNDS`.
# `make forks` builds the library first. FORK_SEED chooses other rounds.
set -u
cd "$(dirname "$0")/.."

. tests/environment.sh
export FORK_LATE_MS=1000
verdict=0
FORK_ROUNDS=$(($1 - $1 / 10)) make -s -C bindings/c PREFIX="$DIST" forks || verdict=1
sh tests/python_venv.sh && (cd bindings/python && FORK_ROUNDS=$(($1 / 10)) "$DIST/venv/bin/python" -m pytest -q tests/test_fork_rounds.py -k whenever_a_process_forks) || verdict=1
exit $verdict
