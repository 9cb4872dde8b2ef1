# Sourced by go_packages.sh: builds that do not fit, each of which is one error.
# shellcheck disable=SC2154,SC2034

without_cgo_there_is_one_error() {
    cd "$work/programs/hello" && fails "$work/said" env CGO_ENABLED=0 "$GO" build -o none . &&
        says_once "$work/said" 'install a C compiler and set CGO_ENABLED=1'
}
a_checkout_has_one_error() { # without the tag, a checkout of the repository has no library
    program checkout "$work/programs/hello/main.go" && "$GO" mod edit -require "$module@v0.0.0" -replace "$module=$root/bindings/go" || return 1
    fails "$work/said" "$GO" build -o none . &&
        says_once "$work/said" '#error "The static library is in released modules' '-tags tokenwell_dynamic and pkg-config'
}
compiles() { # compiles COMPILER...: the header that decides which library is linked
    "$@" -fsyntax-only -x c "$cached/library.h"
}
another_platform_has_one_error() {
    fails "$work/said" compiles "$CC" -U__linux__ && says_once "$work/said" 'for Linux on x86-64 only' '-tags tokenwell_dynamic' || return 1
    # The check itself.
    compiles "$CC"
}
arm64_has_one_error() {
    fails "$work/said" compiles aarch64-linux-gnu-gcc && says_once "$work/said" 'for Linux on x86-64 only' '-tags tokenwell_dynamic' || return 1
    # The whole build compiles the standard library for that platform.
    if [ -n "${SHORT:-}" ]; then return; fi
    cd "$work/programs/hello" && fails "$work/said" env CC=aarch64-linux-gnu-gcc GOARCH=arm64 CGO_ENABLED=1 "$GO" build -o none . &&
        says_once "$work/said" 'for Linux on x86-64 only' '-tags tokenwell_dynamic'
}
k5_a_compiler_for_musl_has_one_error() {
    cd "$work/programs/hello" && fails "$work/said" env CC=musl-gcc "$GO" build -o none . &&
        says_once "$work/said" 'The C compiler is for musl' '-tags tokenwell_dynamic' || return 1
    fails "$work/said" env CC=musl-gcc "$GO" build -tags musl -o none . &&
        says_once "$work/said" 'The C compiler is for musl' '-tags tokenwell_dynamic'
}
k5_the_tag_musl_with_glibc_has_one_error() {
    cd "$work/programs/hello" && fails "$work/said" "$GO" build -tags musl -o none . &&
        says_once "$work/said" 'The build tag musl is set, but the C compiler is for glibc' 'Build without -tags musl'
}
another_header_has_one_error() { # with the tag tokenwell_dynamic, pkg-config may find any
    mkdir -p "$work/another/lib/pkgconfig" "$work/another/include" && cp "$pkg_config_path/tokenwell.pc" "$work/another/lib/pkgconfig/" || return 1
    sed 's/^#define TOKENWELL_ABI_VERSION 1$/#define TOKENWELL_ABI_VERSION 2/' "$root/include/tokenwell.h" >"$work/another/include/tokenwell.h"
    # The Go command does not notice another header: an option that only the compiler of this package gets makes it compile the package again.
    cd "$work/programs/hello" &&
        pkg_config_path=$work/another/lib/pkgconfig fails "$work/said" shared "$GO" build -tags tokenwell_dynamic -gcflags="$module=-e" -o none . &&
        says_once "$work/said" 'requires ABI version 1 of libtokenwell, but tokenwell.h has another version' PKG_CONFIG_PATH
}
a_path_that_cgo_does_not_allow_is_named() {
    cd "$work/programs/hello" && fails "$work/said" env GOMODCACHE="$work/mod (copy)" "$GO" build -o none . || return 1
    cat "$work/said"
    grep "malformed #cgo argument: .*/mod (copy)/" "$work/said" && grep -q 'malformed #cgo argument' "$root/bindings/go/README.md"
}
