#!/bin/sh
# Node: ten thousand callers that wait, workers and processes that end at random moments, what remains in memory, and a test runner with several realms.
# The workers end on each version that is promised; npm has them as packages.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need "${NODE:-node}" "it runs the Node package; install Node.js"
need "${CC:-cc}" "it compiles a part of the tests; install gcc or clang"
[ "$(uname -s)" = Linux ] || { skip "threads and memory are read from /proc"; finish node; exit; }
need_glibc 2.33 "it counts the bytes that are allocated"
headers=$(sh packaging/node_headers.sh) || exit 1
heap=$work/heap.node
"${CC:-cc}" -std=c11 -D_DEFAULT_SOURCE -O1 -fPIC -shared -Wall -Wextra -Werror -DNAPI_VERSION=8 "-I$headers" tests/more/node/heap.c -o "$heap" || exit 1

# In the short form only the lowest and the highest of them.
lowest=$(sed -n 's/.*"node": ">=\([0-9.]*\)".*/\1/p' bindings/node/package.json).0
if [ -n "${SHORT:-}" ]; then wanted="$lowest 24"; else wanted="$lowest 20 22 24"; fi
installed() { "${NPM:-npm}" install --silent --no-audit --no-fund --prefix "$work/$1" "$1" >/dev/null 2>&1; }
for version in $wanted; do installed "node@$version" & done
installed jest@30 &
# The API client of mongodb-mcp-server has 270 MB of dependencies: not in the short form.
api_client=
[ -n "${SHORT:-}" ] || api_client=@mongodb-js/mcp-atlas-api-client@3.0.4
[ -z "$api_client" ] || installed "$api_client" &
wait

programs=
for version in $wanted; do
    program=$work/node@$version/node_modules/node/bin/node
    if "$program" --version >/dev/null 2>&1; then
        programs="$programs $program"
    else
        skip "Node.js $version is missing, and npm cannot install it"
    fi
done
jest=$work/jest@30
[ -d "$jest/node_modules/jest" ] || { jest= && skip "Jest is missing, and npm cannot install it"; }
if [ -n "$api_client" ]; then
    api_client=$work/$api_client
    [ -d "$api_client/node_modules/@mongodb-js" ] || { api_client= && skip "the API client of mongodb-mcp-server is missing, and npm cannot install it"; }
fi
# shellcheck disable=SC2086
HEAP=$heap SKIPPED=$skipped JEST=$jest API_CLIENT=$api_client "${NODE:-node}" tests/more/node/main.mjs $programs
