//go:build cgo && !tokenwell_gcstress

package tokenwell

// collectGarbage does nothing, except with the build tag tokenwell_gcstress.
func collectGarbage() {}
