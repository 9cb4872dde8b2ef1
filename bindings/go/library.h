// Includes the tokenwell.h of the library that the program is linked with, or reports with one
// #error that there is no such library. The header is included in any case: without the names in
// it, cgo would report each of them too.
//
// TOKENWELL_GO_DYNAMIC and TOKENWELL_GO_MUSL are the build tags tokenwell_dynamic and musl.

#ifndef TOKENWELL_GO_LIBRARY_H
#define TOKENWELL_GO_LIBRARY_H

#include <stdint.h>

#ifdef TOKENWELL_GO_DYNAMIC
#include <tokenwell.h>
#elif __has_include("native/linux_amd64/tokenwell.h")
#include "native/linux_amd64/tokenwell.h"
#else
// A checkout of the repository.
#include "../../include/tokenwell.h"
#endif

#ifdef TOKENWELL_GO_DYNAMIC
// pkg-config finds the library, for any platform.
#elif !defined(__linux__) || !defined(__x86_64__)
#error "The static library is for Linux on x86-64 only. For this platform, build libtokenwell, and link it with -tags tokenwell_dynamic and pkg-config."
#elif defined(TOKENWELL_GO_MUSL) && defined(__GLIBC__)
#error "The build tag musl is set, but the C compiler is for glibc. Build without -tags musl, or set CC to a compiler for musl."
#elif !defined(__GLIBC__)
// The build tag musl will choose a static library for musl.
#error "The C compiler is for musl, as on Alpine Linux, and the static library is for glibc. Build libtokenwell, and link it with -tags tokenwell_dynamic and pkg-config, or set CC to a compiler for glibc."
#elif !__has_include("native/linux_amd64/libtokenwell.a")
#error "The static library is in released modules, not in a checkout. Build with -tags tokenwell_dynamic and pkg-config, or use a released module."
#endif

#if TOKENWELL_ABI_VERSION != 1
#error "This package requires ABI version 1 of libtokenwell, but tokenwell.h has another version. Set PKG_CONFIG_PATH to the pkgconfig directory of the library that matches this package."
#endif

#endif
