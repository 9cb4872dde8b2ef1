#!/bin/sh
# Doxygen reads the headers without a warning: every function, parameter and member is documented.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need doxygen "it reads the documentation in include/tokenwell.h and tokenwell.hpp; install doxygen"
mkdir -p "$work/planted"
pages() {
    sh packaging/api_pages.sh "$work/html" "WARN_AS_ERROR = FAIL_ON_WARNINGS" && [ -s "$work/html/tokenwell_8h.html" ] &&
        [ -s "$work/html/classtokenwell_1_1client.html" ]
}
the_pages_are_complete() { # they have the programs of the examples, and refer to nothing that is missing
    grep -q 'main(' "$work/html/index.html" || return 1
    grep -q or_throw "$work/html/classtokenwell_1_1result.html" || return 1
    ! grep -l '<script' "$work"/html/*.html || return 1
    for file in $(cat "$work"/html/*.html | grep -o '\(href\|src\)="[^"#]*' | sed 's/.*"//' | grep -v '^http' | sort -u); do
        [ -e "$work/html/$file" ] || { echo "$file is missing"; return 1; }
    done
}
a_missing_parameter_is_found() { # a_missing_parameter_is_found HEADER PARAMETER
    grep -v "@param $2" "include/$1" >"$work/planted/$1"
    sh packaging/api_pages.sh "$work/none" "WARN_AS_ERROR = FAIL_ON_WARNINGS" "INPUT = $work/planted/$1" >"$work/found" 2>&1 && return 1
    grep "parameter '$2'" "$work/found"
}
check "the documentation of the headers has no fault" pages
check "the pages are complete" the_pages_are_complete
check "a missing parameter is found in C" a_missing_parameter_is_found tokenwell.h config
check "a missing parameter is found in C++" a_missing_parameter_is_found tokenwell.hpp where
finish doxygen
