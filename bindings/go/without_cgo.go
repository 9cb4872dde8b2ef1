//go:build !cgo

package tokenwell

// Go has no directive for an error, so the build fails at this constant: every file with code, except
// this one, requires cgo, so that the error is the only one. The compiler repeats what is longer than
// 72 characters. A build for another platform also needs CC, a C compiler for that platform.
const _ int = "tokenwell requires cgo: install a C compiler and set CGO_ENABLED=1"
