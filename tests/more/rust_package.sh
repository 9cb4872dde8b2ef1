#!/bin/sh
# The crate as a package: what is in it, and that it can be installed, used and documented without the rest of the repository.
cd "$(dirname "$0")/../.." || exit 1
root=$(pwd)
here=$root/tests/more/rust_package
. tests/more/need.sh
need "$CARGO" "it packages the crate; install Rust 1.89 or newer"
need "$TOKENWELL_BIN" "the installed command and a program get tokens from its emulator; run \`make library\`"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
unpacked=$work/unpacked/tokenwell-$version
# Crates that were compiled by other suites are not compiled again.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}" CARGO_INCREMENTAL=0

emulators=
# shellcheck disable=SC2086 # Several process ids.
trap 'kill $emulators; rm -rf "$work"' EXIT
emulator() { # emulator COMMAND: starts the emulator of this command, for with_account
    rm -f "$work/emulator.env"
    "$1" emulator --no-rate-limit >"$work/emulator.env" &
    emulators="$emulators $!"
    until [ -f "$work/emulator.env" ] && grep -qx '# ready' "$work/emulator.env"; do
        kill -0 "$!" 2>/dev/null || { echo "the emulator of $1 did not start" && return 1; }
        sleep 0.1
    done
}
emulator "$TOKENWELL_BIN" || exit 1

# `cargo package` compiles what it has packaged, from the package alone, with the default features.
package() {
    "$CARGO" package --locked --allow-dirty || return 1
    mkdir -p "$work/unpacked" && tar -xzf "$CARGO_TARGET_DIR/package/tokenwell-$version.crate" -C "$work/unpacked" || return 1
    (cd "$unpacked" && find . -type f | sort) >"$work/files"
    for file in ./src/lib.rs ./src/bin/tokenwell/main.rs ./include/tokenwell.h ./examples/rust/reqwest_api.rs ./README.md ./CHANGELOG.md ./LICENSE-MIT \
        ./LICENSE-APACHE ./Cargo.lock; do
        grep -qxF "$file" "$work/files" || { echo "$file is not in the package"; return 1; }
    done
    ! grep -E '^\./(bindings|docs|packaging|dist|tests/(more|vectors|storm))/' "$work/files" || { echo "that is not needed in the package"; return 1; }
}

# In the environment of a user: without the variables of the tests and outside of the repository.
as_user() { env -u TOKENWELL_LIBRARY -u LD_LIBRARY_PATH -u FEATURES TOKENWELL_CACHE=off HOME="$work" "$@"; }
# shellcheck disable=SC1091 # The emulator writes the file.
with_account() { (set -a && . "$work/emulator.env" && set +a && as_user "$@"); }

install() { # install FEATURES: `cargo install` from the package, without optimization, and a token with the installed command
    (cd "$work" && "$CARGO" install --quiet --debug --locked --path "$unpacked" --features "$1" --root "$work/$1") &&
        with_account "$work/$1/bin/tokenwell" token | grep -q . && with_account "$work/$1/bin/tokenwell" --version | grep -F "$version"
}

install_with_emulator() {
    install cli,emulator && emulator "$work/cli,emulator/bin/tokenwell" && with_account "$work/cli,emulator/bin/tokenwell" token | grep -q .
}

# A program with the versions of the package's Cargo.lock, and with its profile: otherwise every crate would be compiled again.
program() {
    mkdir -p "$work/program" && cp -R "$here/program/src" "$work/program/" && cp "$unpacked/Cargo.lock" "$work/program/" || return 1
    cat >"$work/program/Cargo.toml" <<END
[package]
name = "program"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
tokenwell = { path = "$unpacked" }

[profile.dev]
debug = "line-tables-only"
END
    (cd "$work/program" && "$CARGO" build --quiet) && with_account "$CARGO_TARGET_DIR/debug/program" | grep -q '^Bearer ' || return 1
    (cd "$work/program" && "$CARGO" tree --edges normal --prefix none --format '{p}') >"$work/tree"
    ! grep -E '^(clap|axum|toml_edit|signal-hook|rcgen|zbus) ' "$work/tree" || { echo "a program that uses the library does not need these crates"; return 1; }
}

# rustdoc as docs.rs runs it: the attributes that name features are unstable, so the variable makes this rustdoc accept them.
# shellcheck disable=SC2016 # For the script that is written.
printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec "%s" "$@"\n' "$(rustup which rustdoc 2>/dev/null || command -v rustdoc)" >"$work/rustdoc"
chmod +x "$work/rustdoc"
docs_features=$(sed -n '/^\[package.metadata.docs.rs\]/,/^$/s/^features = \[\(.*\)\]/\1/p' Cargo.toml | tr -d '" ')
documentation() {
    (cd "$unpacked" && RUSTDOC="$work/rustdoc" RUSTDOCFLAGS="--cfg docsrs -D warnings" "$CARGO" doc --quiet --locked --no-deps --lib --features "$docs_features") &&
        grep -q 'Available on.*crate feature.*tower' "$CARGO_TARGET_DIR/doc/tokenwell/tower/index.html"
}

# The public items, from the JSON of rustdoc, and the same with an item removed. WRITE_PUBLIC_API=1 writes the listing instead.
comparison() { # comparison DIRECTORY
    (cd "$1" && RUSTDOC="$work/rustdoc" "$CARGO" rustdoc --quiet --locked --lib --features "$docs_features" -- -Zunstable-options --output-format json) &&
        "$CARGO_TARGET_DIR/debug/public_api" "$CARGO_TARGET_DIR/doc/tokenwell.json" "$here/public_api.txt" ${WRITE_PUBLIC_API:+--write}
}
planted_break() {
    cp -R "$unpacked" "$work/broken" &&
        sed -i 's/pub fn advance_clock(&self, duration: Duration)/pub fn advance_clock(\&self, duration: Duration, _more: u8)/' "$work/broken/src/client.rs" || return 1
    if (WRITE_PUBLIC_API='' && comparison "$work/broken") >"$work/difference"; then echo "the break was not found"; return 1; fi
    grep 'removed or changed.*tokenwell::Client::advance_clock' "$work/difference"
}

check "cargo package" package
[ -d "$unpacked" ] || { finish rust_package; exit; }
check "a program with the default features" program
check "cargo install --features cli" install cli
[ -n "$SHORT" ] || check "cargo install --features cli,emulator" install_with_emulator
check "the documentation, as docs.rs builds it" documentation
"$CARGO" build --quiet --locked --manifest-path "$here/public_api/Cargo.toml" || exit 1
(comparison "$unpacked") >/dev/null 2>&1
if [ $? -eq 3 ]; then
    skip "the JSON of $(rustdoc --version) has another format than that of Rust 1.95, which tests/more/rust_package/public_api reads"
else
    check "the public items are those of tests/more/rust_package/public_api.txt" comparison "$unpacked"
    [ "$failed" -gt 0 ] || sed -n 's/^\([0-9]* public items\).*/\1/p' "$work/output"
    check "a removed item is found" planted_break
fi
finish rust_package
