# Sourced, not run: makes rustc leave out of its output where this machine keeps sources. Needs CARGO; sets CARGO_ENCODED_RUSTFLAGS, to which flags of
# the caller (RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS) are carried over. The separator is the unit separator, as Cargo defines it: paths may have spaces.

separator=$(printf '\037')
flags=${CARGO_ENCODED_RUSTFLAGS-$(printf '%s' "${RUSTFLAGS:-}" | tr ' ' '\037')}
host=$(rustc -vV | sed -n 's/^host: //p')
# Each directory into which Cargo unpacks packages, as `…/NAME-VERSION/Cargo.toml` names them.
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
