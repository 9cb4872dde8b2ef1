#!/bin/sh
# Builds every package that users install, into $DIST/packages/<platform>/, from what `make library` put into $DIST.
set -eu
cd "$(dirname "$0")/.."

sh packaging/c_packages.sh "$DIST" "$DIST/packages"
sh packaging/go_packages.sh "$DIST" "$DIST/packages"
sh packaging/node_packages.sh "$DIST" "$DIST/packages"
sh packaging/python_packages.sh "$DIST" "$DIST/packages"
