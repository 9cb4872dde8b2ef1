#!/bin/sh
# The packages for npm: the same bytes from two builds, what each file may need, and programs that install them from a registry in an empty directory,
# away from the source and without cargo. SHORT=1: fewer versions of Node, one bundler, no Jest, fewer rounds, and a part of the tests of bindings/node.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need "${NODE:-node}" "it runs the packages; install Node.js"
need "${NPM:-npm}" "it installs the packages; it comes with Node.js"
need readelf "it shows what a file needs; install binutils"
need "${CC:-cc}" "it compiles files that the checks must find; install gcc"
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    skip "the table of what each file may need is for Linux on x86-64"
    finish node_packages
    exit
fi

# The tools that the claims need, from npm. Each is missing if npm cannot install it.
lowest=$(sed -n 's/.*"node": ">=\([0-9.]*\)".*/\1/p' bindings/node/package.json).0
wanted="node@$lowest node@24 esbuild@0.28"
if [ -z "${SHORT:-}" ]; then
    wanted="$wanted node@20 node@22 jest@30 npm@10 npm@11 pnpm@10 @yarnpkg/cli-dist@4 webpack@5,webpack-cli@6,node-loader@2"
    wanted="$wanted @vercel/nft@1 postject@1.0.0-alpha.6 bun@1 deno@2"
fi
tools=$work/tools
mkdir -p "$tools"
for tool in $wanted; do
    # The packages of bun and deno load their program when they are installed.
    # shellcheck disable=SC2046
    "${NPM:-npm}" install --silent --no-audit --no-fund --no-save --prefix "$tools/$(echo "$tool" | tr '/,' '__')" \
        $(echo "$tool" | tr ',' ' ') >/dev/null 2>&1 &
done
wait

# The directories with cargo are left out of the PATH of a user, and so is the directory of the command.
path=
old_ifs=$IFS
IFS=:
for directory in $PATH; do
    if [ -x "$directory/cargo" ] || [ -x "$directory/rustc" ] || [ "$directory" = "$DIST/bin" ]; then continue; fi
    path=${path:+$path:}$directory
done
IFS=$old_ifs
# The runner of the vectors is compiled by `make test`; the packages themselves are used without cargo.
if command -v "${CARGO:-cargo}" >/dev/null; then
    VECTORS="${CARGO:-cargo} test --quiet --locked --features ${FEATURES:-cli,emulator,capi} --test vectors --"
    export VECTORS
fi
# As in a checkout without history.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 1750000000)
export SOURCE_DATE_EPOCH
unset TOKENWELL_LIBRARY LD_LIBRARY_PATH PKG_CONFIG_PATH
mkdir -p "$work/claims"
REAL_HOME=$HOME WORK=$work/claims USER_PATH=$path TOOLS=$tools SKIPPED=$skipped "${NODE:-node}" tests/more/node_packages/main.mjs
