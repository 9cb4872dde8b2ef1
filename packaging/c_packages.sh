#!/bin/sh
# Builds the packages for C and C++: an archive that can be unpacked anywhere, and for glibc the Debian packages.
#   c_packages.sh DIST PACKAGES [archive]     DIST is laid out as by `make library`. The packages are written to PACKAGES/<platform>/.
# With `archive`, only the archive is built, without the HTML pages.
# From the environment: STRIP and COMMAND (bindings/c/install.sh), CARGO, DOXYGEN, and SOURCE_DATE_EPOCH, the time of all packaged files: by default that of
# the last commit. The same input and the same time give the same bytes. Nothing is compiled.
set -eu
# shellcheck source=packaging/package_arguments.sh
. "$(dirname "$0")/package_arguments.sh"
only=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The library itself says what it is for.
library=$dist/lib/libtokenwell.so.0
for file in "$library" "$dist/lib/libtokenwell.a" "$dist/lib/pkgconfig/tokenwell.pc" "$dist/include/tokenwell.h" "$dist/bin/tokenwell"; do
    [ -f "$file" ] || { echo "c_packages: $file is missing: run \`make library\`" >&2 && exit 1; }
done
version=$(sed -n 's/^Version: //p' "$dist/lib/pkgconfig/tokenwell.pc")
case $(readelf -hW "$library" | sed -n 's/^ *Machine: *//p') in
    *X86-64) machine=x86_64 debian=amd64 ;;
    AArch64) machine=aarch64 debian=arm64 ;;
    *) echo "c_packages: $library is for an unknown machine" >&2 && exit 1 ;;
esac
if readelf -dW "$library" | grep -q 'NEEDED.*\[libc\.so\.6\]'; then libc=gnu; else libc=musl; fi
platform=$machine-linux-$libc
mkdir -p "$packages/$platform"
rm -f "$packages/$platform"/tokenwell-*-"$platform".tar.gz "$packages/$platform"/*.deb

# The HTML pages of the API, if they can be made here.
html=
export DOXYGEN="${DOXYGEN:-doxygen}"
if [ -n "$only" ]; then
    :
elif command -v "$DOXYGEN" >/dev/null; then
    html=$work/html
    sh packaging/api_pages.sh "$html"
else
    echo "$DOXYGEN is missing: the packages have no HTML pages of the API" >&2
fi

set_times() { find "$1" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"; }

name=tokenwell-$version-$platform
sh bindings/c/install.sh "$dist" "$work" "/$name" lib >/dev/null
if [ -n "$html" ]; then cp -R "$html" "$work/$name/share/doc/tokenwell/html"; fi
set_times "$work/$name"
tar -C "$work" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -6n >"$packages/$platform/$name.tar.gz"

if [ -n "$only" ]; then
    :
elif [ "$libc" = gnu ] && command -v dpkg-deb >/dev/null; then
    sh bindings/c/install.sh "$dist" "$work/installed" /usr "lib/$platform" >/dev/null
    # Debian's own paths are fixed, and pkg-config leaves them out of its flags only if they are written plainly.
    sed -i -e 1d -e '2s/.*/# Libs.private is for the static archive (pkg-config --static)./' -e 's|^prefix=.*|prefix=/usr|' "$work/installed/usr/lib/$platform/pkgconfig/tokenwell.pc"
    sh packaging/debian.sh "$work/installed" "$html" "$packages/$platform" "$version" "$debian" "$platform"
elif [ "$libc" = gnu ]; then
    echo "dpkg-deb is missing: there are no Debian packages" >&2
fi
(cd "$packages/$platform" && ls -- *.tar.gz *.deb 2>/dev/null | sed "s|^|$packages/$platform/|")
