# Sourced, not run: what `make library` laid out is what the tests find, and what the developer has configured has no say.

for name in $(env | sed -n 's/^\(\(TOKENWELL\|MONGODB_ATLAS\|MCLI\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
export TOKENWELL_BIN="$DIST/bin/tokenwell"
export PKG_CONFIG_PATH="$DIST/lib/pkgconfig"
export LD_LIBRARY_PATH="$DIST/lib"
export TOKENWELL_LIBRARY="$DIST/lib/$(cd "$DIST/lib" && ls libtokenwell.so.0 libtokenwell.0.dylib 2>/dev/null | head -n 1)"
# A test that wants a cache names one; nothing may reach the user's own.
export TOKENWELL_CACHE=off
