#!/bin/sh
# Builds the released command into Cargo's target directory.
#   command.sh FEATURES
# From the environment: CARGO, CC, LINK_CC, ZIG (packaging/linker.sh).
set -eu
features=$1
cd "$(dirname "$0")/.."
: "${CARGO:=cargo}"
. packaging/trimmed_paths.sh
linker=$(sh packaging/linker.sh)
# Without a linker of our own, it is the one of Cargo's configuration.
if [ "$linker" = "${CC:-cc}" ]; then set --; else set -- -C "linker=$linker"; fi
exec "$CARGO" rustc --quiet --locked --release --no-default-features --features "$features" --bin tokenwell -- "$@"
