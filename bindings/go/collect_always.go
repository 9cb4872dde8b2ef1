//go:build cgo && tokenwell_gcstress

package tokenwell

import "runtime"

// collectGarbage runs the garbage collector at every call into C and at every call from C. What is
// reachable only by luck is then freed, and a test fails.
func collectGarbage() { runtime.GC() }
