#!/bin/sh
# Builds every package that users install from what `make library` put into DIST: those of a platform into PACKAGES/<platform>/, the others into PACKAGES/.
#   packages.sh DIST PACKAGES [archive]     With `archive`, without the Debian packages and the HTML pages, which take most of the time.
#   packages.sh --check                     Fails if there are no packages for this system.
set -eu
case $(uname -sm)-$(getconf GNU_LIBC_VERSION 2>/dev/null || true) in
    'Linux x86_64-glibc '*) ;;
    *)
        echo "tokenwell: packages can be built on x86-64 Linux with glibc only, and this is $(uname -sm); \`make library\` and \`make install\` may work here" >&2
        exit 1
        ;;
esac
if [ "$1" = --check ]; then exit; fi
dist=$(cd "$1" && pwd)
mkdir -p "$2"
packages=$(cd "$2" && pwd)
only=${3:-}
cd "$(dirname "$0")"

sh ./c_packages.sh "$dist" "$packages" "$only"
sh ./go_packages.sh "$dist" "$packages"
sh ./node_packages.sh "$dist" "$packages"
sh ./python_packages.sh "$dist" "$packages"
echo "the packages are in $packages"
