#!/bin/sh
# Makes the Debian packages from an installed tree, with dpkg-deb alone:
#   libtokenwell0      the shared library
#   libtokenwell-dev   headers, static library, files for pkg-config and CMake, the HTML pages
#   tokenwell          the command
#
#   debian.sh INSTALLED HTML OUTPUT VERSION ARCHITECTURE PLATFORM
# INSTALLED is the root that bindings/c/install.sh filled with the prefix /usr and the library directory lib/PLATFORM. HTML may be empty.
# From the environment: SOURCE_DATE_EPOCH, CARGO.
set -eu
umask 022
installed=$1 html=$2 output=$3 upstream=$4 architecture=$5 platform=$6
cd "$(dirname "$0")/.."
revision=1
version=$upstream-$revision
maintainer='tokenwell maintainers <maintainers@tokenwell.example>'
libdir=usr/lib/$platform
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

move() { # move PACKAGE PATH [NEW_PATH]: from the installed tree into the package
    target=$work/$1/${3:-$2}
    mkdir -p "$(dirname "$target")"
    cp -dR "$installed/$2" "$target"
}
highest() { # highest FILE PREFIX: the newest version of symbols with this prefix that the file needs
    readelf -VW "$1" | sed -n "s/.*Name: $2_\([0-9.]*\) .*/\1/p" | sort -V | tail -n 1
}
needs() { # needs FILE: the packages that contain the shared libraries it needs, at the lowest version that will do
    glibc=$(highest "$1" GLIBC)
    printf 'libc6 (>= %s)' "$glibc"
    gcc=$(highest "$1" GCC)
    # Debian's versions have no trailing zero: GCC_4.2.0 came with 4.2.
    if [ -n "$gcc" ]; then printf ', libgcc-s1 (>= %s)' "${gcc%.0}"; fi
}
documents() { # documents PACKAGE
    place=$work/$1/usr/share/doc/$1
    mkdir -p "$place"
    sed -e "/^@CRATES@$/{r $work/crates" -e 'd;}' packaging/debian/copyright >"$place/copyright"
    gzip -9nc CHANGELOG.md >"$place/changelog.gz"
    gzip -9nc packaging/licenses/THIRD-PARTY.txt >"$place/THIRD-PARTY.txt.gz"
    gzip -9n >"$place/changelog.Debian.gz" <<END
tokenwell ($version) unstable; urgency=medium

  * The packages of tokenwell $upstream. changelog.gz has the changes.

 -- $maintainer  $(date -u -R --date="@$SOURCE_DATE_EPOCH")
END
}
# The crates that are compiled into the library and the command. Procedural macros are not.
crates() {
    "${CARGO:-cargo}" tree --locked --edges normal --prefix none --target "${platform%%-*}-unknown-linux-gnu" --features cli,emulator,capi \
        --format '{p}: {l}' | sed -n -e '/(proc-macro)/d' -e 's/ (\*)$//' -e 's/^\([A-Za-z0-9_-]* v[0-9][^ ]*: .*\)$/ \1/p' | sort -u
}
control() { # control PACKAGE SECTION MULTI_ARCH DEPENDS, then the rest of the fields on standard input
    mkdir -p "$work/$1/DEBIAN"
    {
        echo "Package: $1"
        [ "$1" = tokenwell ] || echo "Source: tokenwell"
        echo "Version: $version"
        echo "Architecture: $architecture"
        echo "Multi-Arch: $3"
        echo "Maintainer: $maintainer"
        # As dpkg counts: each file in units of 1 KiB, and 1 for each directory and link.
        echo "Installed-Size: $(find "$work/$1" -path "$work/$1/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '1\n' |
            awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }')"
        echo "Depends: $4"
        echo "Section: $2"
        echo "Priority: optional"
        cat
    } >"$work/$1/DEBIAN/control"
}
build() { # build PACKAGE
    (cd "$work/$1" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$work/$1/DEBIAN/md5sums"
    find "$work/$1" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
    # Level 4 takes half of the time for 6 % more bytes. One thread: then the compressed data do not depend on the number of processors.
    DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz -z4 --build "$work/$1" "$output/$1_${version}_$architecture.deb" >/dev/null
}

crates >"$work/crates"
[ -s "$work/crates" ]

move libtokenwell0 "$libdir/libtokenwell.so.0"
chmod 644 "$work/libtokenwell0/$libdir/libtokenwell.so.0"
documents libtokenwell0
control libtokenwell0 libs same "$(needs "$work/libtokenwell0/$libdir/libtokenwell.so.0")" <<END
Recommends: ca-certificates
Description: cache of OAuth 2.0 access tokens - shared library
 tokenwell gets access tokens for MongoDB Atlas service accounts, and for
 other servers with the client credentials grant, and refreshes them before
 they expire. All processes of a user share one token.
 .
 This package contains the shared library.
END
sh packaging/symbols.sh packaging/tokenwell.map "$work/libtokenwell0/$libdir/libtokenwell.so.0" >"$work/libtokenwell0/DEBIAN/symbols"
echo "libtokenwell 0 libtokenwell0 (>= $upstream)" >"$work/libtokenwell0/DEBIAN/shlibs"
echo "activate-noawait ldconfig" >"$work/libtokenwell0/DEBIAN/triggers"
build libtokenwell0

for path in usr/include "$libdir/libtokenwell.a" "$libdir/libtokenwell.so" "$libdir/pkgconfig" "$libdir/cmake"; do move libtokenwell-dev "$path"; done
documents libtokenwell-dev
for language in c cpp; do
    mkdir -p "$work/libtokenwell-dev/usr/share/doc/libtokenwell-dev/examples/$language"
    cp "examples/$language"/* "$work/libtokenwell-dev/usr/share/doc/libtokenwell-dev/examples/$language/"
done
if [ -n "$html" ]; then cp -R "$html" "$work/libtokenwell-dev/usr/share/doc/libtokenwell-dev/html"; fi
control libtokenwell-dev libdevel same "libtokenwell0 (= $version), libc6-dev | libc-dev" <<END
Suggests: cmake, pkgconf
Description: cache of OAuth 2.0 access tokens - development files
 tokenwell gets access tokens for MongoDB Atlas service accounts, and for
 other servers with the client credentials grant, and refreshes them before
 they expire. All processes of a user share one token.
 .
 This package contains the headers for C and C++17, the static library, and
 the files with which pkg-config and CMake find them.
END
build libtokenwell-dev

move tokenwell usr/bin
move tokenwell usr/share/man
gzip -9n "$work"/tokenwell/usr/share/man/man1/*.1
move tokenwell usr/share/bash-completion
move tokenwell usr/share/fish
# The directory of Debian's zsh for packages.
move tokenwell usr/share/zsh/site-functions usr/share/zsh/vendor-completions
documents tokenwell
control tokenwell utils foreign "$(needs "$work/tokenwell/usr/bin/tokenwell")" <<END
Recommends: ca-certificates
Description: cache of OAuth 2.0 access tokens - command
 tokenwell gets access tokens for MongoDB Atlas service accounts, and for
 other servers with the client credentials grant, and refreshes them before
 they expire. All processes of a user share one token.
 .
 This package contains the command, its manual pages, and its completions for
 bash, zsh and fish. Its subcommand "emulator" is a local server for tests.
END
build tokenwell
