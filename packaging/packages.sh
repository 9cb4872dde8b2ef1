#!/bin/sh
# Builds every package that users install from what `make library` put into DIST: those of a platform into PACKAGES/<platform>/, the others into PACKAGES/.
#   packages.sh DIST PACKAGES [archive]     With `archive`, without the Debian packages and the HTML pages, which take most of the time.
set -eu
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
