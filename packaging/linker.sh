#!/bin/sh
# Prints the command that links what users install: packaging/zig_cc if zig is installed and this is Linux with glibc, else CC.
#   linker.sh          LINK_CC in the environment overrules the choice. It is the path or the name of one program; CC may have several words.
# zig links for glibc 2.17, which distributions have had since 2014. A linker of the system links for its own glibc or a newer one.
# A command that does not exist is an error here, because it is used only after Rust has compiled for minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${LINK_CC:-}" ]; then
    command -v "$LINK_CC" >/dev/null 2>&1 || { echo "tokenwell: LINK_CC is '$LINK_CC', which is not the path or the name of a program" >&2; exit 1; }
    echo "$LINK_CC"
elif [ "$(uname -s)" = Linux ] && getconf GNU_LIBC_VERSION >/dev/null 2>&1 && said=$("$here/zig_cc" --version 2>&1); then
    echo "$here/zig_cc"
elif [ -n "${ZIG:-}" ]; then
    echo "linker.sh: ZIG is $ZIG, which does not work: ${said:-this is not Linux with glibc}" >&2
    exit 1
else
    CC=${CC:-cc}
    command -v "$CC" >/dev/null 2>&1 || command -v "${CC%% *}" >/dev/null 2>&1 ||
        { echo "tokenwell: the C compiler '$CC' is missing: install it, or name another one in the variable CC" >&2; exit 1; }
    echo "$CC"
fi
