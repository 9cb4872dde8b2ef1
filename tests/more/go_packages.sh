#!/bin/sh
# The Go modules as users have them: from a directory as the module proxy, without the source, cargo, pkg-config and LD_LIBRARY_PATH.
# SHORT=1: fewer ways to build, and a part of the tests and of the vectors.
cd "$(dirname "$0")/../.." || exit 1
root=$(pwd)
. tests/more/need.sh
: "${GO:=go}" "${CC:=cc}" "${CARGO:=cargo}" "${FEATURES:=cli,emulator,capi}"
need "$GO" "it builds the programs; install Go 1.24 or newer"
# For each of these modes, Go compiles the standard library once more.
if [ -n "${BUILD_ONLY:-}" ]; then
    cd bindings/go || exit 1
    for mode in -race "-buildmode=pie -trimpath"; do
        # shellcheck disable=SC2046,SC2086 # Words.
        "$GO" build $mode $("$GO" list -deps -f '{{if .Standard}}{{.ImportPath}}{{end}}' .) || exit 1
    done
fi
built
need rustc "it compiles a second Rust library"
need readelf "it shows what a program needs; install binutils"
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ] || ! [ -f "$DIST/go/native/linux_amd64/libtokenwell.a" ]; then
    skip "the modules are made from the library for Linux with glibc on x86-64"
    finish go_packages
    exit
fi
# As in a checkout without history.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 1750000000)
export SOURCE_DATE_EPOCH
module=github.com/tokenwell/tokenwell/bindings/go
# The files that are sourced below use these.
# shellcheck disable=SC2034
version=v$(sed -n 's/^Version: //p' "$DIST/lib/pkgconfig/tokenwell.pc") packages=$work/packages proxy=$work/packages/go/$module
pkg_config_path=$DIST/lib/pkgconfig
emulators=
# The module cache is read-only.
trap 'kill $emulators 2>/dev/null; chmod -R u+w "$work"; rm -rf "$work"' EXIT
. tests/more/go_packages/claim.sh
. tests/more/go_packages/modules.sh
. tests/more/go_packages/programs.sh
. tests/more/go_packages/errors.sh
. tests/more/go_packages/readme.sh

claim two_builds_have_the_same_bytes
[ -f "$proxy/@v/$version.zip" ] || { finish go_packages; exit 1; }
claim the_integrations_require_the_same_version
claim a_module_above_the_limit_is_refused
claim nothing_to_package_is_one_sentence
claim another_archive_is_one_sentence
claim no_time_is_one_sentence
claim the_flags_are_those_of_pkg_config
claim k6_the_archive_needs_only_listed_names
claim only_our_names_are_global
claim k12_no_static_tls
claim k2_no_executable_stack

# ---- from here on as a user, and with a server ----

emulator plain
emulator tls --tls --ca-file "$work/ca.pem"
rustc --edition 2021 --crate-type staticlib -O tests/more/c_packages/second.rs -o "$work/libsecond.a" || exit 1
original_path=$PATH
# Go itself keeps what it has compiled, its toolchain and where other modules come from. The settings of the developer are not used.
GOCACHE=$("$GO" env GOCACHE) GOTOOLCHAIN=$("$GO" env GOTOOLCHAIN) public=$("$GO" env GOPROXY)
# Letters outside of ASCII, and spaces.
export GOENV=off GOCACHE GOTOOLCHAIN GOPATH="$work/größer mit Raum" GOPROXY="file://$packages/go" GONOSUMDB=github.com/tokenwell
GOMODCACHE=$GOPATH/pkg/mod
# shellcheck disable=SC2034
cached=$GOMODCACHE/$module@$version
export GOMODCACHE
leave_the_source
set -a
. "$work/plain.env"
set +a

claim cargo_is_not_on_the_path
claim a_program_gets_a_token
[ -x "$work/programs/hello/hello" ] || { finish go_packages; exit 1; }
claim the_module_has_the_licences
claim nothing_names_a_directory_of_the_build_machine
claim the_module_cache_is_read_only
claim the_programs_of_the_readme_run
claim a_vendored_program_needs_no_module
claim k5_a_static_program_resolves_a_name
if [ -z "${SHORT:-}" ]; then
    claim k5_pie
    claim k5_trimpath
else
    claim k5_pie_and_trimpath
fi
claim k5_race
claim k5_the_shared_library
claim k6_it_links_with_every_compiler
claim sizes_and_the_time_of_a_start
claim two_rust_libraries_link_in_both_orders
claim two_major_versions_in_one_program
claim another_static_library_is_one_sentence
claim a_changed_archive_is_linked_again
claim the_examples_run
claim without_cgo_there_is_one_error
claim a_checkout_has_one_error
claim another_platform_has_one_error
with aarch64-linux-gnu-gcc arm64_has_one_error
with musl-gcc k5_a_compiler_for_musl_has_one_error
claim k5_the_tag_musl_with_glibc_has_one_error
claim another_header_has_one_error
claim a_path_that_cgo_does_not_allow_is_named
claim pkg_config_was_not_called
claim the_tests_of_the_wrapper_pass
claim the_vectors_pass
claim no_module_was_changed
finish go_packages
