//go:build cgo

// Package linux_amd64 links the static library for Linux with glibc on x86-64. The package
// tokenwell imports it; there is nothing in it for programs.
//
// libtokenwell.a and tokenwell.h are in the released module and not in the git repository. They are
// in a package of their own because `go mod vendor` copies the files of packages only. In the archive,
// only the symbols of tokenwell are global, so that a second Rust library can be linked into the same
// program.
package linux_amd64

// libgcc_eh instead of libgcc_s, so that the same line also serves a program that is linked fully
// statically (-extldflags -static). A test compares the line with that of tokenwell.pc.

// #cgo LDFLAGS: ${SRCDIR}/libtokenwell.a -lgcc_eh -lutil -lrt -lpthread -lm -ldl -lc
import "C"
