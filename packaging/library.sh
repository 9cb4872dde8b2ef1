#!/bin/sh
# Builds the C library: the static archive, and the shared library linked from that archive. Nothing else builds either of them.
#   library.sh OUTPUT     writes OUTPUT/libtokenwell.a and the shared library (LIBRARY)
# From the environment: CARGO, CC (packaging/linker.sh), LDFLAGS, TARGET (Cargo's target directory), LIBRARY (the file name, which is also the soname).
#
# The shared library is linked here and not by rustc: rustc passes the linker a version script of its own, and the linker then ignores ours without a word.
set -eu
mkdir -p "$1"
output=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
: "${CARGO:=cargo}" "${CC:=cc}" "${TARGET:=$PWD/target}" "${LIBRARY:=libtokenwell.so.0}"
built=$TARGET/release
. packaging/link.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. packaging/put.sh

. packaging/trimmed_paths.sh
# The profile is for size, with which a cached get takes a third more instructions. Level 3 takes 1 % fewer and 140 kB more than level 2.
# rustc notes on standard error where it wrote the list of libraries: that is of interest only if it fails.
"$CARGO" rustc --quiet --locked --release --no-default-features --features capi --lib --crate-type staticlib -- -C opt-level=2 \
    --print "native-static-libs=$built/libtokenwell.libs" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }

if [ "$(uname -s)" = Darwin ]; then
    put "$built/libtokenwell.a" "$output/libtokenwell.a"
    # shellcheck disable=SC2046,SC2086
    link -dynamiclib -o "$work/$LIBRARY" -Wl,-force_load,"$output/libtokenwell.a" -Wl,-install_name,"@rpath/$LIBRARY" -Wl,-dead_strip \
        -Wl,-exported_symbols_list,/dev/stdin $(cat "$built/libtokenwell.libs") ${LDFLAGS:-} <<END
$(sed -n 's/^ *\(tokenwell_[a-z_]*\);$/_\1/p' packaging/tokenwell.map)
END
    put "$work/$LIBRARY" "$output/$LIBRARY"
    exit 0
fi

# One object in which only our own symbols are global, so that a second Rust library can be linked into the same program. The personality routine is
# renamed because the unwinder tables refer to it by name; bitcode left by link-time optimization would make ar fail.
ld -r --whole-archive "$built/libtokenwell.a" -o "$work/tokenwell.o"
objcopy --strip-debug -R .llvmbc -R .llvmcmd --redefine-sym rust_eh_personality=tokenwell_eh_personality \
    --redefine-sym DW.ref.rust_eh_personality=DW.ref.tokenwell_eh_personality "$work/tokenwell.o"
objcopy --wildcard --keep-global-symbol='tokenwell_*' --keep-global-symbol=DW.ref.tokenwell_eh_personality "$work/tokenwell.o"
ar rcsD "$work/libtokenwell.a" "$work/tokenwell.o"
put "$work/libtokenwell.a" "$output/libtokenwell.a"

# nodelete: a refresh may still run on its thread when a program unloads the library.
# shellcheck disable=SC2046,SC2086
link -shared -o "$work/$LIBRARY" -Wl,--whole-archive "$output/libtokenwell.a" -Wl,--no-whole-archive \
    -Wl,--version-script=packaging/tokenwell.map -Wl,--no-undefined-version -Wl,-soname,"$LIBRARY" -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,defs \
    -Wl,--gc-sections -Wl,--as-needed $(cat "$built/libtokenwell.libs") ${LDFLAGS:-}
put "$work/$LIBRARY" "$output/$LIBRARY"
