#!/bin/sh
# Processes of an older version and of this one share a cache directory: one token request for all, and refusals hold for both.
# The older version is the commit in OLDER, by default the last one before records kept members that they do not know.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
older=${OLDER:-fb7ef9b}
need git "it has the source of the older version; install git"
if ! commit=$(git rev-parse --quiet --verify "$older^{commit}"); then
    skip "this checkout lacks the commit $older: it was made without the history"
    finish older_version
    exit
fi
target=${CARGO_TARGET_DIR:-$PWD/target}/older
tree=$target/$commit
mkdir -p "$tree"
git archive "$commit" | tar -x -C "$tree" || exit 1
# Behavior is compared, not speed: without link-time optimization the build takes half the time.
(cd "$tree" && CARGO_TARGET_DIR="$target/build" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    "$CARGO" rustc --quiet --locked --release --no-default-features --features capi --lib --crate-type cdylib) || exit 1
built
"$PYTHON" tests/more/older_version.py "$target/build/release/libtokenwell.so" "$tree/bindings/python"
