#!/bin/sh
# Every suite of every language, one after another; then how many tests ran in each. Called by `make test`.
set -u
cd "$(dirname "$0")/.."
root=$(pwd)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=0
total=0
: >"$logs/summary"

. tests/environment.sh
export XDG_CACHE_HOME="$logs/cache" XDG_CONFIG_HOME="$logs/config"

# suite NAME HOW_TO_COUNT COMMAND...: runs it, shows its output only if it fails, and counts its tests.
suite() {
    name=$1 count=$2
    shift 2
    printf '%s ... ' "$name"
    start=$(date +%s)
    if "$@" >"$logs/output" 2>&1; then verdict=ok; else verdict=FAILED; fi
    passed=$($count <"$logs/output")
    if [ "$verdict" = ok ] && [ "${passed:-0}" -eq 0 ]; then
        verdict=FAILED
        echo "$name: no test ran" >>"$logs/output"
    fi
    echo "$verdict, ${passed:-0} passed, $(($(date +%s) - start)) s"
    if [ "$verdict" = FAILED ]; then
        failed=$((failed + 1))
        tail -n 200 "$logs/output"
    fi
    total=$((total + ${passed:-0}))
    printf '%-22s %6s  %s\n' "$name" "${passed:-0}" "$verdict" >>"$logs/summary"
}

sum() { awk '{ n += $1 } END { print n + 0 }'; }
count_cargo() { sed -n 's/^test result: .* \([0-9]*\) passed;.*/\1/p' | sum; }
count_plain() { sed -n 's/^[A-Za-z]*:\{0,1\} *\([0-9][0-9]*\) passed, [0-9]* failed.*/\1/p' | sum; }
count_pytest() { sed -n 's/^\([0-9][0-9]*\) passed.*/\1/p' | tail -n 1; }
count_go() { grep -c '^ *--- PASS'; }
count_node() { sed -n 's/^[^a-z]*pass \([0-9][0-9]*\)$/\1/p' | sum; }

python_tests() {
    sh tests/python_venv.sh && (cd bindings/python && "$DIST/venv/bin/python" -m mypy && "$DIST/venv/bin/python" -m pytest -q)
}
go_tests() {
    # The benchmarks and the examples are modules of their own, which no other suite compiles.
    for module in bindings/go bindings/go/bench examples/go/demo examples/go/hello; do
        (cd "$module" && "$GO" vet ./...) || return 1
    done
    (cd bindings/go && "$GO" test -race -count=1 -v ./...)
}
node_packages() { (cd bindings/node && "$NPM" ci --no-audit --no-fund --loglevel=error); }
node_tests() { (cd bindings/node && "$NPM" run --silent types && "$NPM" test); }
shims() {
    make -s -C bindings/c PREFIX="$DIST" shim &&
        (cd bindings/go && "$GO" build -race -o "$DIST/test/go-shim" ./internal/shim)
}
vectors() { "$CARGO" test --quiet --locked --features capi --test vectors -- "$@"; }

if [ -n "$(command -v "$CARGO")" ]; then
    suite "Rust" count_cargo "$CARGO" test --locked --features capi
    suite "Rust, lean library" count_cargo "$CARGO" test --locked --no-default-features --lib
    suite "Rust, keyring" count_cargo "$CARGO" test --locked --features keyring --test profiles
    suite "Single flight, model" count_cargo "$CARGO" test --locked --release --manifest-path tests/single_flight_model/Cargo.toml
    suite "Lowest versions" count_plain "$PYTHON" tests/lowest.py
fi
suite "C" count_plain make -s -C bindings/c PREFIX="$DIST" test
suite "Python" count_pytest python_tests
suite "Go" count_go go_tests
if ! node_packages; then failed=$((failed + 1)); fi
suite "Node" count_node node_tests
if ! shims; then failed=$((failed + 1)); fi
suite "Vectors in Rust" count_plain vectors
suite "Vectors in C" count_plain vectors --shim "c=$root/bindings/c/build/shim"
suite "Vectors in Python" count_plain vectors --shim "python=$PYTHON $root/bindings/python/tests/shim.py"
suite "Vectors in Go" count_plain vectors --shim "go=$DIST/test/go-shim"
suite "Vectors in Node" count_plain vectors --shim "node=$NODE $root/bindings/node/test/shim.mjs"
suite "Canary" count_plain "$PYTHON" tests/canary/run.py \
    --shim "rust=$CARGO test --quiet --locked --features capi --test vectors -- --serve-shim" \
    --shim "c=$root/bindings/c/build/shim" --shim "python=$PYTHON $root/bindings/python/tests/shim.py" \
    --shim "go=$DIST/test/go-shim" --shim "node=$NODE $root/bindings/node/test/shim.mjs"
suite "Storm" count_plain sh tests/storm/run.sh --rounds 3
suite "README" count_plain sh tests/readme.sh
suite "Recipes" count_plain "$PYTHON" tests/recipes/run.py

echo
echo "suite                  passed"
cat "$logs/summary"
echo "$total passed, $failed failed"
[ "$failed" -eq 0 ]
