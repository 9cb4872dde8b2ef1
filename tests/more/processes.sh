#!/bin/sh
# Processes that wait for each other in real time: slow servers, short deadlines, a holder of the lock that is killed or stopped, and what waiting costs.
# The figures of each scene are in the output.
cd "$(dirname "$0")/../.." || exit 1
if [ -n "${SHORT:-}" ]; then rounds=3; else rounds=${ROUNDS:-50}; fi
# The released command: 192 processes of the tests' own, which is not optimized, would need most of the seconds that they have.
TOKENWELL_COMMAND="$TOKENWELL_BIN" exec "$CARGO" test --quiet --locked --features "$FEATURES" --test processes -- --rounds "$rounds" --together 3
