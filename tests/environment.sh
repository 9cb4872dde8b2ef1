# Sourced by other scripts. Makes the tests use what `make library` installed in $DIST, and removes
# the developer's own settings.

for name in $(env | sed -n 's/^\(\(TOKENWELL\|MONGODB_ATLAS\|MCLI\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
export TOKENWELL_BIN="$DIST/bin/tokenwell"
export PKG_CONFIG_PATH="$DIST/lib/pkgconfig"
export LD_LIBRARY_PATH="$DIST/lib"
TOKENWELL_LIBRARY="$DIST/lib/$(cd "$DIST/lib" && ls libtokenwell.so.0 libtokenwell.0.dylib 2>/dev/null | head -n 1)"
export TOKENWELL_LIBRARY
# Go programs link this library, and not the static one of a released module. A second -tags on a command line would replace these.
GOFLAGS="$("${GO:-go}" env GOFLAGS 2>/dev/null) -tags=tokenwell_dynamic"
export GOFLAGS
# Tests must not use the user's cache. A test that needs a cache sets one itself.
export TOKENWELL_CACHE=off
export FEATURES="${FEATURES:-cli,emulator,capi,reqwest,tower}"
