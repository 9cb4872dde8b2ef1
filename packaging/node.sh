#!/bin/sh
# Creates $DIST/node: the Node package with its addon, which contains the library, for npm install. The tests use it too.
set -eu
cd "$(dirname "$0")/.."
: "${NODE:=node}"

rm -rf "$DIST/node"
mkdir -p "$DIST/node/_lib"
cp bindings/node/package.json bindings/node/README.md bindings/node/LICENSE-* bindings/node/index.* "$DIST/node/"
cp -R bindings/node/lib "$DIST/node/lib"

headers=$(sh packaging/node_headers.sh) || {
    echo "tokenwell: the Node package has no addon and cannot be used" >&2
    exit 0
}
version=$(sed -n 's/^#define TOKENWELL_VERSION "\(.*\)"/\1/p' include/tokenwell.h)
# The name that the loader gives to the platform of this machine.
platform=$("$NODE" -p '(require("./bindings/node/lib/platform.js").candidates())[0]')
"$NODE" packaging/node_platforms.mjs staged "$platform" "$version" >"$DIST/node/lib/platforms.js"

# What the library needs. Node itself provides the functions of Node-API.
libraries=$(sed -n 's/^Libs\.private: //p' "$DIST/lib/pkgconfig/tokenwell.pc")
if [ "$(uname -s)" = Darwin ]; then
    link="-bundle -undefined dynamic_lookup -Wl,-dead_strip"
    link="$link -Wl,-exported_symbol,_napi_register_module_v1 -Wl,-exported_symbol,_node_api_module_get_api_version_v1"
else
    # nodelete: Node unloads the addon of a worker that ends, while threads of the library may run.
    link="-shared -Wl,--version-script=packaging/node_addon.map -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack"
    link="$link -Wl,--gc-sections -Wl,--as-needed -pthread"
fi
. packaging/link.sh
# shellcheck disable=SC2086
link -std=c11 -O2 -fPIC -fvisibility=hidden -ffunction-sections -Wall -Wextra -Werror ${NODE_ADDON_CFLAGS:-} \
    -DNAPI_VERSION=8 -Iinclude "-I$headers" bindings/node/src/*.c "$DIST/lib/libtokenwell.a" -o "$DIST/node/_lib/tokenwell.node" $link $libraries ${LDFLAGS:-}
