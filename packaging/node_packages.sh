#!/bin/sh
# Builds the packages for npm from what `make library` staged. Nothing is compiled.
#   node_packages.sh DIST PACKAGES
# Those of the platform are written to PACKAGES/<platform>/, those for all platforms to PACKAGES/:
#   tokenwell-VERSION.tgz                           JavaScript and types
#   <platform>/tokenwell-linux-x64-gnu-VERSION.tgz  the addon with the library, @tokenwell/linux-x64-gnu
#   tokenwell-cli-VERSION.tgz                       @tokenwell/cli, which starts the command
#   <platform>/tokenwell-cli-linux-x64-gnu-VERSION.tgz
# From the environment: STRIP, NODE, and SOURCE_DATE_EPOCH, the time of all packaged files: by default that of the last commit. The same input and the
# same time give the same bytes.
set -eu
# shellcheck source=packaging/package_arguments.sh
. "$(dirname "$0")/package_arguments.sh"
: "${NODE:=node}" "${STRIP:=strip}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

addon=$dist/node/_lib/tokenwell.node
for file in "$addon" "$dist/node/index.js" "$dist/bin/tokenwell"; do
    [ -f "$file" ] || { echo "node_packages: $file is missing: run \`make library\`" >&2 && exit 1; }
done
source=bindings/node/package.json
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$source")
# The addon itself says what it is for.
case $(readelf -hW "$addon" | sed -n 's/^ *Machine: *//p') in
    *X86-64) machine=x86_64 ;;
    AArch64) machine=aarch64 ;;
    *) echo "node_packages: $addon is for an unknown machine" >&2 && exit 1 ;;
esac
if readelf -dW "$addon" | grep -q 'NEEDED.*\[libc\.so\.6\]'; then libc=gnu; else libc=musl; fi
platform=$machine-linux-$libc
name=$("$NODE" packaging/node_platforms.mjs name "$platform")
mkdir -p "$packages/$platform"

# Archives of another version do not belong to this build.
rm -f "$packages"/tokenwell-*.tgz "$packages/$platform"/tokenwell-*.tgz

# package PACKAGE OUTPUT [PROGRAM]: the files are in $work/PACKAGE already. PROGRAM is the one that is executable, whatever the modes of the checkout are.
# npm calls the directory in an archive `package`.
package() {
    directory=$work/$1
    "$NODE" packaging/node_platforms.mjs manifest "$1" "$source" >"$directory/package.json"
    cp bindings/node/LICENSE-* "$directory/"
    find "$directory" -type d -exec chmod 755 {} +
    find "$directory" -type f -exec chmod 644 {} +
    [ -z "${3:-}" ] || chmod 755 "$directory/$3"
    find "$directory" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
    file=$2/$(echo "$1" | sed 's|^@||; s|/|-|')-$version.tgz
    tar -C "$directory" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --transform='s|^\.|package|' -cf - . | gzip -9n >"$file.new"
    mv -f "$file.new" "$file"
    echo "$file"
}
program() { # program FROM TO: without symbols, which stay in DIST; with the licenses of the crates in it
    "$STRIP" --strip-all -o "$2" "$1"
    cp packaging/licenses/THIRD-PARTY.txt "$(dirname "$2")/LICENSE-THIRD-PARTY"
}
binary_readme() { # binary_readme PACKAGE MAIN WHAT
    printf '# %s\n\nThe %s for %s. It is installed as an optional dependency of [%s](https://www.npmjs.com/package/%s): install that package.\n' \
        "$1" "$3" "$name" "$2" "$2"
}

mkdir -p "$work/tokenwell" "$work/@tokenwell/$name" "$work/@tokenwell/cli" "$work/@tokenwell/cli-$name"
cp bindings/node/index.* bindings/node/README.md "$work/tokenwell/"
cp -R bindings/node/lib "$work/tokenwell/lib"
"$NODE" packaging/node_platforms.mjs published "$version" >"$work/tokenwell/lib/platforms.js"
package tokenwell "$packages"

program "$addon" "$work/@tokenwell/$name/tokenwell.node"
binary_readme "@tokenwell/$name" tokenwell "addon of tokenwell, with the library in it," >"$work/@tokenwell/$name/README.md"
package "@tokenwell/$name" "$packages/$platform" tokenwell.node

cp bindings/node/cli/README.md bindings/node/cli/tokenwell.js "$work/@tokenwell/cli/"
for file in platform platform_package binary_file; do cp "bindings/node/lib/$file.js" "$work/@tokenwell/cli/"; done
"$NODE" packaging/node_platforms.mjs command "$version" >"$work/@tokenwell/cli/platforms.js"
package @tokenwell/cli "$packages" tokenwell.js

program "$dist/bin/tokenwell" "$work/@tokenwell/cli-$name/tokenwell"
binary_readme "@tokenwell/cli-$name" @tokenwell/cli "command tokenwell" >"$work/@tokenwell/cli-$name/README.md"
package "@tokenwell/cli-$name" "$packages/$platform" tokenwell
