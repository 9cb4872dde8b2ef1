#!/bin/sh
# Writes the files with which pkg-config and CMake find the library below a prefix.
#   find_files.sh DESTINATION LIBDIR VERSION STATIC_LIBS
# DESTINATION is the directory that will be the prefix. LIBDIR is relative to it, for example lib/x86_64-linux-gnu. STATIC_LIBS is what a program
# that is linked with the archive needs, as the options of a linker. From the environment: LIBRARY, the file name of the shared library.
set -eu
: "${LIBRARY:=libtokenwell.so.0}"
if [ "$(uname -s)" = Darwin ]; then soname=@rpath/$LIBRARY; else soname=$LIBRARY; fi
destination=$1 libdir=$2 version=$3 static_libs=$4
cd "$(dirname "$0")/.."

# From LIBDIR back to the prefix: one `..` for each of its parts.
to_prefix=$(printf '%s' "$libdir" | sed 's|[^/][^/]*|..|g')
fill_in() { # fill_in TEMPLATE FILE PREFIX STATIC_LIBS
    mkdir -p "$(dirname "$2")"
    sed -e "s|@PREFIX@|$3|" -e "s|@TO_PREFIX@|$to_prefix|" -e "s|@LIBDIR@|$libdir|" -e "s|@VERSION@|$version|" \
        -e "s|@STATIC_LIBS@|$4|" -e "s|@SONAME@|$soname|" -e "s|@LIBRARY@|$LIBRARY|" "bindings/c/$1" >"$2.new"
    mv -f "$2.new" "$2"
}
fill_in tokenwell.pc.in "$destination/$libdir/pkgconfig/tokenwell.pc" "\${pcfiledir}/../$to_prefix" "$static_libs"
cmake=$destination/$libdir/cmake/tokenwell
# CMake's lists are separated by semicolons.
fill_in tokenwell-config.cmake.in "$cmake/tokenwell-config.cmake" "" "$(printf '%s' "$static_libs" | tr -s ' ' ';')"
fill_in tokenwell-config-version.cmake.in "$cmake/tokenwell-config-version.cmake" "" ""
