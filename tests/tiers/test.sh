#!/bin/sh
# Every suite of every language, one after another; then how many tests ran in each and for how long. Called by `make test`.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$(pwd)
. tests/environment.sh
. tests/tiers/suite.sh
export XDG_CACHE_HOME="$logs/cache" XDG_CONFIG_HOME="$logs/config"

python_tests() {
    sh tests/python_venv.sh || return 1
    # The package, the build backend and the pytest plug-in; then the tests.
    (cd bindings/python && "$DIST/venv/bin/python" -m mypy && "$DIST/venv/bin/python" -m mypy backend/tokenwell_build &&
        MYPYPATH=. "$DIST/venv/bin/python" -m mypy --follow-imports=silent pytest-plugin/pytest_tokenwell && "$DIST/venv/bin/python" -m pytest -q)
}
go_tests() {
    # The integrations, the benchmarks and the examples are modules of their own.
    for module in bindings/go bindings/go/bench bindings/go/oauth2 bindings/go/mongodriver examples/go/* packaging/go_modules; do
        (cd "$module" && "$GO" vet ./...) || return 1
    done
    for module in bindings/go bindings/go/oauth2; do
        (cd "$module" && "$GO" test -race -count=1 -v ./...) || return 1
    done
    # Without the race detector: the driver would be compiled twice.
    (cd bindings/go/mongodriver && "$GO" test -count=1 -v ./...)
}
node_packages() { (cd bindings/node && "$NPM" ci --no-audit --no-fund --loglevel=error); }
node_tests() { (cd bindings/node && "$NPM" run --silent types && "$NPM" test); }
shims() {
    make -s -C bindings/c PREFIX="$DIST" shim &&
        (cd bindings/go && "$GO" build -o "$DIST/test/go-shim" ./internal/shim)
}
vectors() { "$CARGO" test --quiet --locked --features "$FEATURES" --test vectors -- "$@"; }

suite "Rust" count_cargo "$CARGO" test --locked --features "$FEATURES"
suite "Rust, lean library" count_cargo "$CARGO" test --locked --lib
suite "Rust, keyring" count_cargo "$CARGO" test --locked --features "$FEATURES,keyring" --test profiles
suite "Single flight, model" count_cargo "$CARGO" test --locked --release --manifest-path tests/single_flight_model/Cargo.toml
suite "Lowest versions" count_plain "$PYTHON" tests/lowest.py
suite "Licenses" count_plain "$PYTHON" tests/licenses.py
suite "Generated files" count_plain "$PYTHON" tests/generated.py
suite "Test tiers" count_plain "$PYTHON" tests/tiers/self_test.py
suite "C" count_plain make -s -C bindings/c PREFIX="$DIST" test
suite "Python" count_pytest python_tests
suite "Go" count_go go_tests
step node_packages
suite "Node" count_node node_tests
step shims
suite "Vectors in Rust" count_plain vectors
suite "Vectors in C" count_plain vectors --shim "c=$root/bindings/c/build/shim"
suite "Vectors in Python" count_plain vectors --shim "python=$PYTHON $root/bindings/python/tests/shim.py"
suite "Vectors in Go" count_plain vectors --shim "go=$DIST/test/go-shim"
suite "Vectors in Node" count_plain vectors --shim "node=$NODE $root/bindings/node/test/shim.mjs"
suite "Canary" count_plain "$PYTHON" tests/canary/run.py \
    --shim "rust=$CARGO test --quiet --locked --features $FEATURES --test vectors -- --serve-shim" \
    --shim "c=$root/bindings/c/build/shim" --shim "python=$PYTHON $root/bindings/python/tests/shim.py" \
    --shim "go=$DIST/test/go-shim" --shim "node=$NODE $root/bindings/node/test/shim.mjs"
suite "Storm" count_plain sh tests/storm/run.sh --rounds 3
suite "README" count_plain sh tests/readme.sh
suite "Recipes" count_plain "$PYTHON" tests/recipes/run.py
suite "Tasks" count_plain "$PYTHON" tests/tasks/run.py

close test
