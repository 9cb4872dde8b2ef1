#!/bin/sh
# The emulator answers a million requests in bounded memory.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
if [ "$(uname -s)" != Linux ]; then
    skip "it reads the memory of a process from /proc"
    finish emulator_load
    exit
fi
"$PYTHON" tests/more/emulator_load.py
