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

# The short form leaves out the tests of the crate, which users do not compile, and the race detector, for which the whole standard library of that Go is
# compiled once more.
targets=--all-targets race=-race
if [ -n "$SHORT" ]; then targets="--lib --bins" race=; fi
# shellcheck disable=SC2086 # Two words.
with_rust() { CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/lowest" cargo "+$rust" check --quiet --locked $targets --features "$FEATURES,keyring"; }
found_rust=
if rustup run "$rust" rustc --version >/dev/null 2>&1 || rustup toolchain install "$rust" --profile minimal >/dev/null 2>&1; then found_rust=1; fi

with_go() { # with_go ARGUMENTS: go test in each module
    # shellcheck disable=SC2086 # No word if it is empty.
    (cd bindings/go && GOTOOLCHAIN="go$go" "$GO" test $race "$@" ./...) &&
        for module in oauth2 mongodriver; do (cd "bindings/go/$module" && GOTOOLCHAIN="go$go" "$GO" test "$@" ./...) || return 1; done
}
found_go=
if GOTOOLCHAIN="go$go" "$GO" version >/dev/null 2>&1; then found_go=1; fi

# These two compile for minutes.
if [ -n "${BUILD_ONLY:-}" ]; then
    [ -z "$found_rust" ] || with_rust || exit 1
    [ -z "$found_go" ] || with_go -run '^$' || exit 1
fi
built

if [ -n "$found_rust" ]; then
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

if [ -n "$found_go" ]; then
    check "the Go suite passes with Go $go" with_go -count=1
else
    skip "Go $go is missing, and the Go command cannot download it"
fi

# Other suites may be using the packages that `make test` has installed.
node_packages() { [ -d node_modules ] || "$NPM" ci --no-audit --no-fund --loglevel=error; }
with_node() { (cd bindings/node && node_packages && PATH="$work/node/node_modules/node/bin:$PATH" NODE=node npm test); }
if "$NPM" install --silent --prefix "$work/node" "node@${node}.0" >/dev/null 2>&1 && "$work/node/node_modules/node/bin/node" --version >/dev/null 2>&1; then
    check "the Node suite passes with Node.js $("$work/node/node_modules/node/bin/node" --version)" with_node
else
    skip "Node.js $node is missing, and npm cannot install it"
fi
finish lowest_versions
