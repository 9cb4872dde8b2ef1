#!/bin/sh
# The lowest versions that are promised (tests/lowest.py finds where): the crate is checked with that Rust, and the suites of Python, Go and Node run on theirs.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
promise() { sed -n "$2" "$1" | head -n 1; }
rust=$(promise Cargo.toml 's/^rust-version = "\(.*\)"/\1/p')
python=$(promise bindings/python/pyproject.toml 's/^requires-python = ">=\(.*\)"/\1/p')
go=$(promise bindings/go/go.mod 's/^go \([0-9.]*\)$/\1/p')
# A toolchain of Go is named with all three numbers.
case $go in *.*.*) ;; *) go=$go.0 ;; esac
node=$(promise bindings/node/package.json 's/.*"node": ">=\([0-9.]*\)".*/\1/p')

# What compiles for minutes is compiled beside `make test` in CI (tests/tiers/builds.sh). The short form has no tests in it: only the crate is promised.
targets=--all-targets
[ -z "$SHORT" ] || targets="--lib --bins"
# shellcheck disable=SC2086 # Two words.
with_rust() { CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/lowest" cargo "+$rust" check --quiet --locked $targets --features "$FEATURES,keyring"; }
if rustup run "$rust" rustc --version >/dev/null 2>&1 || rustup toolchain install "$rust" --profile minimal >/dev/null 2>&1; then
    check "the crate compiles with Rust $rust" with_rust
else
    skip "Rust $rust is missing; install it with \`rustup toolchain install $rust\`"
fi

# The name may be that of a version manager that has no such version: try each candidate.
interpreter=
for candidate in "python$python" "$HOME/.pyenv/versions/$python".*/bin/python3; do
    if "$candidate" -c 'import ensurepip' 2>/dev/null; then interpreter=$candidate && break; fi
done
with_python() {
    PYTHON="$interpreter" sh tests/python_venv.sh "$work/venv" && (cd bindings/python && "$work/venv/bin/python" -m pytest -q)
}
if [ -n "$interpreter" ]; then
    check "the Python suite passes with $("$interpreter" --version)" with_python
else
    skip "Python $python is missing; install python$python"
fi

# The libraries that the Python package plugs into.
with_libraries() {
    sed -n 's/^\([a-z]*\) = \["\1>=\([0-9.]*\)"\]$/\1==\2/p' bindings/python/pyproject.toml >"$work/lowest.txt"
    "$interpreter" -m venv "$work/libraries" &&
        "$work/libraries/bin/python" -m pip install --quiet 'pytest>=8,<10' -r "$work/lowest.txt" &&
        (cd bindings/python && "$work/libraries/bin/python" -m pytest -q tests/test_http_clients.py tests/test_http_details.py tests/test_pymongo.py)
}
[ -z "$interpreter" ] || check "the integrations for Python pass with the lowest versions of their libraries" with_libraries

# Not in the short form: the race detector, with which the whole standard library of that Go is compiled once more.
race=-race
[ -z "$SHORT" ] || race=
with_go() {
    # shellcheck disable=SC2086 # No word if it is empty.
    (cd bindings/go && GOTOOLCHAIN="go$go" "$GO" test $race -count=1 ./...) &&
        for module in oauth2 mongodriver; do (cd "bindings/go/$module" && GOTOOLCHAIN="go$go" "$GO" test -count=1 ./...) || return 1; done
}
if GOTOOLCHAIN="go$go" "$GO" version >/dev/null 2>&1; then
    check "the Go suite passes with Go $go" with_go
else
    skip "Go $go is missing, and the Go command cannot download it"
fi

with_node() { (cd bindings/node && "$NPM" ci --no-audit --no-fund --loglevel=error && PATH="$work/node/node_modules/node/bin:$PATH" NODE=node npm test); }
if "$NPM" install --silent --prefix "$work/node" "node@${node}.0" >/dev/null 2>&1 && "$work/node/node_modules/node/bin/node" --version >/dev/null 2>&1; then
    check "the Node suite passes with Node.js $("$work/node/node_modules/node/bin/node" --version)" with_node
else
    skip "Node.js $node is missing, and npm cannot install it"
fi
finish lowest_versions
