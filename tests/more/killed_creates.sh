#!/bin/sh
# `tokenwell sa create` and `sa secret add`, killed at each system call that writes, renames, removes, sends or flushes.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
if [ "$(uname -s)" != Linux ]; then
    skip "strace is a program for Linux"
    finish killed_creates
    exit
fi
need strace "it kills the command at a system call; install strace"
need "$TOKENWELL_BIN" "it is the command, and its emulator is the server; run \`make library\`"
"$PYTHON" tests/more/killed_creates.py "$work"
