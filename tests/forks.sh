#!/bin/sh
# Forks many times, 90 % from C and 10 % from Python: `sh tests/forks.sh ROUNDS`. No child may take
# longer than a second. `make forks` builds the library first. FORK_SEED sets the random seed. The
# last line and the exit code are the result.
set -u
case ${1:-} in
    '' | ? | 0* | *[!0-9]*) echo "forks: FAILED: invalid number of rounds '${1:-}': it must be at least 10 (make forks FORKS=10000)" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.." || exit 1

. tests/environment.sh
export FORK_LATE_MS="${FORK_LATE_MS:-1000}"
verdict=0
FORK_ROUNDS=$(($1 - $1 / 10)) make -s -C bindings/c PREFIX="$DIST" forks || verdict=1
sh tests/python_venv.sh && (cd bindings/python && FORK_ROUNDS=$(($1 / 10)) "$DIST/venv/bin/python" -m pytest -q tests/test_fork_rounds.py -k a_child_forked_at_any_moment) || verdict=1
if [ "$verdict" -eq 0 ]; then
    echo "forks: PASSED: $1 forks, each child exited with an answer within $FORK_LATE_MS ms"
else
    echo "forks: FAILED: see the lines above. A late child on a busy machine is not a defect: run the test again on an idle machine." >&2
fi
exit $verdict
