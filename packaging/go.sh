#!/bin/sh
# Creates $DIST/go: the Go module with its static library, and the modules of the integrations. Programs use it with `go mod edit -replace`, and
# packaging/go_packages.sh makes the released modules from it.
#   go.sh LIBRARY     the file name of the shared library, which is in $DIST/lib beside the archive
set -eu
cd "$(dirname "$0")/.."
library=$1

rm -rf "$DIST/go"
for module in . oauth2 mongodriver; do
    mkdir -p "$DIST/go/$module"
    cp LICENSE-APACHE LICENSE-MIT "$DIST/go/$module/"
    for file in "bindings/go/$module"/go.* "bindings/go/$module"/*.go "bindings/go/$module"/*.h; do
        case $file in *_test.go | *'*'*) ;; *) cp "$file" "$DIST/go/$module/" ;; esac
    done
done
cp bindings/go/README.md "$DIST/go/"
mkdir -p "$DIST/go/emulatortest"
cp bindings/go/emulatortest/emulatortest.go "$DIST/go/emulatortest/"

# The package with the static library exists for one platform. On others, programs link the shared library (build tag tokenwell_dynamic).
native=$DIST/go/native/linux_amd64
mkdir -p "$native"
cp bindings/go/native/linux_amd64/native.go "$native/"
cp include/tokenwell.h "$native/"
if [ "$(uname -s)" = Linux ] && readelf -hW "$DIST/lib/$library" | grep -q 'Machine:.*X86-64' &&
    readelf -dW "$DIST/lib/$library" | grep -q 'NEEDED.*\[libc\.so\.6\]'; then
    cp "$DIST/lib/libtokenwell.a" "$native/"
    cp packaging/licenses/THIRD-PARTY.txt "$native/LICENSE-THIRD-PARTY"
    # The Go command does not notice that an archive has changed, and would use programs that it linked with the last one.
    cat >"$native/sum.go" <<END
//go:build cgo

package linux_amd64

// Sum is the SHA-256 of libtokenwell.a. A change of it makes the Go command link programs again.
const Sum = "$(sha256sum "$DIST/lib/libtokenwell.a" | cut -d ' ' -f 1)"
END
fi
