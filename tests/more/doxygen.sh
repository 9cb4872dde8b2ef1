#!/bin/sh
# Doxygen reads the header without a warning: every function, parameter and member is documented.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need doxygen "it reads the documentation in include/tokenwell.h; install doxygen"
settings() { # settings WARN_AS_ERROR
    cat <<END
INPUT = include/tokenwell.h
OUTPUT_DIRECTORY = $work/doxygen
GENERATE_LATEX = NO
OPTIMIZE_OUTPUT_FOR_C = YES
HAVE_DOT = NO
QUIET = YES
WARN_IF_UNDOCUMENTED = YES
WARN_NO_PARAMDOC = YES
WARN_IF_DOC_ERROR = YES
WARN_AS_ERROR = $1
END
}
mkdir -p "$work/doxygen" "$work/planted"
pages() { settings FAIL_ON_WARNINGS | doxygen - && [ -s "$work/doxygen/html/tokenwell_8h.html" ]; }
a_missing_parameter_is_found() {
    grep -v '@param config' include/tokenwell.h >"$work/planted/tokenwell.h"
    settings FAIL_ON_WARNINGS | sed "s|^INPUT = .*|INPUT = $work/planted/tokenwell.h|" | doxygen - >"$work/found" 2>&1 && return 1
    grep "parameter 'config'" "$work/found"
}
check "the header's documentation has no fault" pages
check "a missing parameter is found" a_missing_parameter_is_found
finish doxygen
