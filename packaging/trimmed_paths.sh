# Sourced, not run. Removes the paths of the build machine from the output of rustc.
#
# Requires CARGO. Sets CARGO_ENCODED_RUSTFLAGS, and keeps the flags of the caller in RUSTFLAGS or
# CARGO_ENCODED_RUSTFLAGS. Cargo then ignores `rustflags` in its configuration files. The flags are
# separated by the unit separator, as Cargo defines it, because paths may contain spaces.

separator=$(printf '\037')
flags=${CARGO_ENCODED_RUSTFLAGS-$(printf '%s' "${RUSTFLAGS:-}" | tr -s ' ' '\037' | sed "s/^$separator//; s/$separator\$//")}
host=$(rustc -vV | sed -n 's/^host: //p')
# Every directory into which Cargo unpacks packages: `DIRECTORY/NAME-VERSION/Cargo.toml`.
sources=$("$CARGO" metadata --quiet --locked --format-version 1 --filter-platform "$host" --features capi |
    grep -o '"manifest_path":"[^"]*"' | sed 's|^"manifest_path":"||; s|/[^/]*/Cargo.toml"$||' | grep '/registry/src/' | sort -u)
remap() { flags="${flags:+$flags$separator}--remap-path-prefix=$1=$2"; }
remap "$PWD" tokenwell
while IFS= read -r source; do
    if [ -n "$source" ]; then remap "$source" crates; fi
done <<END
$sources
END
export CARGO_ENCODED_RUSTFLAGS="$flags"
