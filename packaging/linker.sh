#!/bin/sh
# Prints the command that links what users install: packaging/zig_cc if zig is installed and this is Linux with glibc, else CC. It is one path or name.
#   linker.sh          LINK_CC in the environment overrules the choice.
# zig links for glibc 2.17, so that the files run on every distribution since 2014. A linker of the system links for its own glibc or a newer one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${LINK_CC:-}" ]; then
    echo "$LINK_CC"
elif [ "$(uname -s)" = Linux ] && getconf GNU_LIBC_VERSION >/dev/null 2>&1 && said=$("$here/zig_cc" --version 2>&1); then
    echo "$here/zig_cc"
elif [ -n "${ZIG:-}" ]; then
    echo "linker.sh: ZIG is $ZIG, which does not work: ${said:-this is not Linux with glibc}" >&2
    exit 1
else
    echo "${CC:-cc}"
fi
