#!/bin/sh
# Makes the HTML pages of the API from the headers, with doxygen: api_pages.sh OUTPUT [SETTING...]
# Further settings of doxygen, as `NAME = VALUE`, replace those of packaging/Doxyfile.
set -eu
mkdir -p "$1"
output=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
{
    cat packaging/Doxyfile
    sed -n 's/^#define TOKENWELL_VERSION "\(.*\)"/PROJECT_NUMBER = \1/p' include/tokenwell.h
    echo "HTML_OUTPUT = $output"
    [ $# -eq 0 ] || printf '%s\n' "$@"
} | "${DOXYGEN:-doxygen}" -
# The pages work without the scripts that doxygen copies: the menu and the search are switched off.
rm -f "$output"/*.js "$output"/*.md5 "$output"/*.map
find "$output" -name '*.html' -exec sed -i '/<script[^>]*><\/script>/d' {} +
