#!/bin/sh
# Prints the directory of the headers with which the Node package is compiled, or says what is missing.
set -eu
cd "$(dirname "$0")/.."
: "${NODE:=node}"

# An installation of Node.js has its headers beside the program; the packages of some distributions and of npm do not.
program=$("$NODE" -p 'require("fs").realpathSync(process.execPath)' 2>/dev/null) || {
    echo "tokenwell: $NODE is missing: the Node package is compiled with its headers; install Node.js 20.4 or newer" >&2
    exit 1
}
for directory in "$(dirname "$program")/../include/node" bindings/node/node_modules/node-api-headers/include; do
    if [ -f "$directory/node_api.h" ]; then
        (cd "$directory" && pwd)
        exit
    fi
done
echo "tokenwell: node_api.h is missing: $program has no headers beside it; install those of Node.js, or run \`npm ci\` in bindings/node" >&2
exit 1
