#!/bin/sh
# Copies dist/ to the directories that the system searches: install.sh DIST DESTINATION PREFIX
set -eu
dist=$1 destination=$2 prefix=$3

mkdir -p "$destination/bin" "$destination/lib/pkgconfig" "$destination/include"
cp "$dist/bin/tokenwell" "$destination/bin/"
cp -P "$dist"/lib/libtokenwell* "$destination/lib/"
cp "$dist/include/tokenwell.h" "$destination/include/"
cp "$dist/lib/pkgconfig/tokenwell.pc" "$destination/lib/pkgconfig/"
echo "installed to $destination; if programs do not find the library, run ldconfig or set LD_LIBRARY_PATH=$prefix/lib"
