#!/bin/sh
# Builds the released Go modules, with their static library: a directory that the Go command uses as a module proxy (GOPROXY=file://PACKAGES/go).
#   go_packages.sh DIST PACKAGES     DIST is laid out as by `make library`. The modules are written to PACKAGES/go.
# The zip file of a module has the files of the commit that a release tag names. From the environment: GO, and SOURCE_DATE_EPOCH, the time of the version:
# by default that of the last commit. The same input and the same time give the same bytes. golang.org/x/mod, which defines these files, is downloaded.
set -eu
# shellcheck source=packaging/package_arguments.sh
. "$(dirname "$0")/package_arguments.sh"
: "${GO:=go}"
fail() { echo "go_packages: $1" >&2 && exit 1; }
for file in "$dist/go/go.mod" "$dist/lib/libtokenwell.a" "$dist/lib/pkgconfig/tokenwell.pc"; do
    [ -f "$file" ] || fail "$file is missing: run \`make library\`"
done
if ! command -v "$GO" >/dev/null; then
    echo "$GO is missing: there are no Go modules" >&2
    exit
fi
native=$dist/go/native/linux_amd64
if ! [ -f "$native/libtokenwell.a" ]; then
    echo "$native/libtokenwell.a is missing: there are no Go modules, which are made from the library for Linux with glibc on x86-64" >&2
    exit
fi
cmp "$dist/lib/libtokenwell.a" "$native/libtokenwell.a" >/dev/null || fail "$native/libtokenwell.a is not $dist/lib/libtokenwell.a: run \`make library\`"
version=v$(sed -n 's/^Version: //p' "$dist/lib/pkgconfig/tokenwell.pc")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The modules of the integrations are inside the directory of the first one, which its zip file leaves out.
cp -R "$dist/go" "$work/go"
rm -rf "$work/modules"
(cd packaging/go_modules && GOFLAGS=-mod=readonly "$GO" build -o "$work/go_modules" .) || fail "the program that writes the modules was not built"
"$work/go_modules" "$version" "$SOURCE_DATE_EPOCH" "$work/modules" "$work/go" "$work/go/oauth2" "$work/go/mongodriver" |
    sed "s|^$work/modules|$packages/go|"
[ "$(find "$work/modules" -name '*.zip' | wc -l)" -eq 3 ] || fail "not all modules were written"
rm -rf "$packages/go"
mv "$work/modules" "$packages/go"
