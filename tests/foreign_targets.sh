#!/bin/sh
# The crate compiles for the targets on which it is not tested, without a warning of rustc or clippy. Called by `make lint`.
# Nothing is linked, so no C compiler for a target is needed: `true` replaces the one that would compile the C files of ring.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CARGO:=cargo}" "${FEATURES:=cli,emulator,capi,reqwest,tower}"
passed=0 failed=0 skipped=0
for target in x86_64-pc-windows-gnu aarch64-unknown-linux-musl aarch64-apple-darwin; do
    if ! rustc --print target-libdir --target "$target" 2>/dev/null | xargs test -d && ! rustup target add "$target" >/dev/null 2>&1; then
        echo "skipped $target: its standard library is missing; install it with \`rustup target add $target\`"
        skipped=$((skipped + 1))
        continue
    fi
    name=$(echo "$target" | tr - _)
    if env "CC_$name=true" "AR_$name=true" \
        "$CARGO" clippy --quiet --locked --lib --bins --features "$FEATURES,keyring" --target "$target" -- -D warnings &&
        env "CC_$name=true" "AR_$name=true" "$CARGO" clippy --quiet --locked --lib --target "$target" -- -D warnings; then
        echo "ok $target"
        passed=$((passed + 1))
    else
        echo "FAILED $target"
        failed=$((failed + 1))
    fi
done
echo "targets: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
