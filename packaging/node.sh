#!/bin/sh
# Creates $DIST/node: the Node package with its addon and the library, for npm install. The tests use it too.
#   node.sh LIBRARY     the file name of the shared library, which is in $DIST/lib
set -eu
cd "$(dirname "$0")/.."
library=$1
: "${CC:=cc}"

rm -rf "$DIST/node"
mkdir -p "$DIST/node/_lib"
cp bindings/node/package.json bindings/node/README.md bindings/node/LICENSE-* bindings/node/index.* "$DIST/node/"
cp -R bindings/node/lib "$DIST/node/lib"
cp "$DIST/lib/$library" "$DIST/node/_lib/"

headers=$(sh packaging/node_headers.sh) || {
    echo "tokenwell: the Node package has no addon and cannot be used" >&2
    exit 0
}
# Node itself provides the functions of Node-API.
if [ "$(uname -s)" = Darwin ]; then
    link="-bundle -undefined dynamic_lookup"
else
    link="-shared -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed -pthread -ldl"
fi
# shellcheck disable=SC2086
"$CC" -std=c11 -O2 -fPIC -fvisibility=hidden -Wall -Wextra -Werror ${NODE_ADDON_CFLAGS:-} -DNAPI_VERSION=8 -Iinclude "-I$headers" \
    bindings/node/src/*.c -o "$DIST/node/_lib/tokenwell.node" $link ${LDFLAGS:-}
