#!/bin/sh
# Many rounds of forks, nine in ten from C and the others from Python, none of which may take longer than a second: `sh tests/forks.sh ROUNDS`.
# `make forks` builds the library first. FORK_SEED chooses other rounds. The last line and the exit code are the verdict.
set -u
case ${1:-} in
    '' | ? | 0* | *[!0-9]*) echo "forks: FAILED: ${1:-nothing} is no number of rounds: write one from 10 on (make forks FORKS=10000)" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."

. tests/environment.sh
export FORK_LATE_MS=1000
verdict=0
FORK_ROUNDS=$(($1 - $1 / 10)) make -s -C bindings/c PREFIX="$DIST" forks || verdict=1
sh tests/python_venv.sh && (cd bindings/python && FORK_ROUNDS=$(($1 / 10)) "$DIST/venv/bin/python" -m pytest -q tests/test_fork_rounds.py -k whenever_a_process_forks) || verdict=1
if [ "$verdict" -eq 0 ]; then
    echo "forks: PASSED: $1 forks, each child ended with an answer within $FORK_LATE_MS ms"
else
    echo "forks: FAILED: see the lines above. A child that is only late, on a machine with other things to do, says nothing: run it again alone." >&2
fi
exit $verdict
