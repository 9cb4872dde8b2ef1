#!/bin/sh
# Installs what `make library` built. The packages for C are made from the same tree.
#   install.sh DIST DESTDIR PREFIX LIBDIR               copies the files to DESTDIR/PREFIX
#   install.sh --uninstall DESTDIR PREFIX LIBDIR        removes them
# LIBDIR is relative to PREFIX: lib, or lib/x86_64-linux-gnu for example. The tree may be moved afterwards.
# From the environment: LIBRARY and LINK_NAME (the file name of the shared library, and of the link to it), STRIP, and COMMAND, a tokenwell command that runs on this machine (default: the one in DIST). It prints the manual pages.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../packaging/put.sh"

uninstall() {
    rm -f "$destination/bin/tokenwell" "$destination/include/tokenwell.h" "$destination/include/tokenwell.hpp" "$destination/include/tokenwell_emulator.h" \
        "$destination/$libdir"/libtokenwell.* "$destination/$libdir/pkgconfig/tokenwell.pc" \
        "$destination/share/man/man1/tokenwell.1" "$destination"/share/man/man1/tokenwell-*.1 \
        "$destination/share/bash-completion/completions/tokenwell" "$destination/share/zsh/site-functions/_tokenwell" \
        "$destination/share/fish/vendor_completions.d/tokenwell.fish"
    rm -rf "$destination/$libdir/cmake/tokenwell" "$destination/share/doc/tokenwell"
    echo "removed from $destination"
}

case $4 in
    /* | *..*) echo "install.sh: LIBDIR must be relative to PREFIX, lib/x86_64-linux-gnu for example, and is $4" >&2 && exit 1 ;;
esac
if [ "$1" = --uninstall ]; then
    destination=$2$3 libdir=$4
    uninstall
    exit
fi
if ! [ -f "$1/lib/pkgconfig/tokenwell.pc" ]; then
    echo "install.sh: $1/lib/pkgconfig/tokenwell.pc is missing: run \`make library\`" >&2
    exit 1
fi
dist=$(cd "$1" && pwd)
destination=$2$3 libdir=$4
: "${STRIP:=strip}" "${COMMAND:=$dist/bin/tokenwell}" "${LIBRARY:=libtokenwell.so.0}" "${LINK_NAME:=libtokenwell.so}"
export LIBRARY
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program() { # program FROM TO: without the symbols that only a debugger uses
    if [ "$(uname -s)" = Darwin ]; then cp "$1" "$work/stripped"; else "$STRIP" --strip-unneeded --remove-section=.comment -o "$work/stripped" "$1"; fi
    chmod 755 "$work/stripped"
    put "$work/stripped" "$2"
}
data() { # data FROM TO
    install -m 644 "$1" "$work/data"
    put "$work/data" "$2"
}
printed() { # printed TO COMMAND...: the output of the command as a file
    file=$1
    shift
    "$@" >"$work/printed"
    data "$work/printed" "$file"
}

in_pc() { sed -n "s/^$1: //p" "$dist/lib/pkgconfig/tokenwell.pc"; }

program "$dist/lib/$LIBRARY" "$destination/$libdir/$LIBRARY"
ln -sf "$LIBRARY" "$destination/$libdir/$LINK_NAME"
data "$dist/lib/libtokenwell.a" "$destination/$libdir/libtokenwell.a"
data "$dist/include/tokenwell.h" "$destination/include/tokenwell.h"
data "$dist/include/tokenwell.hpp" "$destination/include/tokenwell.hpp"
data "$dist/include/tokenwell_emulator.h" "$destination/include/tokenwell_emulator.h"
sh "$here/../../packaging/find_files.sh" "$(cd "$destination" && pwd)" "$libdir" "$(in_pc Version)" "$(in_pc Libs.private)"

program "$dist/bin/tokenwell" "$destination/bin/tokenwell"
manual=$destination/share/man/man1
printed "$manual/tokenwell.1" "$COMMAND" man
# A page lists the pages of its commands: tokenwell-cache lists tokenwell-cache-list.
nested() { sed -n "s/^$(printf %s "$1" | sed 's/-/\\\\-/g')\\\\-\\([a-z]*\\)(1)\$/\\1/p" "$manual/$1.1"; }
for name in $(nested tokenwell); do
    printed "$manual/tokenwell-$name.1" "$COMMAND" man "$name"
    for below in $(nested "tokenwell-$name"); do printed "$manual/tokenwell-$name-$below.1" "$COMMAND" man "$name" "$below"; done
done
printed "$destination/share/bash-completion/completions/tokenwell" "$COMMAND" completions bash
printed "$destination/share/zsh/site-functions/_tokenwell" "$COMMAND" completions zsh
printed "$destination/share/fish/vendor_completions.d/tokenwell.fish" "$COMMAND" completions fish
for file in LICENSE-APACHE LICENSE-MIT CHANGELOG.md packaging/licenses/THIRD-PARTY.txt; do
    data "$here/../../$file" "$destination/share/doc/tokenwell/$(basename "$file")"
done
echo "installed to $destination; if programs do not find the library, run ldconfig or set LD_LIBRARY_PATH=$3/$libdir"
