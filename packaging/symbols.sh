#!/bin/sh
# Prints the symbols file of the Debian package from the version script of the library: symbols.sh MAP LIBRARY
# It says since which version each symbol exists, so that a program depends on the version that it needs, and not on the newest one.
set -eu
echo "libtokenwell.so.0 libtokenwell0 #MINVER#"
echo "* Build-Depends-Package: libtokenwell-dev"
# The node TOKENWELL_0 came with the first version. Later nodes have the version in their name: TOKENWELL_1.2 came with 1.2.
# GNU ld also exports the name of each node as a symbol, and LLVM's linker does not.
nodes=0
if readelf --dyn-syms -W "$2" | grep -q ' TOKENWELL_0$'; then nodes=1; fi
awk -v nodes="$nodes" '
    $2 == "{" { node = $1; since = node; sub(/^TOKENWELL_/, "", since); if (since == "0") since = "0.1.0"; if (nodes) print " " node "@" node " " since }
    /^ *tokenwell_[a-z0-9_]*;$/ { name = $1; sub(/;/, "", name); print " " name "@" node " " since }
' "$1" | LC_ALL=C sort
