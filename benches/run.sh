#!/bin/sh
# `make bench`: measures all figures of the README and those of the alternatives in one run.
# Fails if the command is slower than the limit in whole_process.py.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
emulator=
trap '[ -z "$emulator" ] || kill "$emulator" 2>/dev/null; rm -rf "$work"' EXIT
export HOME="${HOME:-$work}" XDG_CACHE_HOME="$work/cache" XDG_CONFIG_HOME="$work/config"
export TOKENWELL_BIN="$DIST/bin/tokenwell"

uname -srm
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | sort | uniq -c

echo "== Rust and C"
"$CARGO" bench --locked --quiet --features "$FEATURES" --bench get -- --noplot 2>&1 | grep -E 'get|time:' || true

. "$DIST/env"
"$DIST/bin/tokenwell" emulator --no-rate-limit >"$work/emulator.env" &
emulator=$!
until grep -qx '# ready' "$work/emulator.env"; do sleep 0.1; done
set -a
. "$work/emulator.env"
set +a

echo "== Python"
if ! "$DIST/bench-venv/bin/python" -c 'import google.auth, oauthlib, botocore' 2>/dev/null; then
    rm -rf "$DIST/bench-venv"
    "$PYTHON" -m venv "$DIST/bench-venv"
    "$DIST/bench-venv/bin/python" -m pip install --quiet google-auth oauthlib botocore
fi
"$DIST/bench-venv/bin/python" bindings/python/bench/gets.py

echo "== Go"
(cd bindings/go/bench && "$GO" test -tags tokenwell_dynamic -run '^$' -bench . -benchtime 200ms .)

echo "== Node"
(cd bindings/node && "$NPM" ci --no-audit --no-fund --loglevel=error >/dev/null && "$NPM" run --silent bench)

echo "== Whole process"
"$DIST/bin/tokenwell" token >/dev/null
verdict=0
"$PYTHON" benches/whole_process.py || verdict=1

echo "== Size"
cp "$DIST"/lib/libtokenwell.*0* "$work/library"
strip "$work/library" 2>/dev/null || true
wc -c <"$work/library" | awk '{ printf "shared library, stripped: %.2f MB\n", $1 / 1e6 }'
exit $verdict
