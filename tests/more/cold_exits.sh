#!/bin/sh
# Processes that get a cold token and exit immediately leave it in the cache: the next process sends no token request.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need "${CC:-cc}" "it compiles a program that gets one token; install a C compiler"
"${CC:-cc}" -std=c11 -O1 -Wall -Wextra -Werror "-I$DIST/include" tests/more/one_get.c "-L$DIST/lib" -ltokenwell -o "$work/one_get" || exit 1
"$PYTHON" tests/more/cold_exits.py "$work/one_get"
