//go:build cgo && !tokenwell_dynamic && !musl

package tokenwell

// Links the static library. Other builds either link the shared library (build tag
// tokenwell_dynamic) or end with an error in library.h.
import _ "github.com/tokenwell/tokenwell/bindings/go/native/linux_amd64"
