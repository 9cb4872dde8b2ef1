#!/bin/sh
# Tokens of 5 s, 20 s and 60 s for two minutes: no dead token is returned by the library or found in the file of a sink.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need "${CC:-cc}" "it compiles the caller in C; install a C compiler"
make -s -C bindings/c PREFIX="$DIST" shim || exit 1
"$PYTHON" tests/more/lifetimes.py "C=bindings/c/build/shim" "Python=$PYTHON bindings/python/tests/shim.py"
