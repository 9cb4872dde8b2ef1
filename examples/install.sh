#!/bin/sh
# For `make demo`: builds the packages of what `make library` staged, and installs each as its users do, in DIST/demo: away from the source. Nothing
# is downloaded for an installation.
#   install.sh DIST
# From the environment: CC, PYTHON, GO, NODE, NPM.
set -eu
dist=$(cd "$1" && pwd)
cd "$(dirname "$0")"
: "${CC:=cc}" "${PYTHON:=python3}" "${GO:=go}" "${NPM:=npm}"
demo=$dist/demo packages=$dist/demo/packages platform=$dist/demo/packages/$(uname -m)-linux-gnu
quietly() { # quietly WHAT COMMAND...: its output is of interest only if it fails
    what=$1
    shift
    if ! "$@" >"$demo/log" 2>&1; then
        echo "demo: $what failed:" >&2
        cat "$demo/log" >&2
        exit 1
    fi
}

# The Go command makes its directories read-only.
[ ! -d "$demo/go" ] || chmod -R u+w "$demo/go"
rm -rf "$packages" "$demo/tokenwell" "$demo/go" "$demo/node"
mkdir -p "$demo/tokenwell" "$demo/go" "$demo/node"
quietly "building the packages" sh ../packaging/packages.sh "$dist" "$packages" archive

# The command, and the library for C.
tar -xzf "$platform"/tokenwell-*.tar.gz --strip-components 1 -C "$demo/tokenwell"
# Must be split into words.
# shellcheck disable=SC2046
quietly "cc" "$CC" c/demo.c c/loopback_http.c $(PKG_CONFIG_PATH="$demo/tokenwell/lib/pkgconfig" pkg-config --cflags --libs tokenwell) -Wl,-rpath,"$demo/tokenwell/lib" -o "$demo/c-demo"

[ -x "$demo/python/bin/python" ] || quietly "python -m venv" "$PYTHON" -m venv "$demo/python"
quietly "pip install" "$demo/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall "$platform"/tokenwell-*.whl

(
    cp go/demo/main.go "$demo/go/"
    cd "$demo/go"
    # What was built here must not get into the user's cache of modules, under the name of a released version.
    export GOPROXY="file://$packages/go" GONOSUMDB='*' GOFLAGS='' GOMODCACHE="$demo/go/modules" GOWORK=off
    quietly "go mod init" "$GO" mod init demo
    quietly "go get" "$GO" get github.com/tokenwell/tokenwell/bindings/go
    quietly "go build" "$GO" build -o "$demo/go-demo" .
)

cp node/demo.mjs "$demo/node/"
(cd "$demo/node" && quietly "npm install" "$NPM" install --offline --no-audit --no-fund --loglevel=error "$packages"/tokenwell-[0-9]*.tgz "$platform"/tokenwell-linux-*.tgz)
