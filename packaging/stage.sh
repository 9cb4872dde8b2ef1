#!/bin/sh
# Creates dist/ from what `make library` built. Users install from this tree, and all tests use it.
#   stage.sh BUILD_DIRECTORY LIBRARY LINK_NAME VERSION     the library and its archive are in BUILD_DIRECTORY/c
set -eu
build=$1 library=$2 link_name=$3 version=$4
cd "$(dirname "$0")/.."

. packaging/put.sh

put "$build/tokenwell" "$DIST/bin/tokenwell"
put "$build/c/$library" "$DIST/lib/$library"
put "$build/c/libtokenwell.a" "$DIST/lib/libtokenwell.a"
ln -sf "$library" "$DIST/lib/$link_name"
put include/tokenwell.h "$DIST/include/tokenwell.h"
put include/tokenwell.hpp "$DIST/include/tokenwell.hpp"
put include/tokenwell_emulator.h "$DIST/include/tokenwell_emulator.h"
# libgcc_eh instead of libgcc_s, so that the same line also works for `cc -static`.
static_libs=$(sed 's/-lgcc_s/-lgcc_eh/' "$build/libtokenwell.libs")
sh packaging/find_files.sh "$DIST" lib "$version" "$static_libs"

# Python: the package with its library, for PYTHONPATH or pip.
rm -rf "$DIST/python"
sh packaging/python.sh "$DIST/python" "$DIST/lib/$library"

sh packaging/go.sh "$library"

sh packaging/node.sh

# The environment to use this tree from any directory: `. dist/env`.
cat >"$DIST/env" <<END
export TOKENWELL_HOME='$DIST'
export PATH="\$TOKENWELL_HOME/bin:\$PATH"
export PKG_CONFIG_PATH="\$TOKENWELL_HOME/lib/pkgconfig\${PKG_CONFIG_PATH:+:\$PKG_CONFIG_PATH}"
export LD_LIBRARY_PATH="\$TOKENWELL_HOME/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export PYTHONPATH="\$TOKENWELL_HOME/python\${PYTHONPATH:+:\$PYTHONPATH}"
END
