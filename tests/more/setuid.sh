#!/bin/sh
# Fault R5: a program that another user starts with more privileges than that user has takes nothing from its environment.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need "$CC" "it compiles the program; install gcc or clang"
if [ "$(uname -s)" != Linux ]; then
    skip "the program asks Linux for AT_SECURE"
    finish setuid
    exit
fi
if [ "$(id -u)" -ne 0 ]; then
    skip "only root can make a program set-user-ID and start it as another user"
    finish setuid
    exit
fi
# Other users must be able to read the program and the library: the repository may be in a private directory.
chmod 755 "$work"
cp "$TOKENWELL_LIBRARY" "$work/libtokenwell.so.0" || exit 1
ln -s libtokenwell.so.0 "$work/libtokenwell.so"
"$CC" -O1 -Wall -Wextra -Werror -I"$DIST/include" tests/more/setuid.c -L"$work" -ltokenwell -Wl,-rpath,"$work" -o "$work/plain" || exit 1
chmod 755 "$work/plain"
"$PYTHON" tests/more/setuid.py "$work"
