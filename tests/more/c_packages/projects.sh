# Sourced by c_packages.sh: programs that users build with CMake and with pkg-config.
# shellcheck disable=SC2154,SC2034

# a_token COMMAND...: the program prints a token. Nothing of the environment leads it to the library.
a_token() { env -u LD_LIBRARY_PATH -u TOKENWELL_LIBRARY "$@" | grep 'a token of [1-9]'; }

# needs_the_library PROGRAM yes|no: whether the program is linked with the shared library
needs_the_library() {
    if readelf -dW "$1" | grep -q 'NEEDED.*\[libtokenwell\.so\.0\]'; then needed=yes; else needed=no; fi
    [ "$needed" = "$2" ] || { echo "$1 needs the shared library: $needed"; return 1; }
}

# cmake_project PREFIX CONFIGURATION: both languages, with the shared and the static library
cmake_project() {
    rm -rf "$work/cmake"
    cmake -S tests/more/c_packages/project -B "$work/cmake" -DCMAKE_BUILD_TYPE="$2" -DCMAKE_PREFIX_PATH="$1" -DEXAMPLES="$PWD/examples" \
        -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" && cmake --build "$work/cmake" -j 2 || return 1
    grep -i "^tokenwell_DIR:.*=$1" "$work/cmake/CMakeCache.txt" || { echo "another tokenwell was found:"; grep tokenwell_DIR "$work/cmake/CMakeCache.txt"; return 1; }
    for language in c cpp; do
        needs_the_library "$work/cmake/hello_${language}_tokenwell" yes && a_token "$work/cmake/hello_${language}_tokenwell" || return 1
        needs_the_library "$work/cmake/hello_${language}_static" no && a_token "$work/cmake/hello_${language}_static" || return 1
    done
}

# pkg_config_project PREFIX LIBDIR: both languages, shared; static with a shared C library; fully static
pkg_config_project() {
    for language in c cpp; do
        if [ "$language" = c ]; then compiler="$CC -std=c11"; else compiler="$CXX -std=c++17"; fi
        source=examples/$language/hello_token.$language
        # The flags may contain escaped spaces, which only `eval` reads.
        eval "$compiler -Wall -Wextra -Werror $source $(pkg-config --cflags --libs tokenwell) -o '$work/shared'" || return 1
        eval "$compiler $source $(pkg-config --static --cflags --libs tokenwell | sed 's/ -ltokenwell / -l:libtokenwell.a /') -o '$work/archive'" || return 1
        # The C library warns of its name lookups, which need its shared parts.
        eval "$compiler -static $source $(pkg-config --static --cflags --libs tokenwell) -o '$work/static'" 2>"$work/warnings" || { cat "$work/warnings"; return 1; }
        needs_the_library "$work/shared" yes && LD_LIBRARY_PATH="$1/$2" "$work/shared" | grep 'a token of [1-9]' || return 1
        needs_the_library "$work/archive" no && a_token "$work/archive" || return 1
        if readelf -lW "$work/static" | grep 'INTERP'; then return 1; fi
        a_token "$work/static" || return 1
    done
}
# from PREFIX LIBDIR COMMAND...: with the pkg-config files of this tree alone
from() (
    export PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR="$1/$2/pkgconfig"
    shift 2
    "$@"
)
# The files of the Debian package name /usr, which is below another root here.
from_root() (
    export PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR="$root/usr/lib/$platform/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
    "$@"
)

a_static_program_resolves_a_name() {
    from "$installed" lib eval "$CC -static examples/c/hello_token.c \$(pkg-config --static --cflags --libs tokenwell) -o '$work/static'" 2>/dev/null || return 1
    a_token env MONGODB_ATLAS_BASE_URL="$(echo "$MONGODB_ATLAS_BASE_URL" | sed 's/127\.0\.0\.1/localhost/')" "$work/static" || return 1
    # The check itself: an unknown name is reported as one.
    MONGODB_ATLAS_BASE_URL=https://no-such-host.invalid "$work/static" 2>&1 | grep -i 'no-such-host.invalid'
}

k14_libs_private_are_those_of_rustc() {
    words() { tr -s ' ' '\n' | sed '/^$/d' | LC_ALL=C sort -u; }
    sed -n 's/^Libs.private: //p' "$tree/lib/pkgconfig/tokenwell.pc" | words >"$work/private"
    # A static library with the same standard library; of other native libraries tokenwell has none.
    : >"$work/empty.rs"
    rustc --crate-type staticlib --print native-static-libs "$work/empty.rs" -o "$work/empty.a" 2>&1 | sed -n 's/^note: native-static-libs: //p' >"$work/libraries"
    [ -s "$work/libraries" ] || { echo "rustc printed no libraries"; return 1; }
    sed 's/-lgcc_s/-lgcc_eh/' "$work/libraries" | words | diff - "$work/private" || return 1
    # What rustc printed for this library itself, where it was built.
    if [ -f "$TARGET/release/libtokenwell.libs" ]; then sed 's/-lgcc_s/-lgcc_eh/' "$TARGET/release/libtokenwell.libs" | words | diff - "$work/private" || return 1; fi
    sed -n 's/.*INTERFACE_LINK_LIBRARIES "Threads::Threads;\(.*\)").*/\1/p' "$tree/lib/cmake/tokenwell/tokenwell-config.cmake" | tr ';' ' ' | words | diff - "$work/private"
}

tokenwell_hpp_is_clean_with_every_compiler() {
    compilers=
    for compiler in g++ clang++; do
        command -v "$compiler" || continue
        compilers="$compilers $compiler"
        for standard in c++17 c++20; do
            for source in examples/cpp/hello_token.cpp bindings/c/tests/cpp.cpp; do
                "$compiler" -std=$standard -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$tree/include" -c "$source" -o "$work/clean.o" || return 1
            done
        done
    done
    figures=$(echo "$compilers" | sed 's/^ //')
    [ -n "$compilers" ]
}

# ---- what CMake says ----

finds() { # finds CODE [VARIABLE...]: configures a project with this CMake code
    code=$1
    shift
    rm -rf "$work/finds"
    mkdir -p "$work/finds"
    printf 'cmake_minimum_required(VERSION 3.10)\n%s\n' "$code" >"$work/finds/CMakeLists.txt"
    cmake -S "$work/finds" -B "$work/finds/build" -DCMAKE_PREFIX_PATH="$tree" "$@" 2>&1
}
says() { # says PATTERN CODE [VARIABLE...]: it fails, and says this
    pattern=$1
    shift
    if finds "$@" >"$work/said"; then echo "this did not fail: $1" && return 1; fi
    # Messages are wrapped.
    tr -s ' \n' ' ' <"$work/said" | grep -e "$pattern" || { cat "$work/said" && return 1; }
}
cmake_compares_versions() {
    for fitting in "" 0 0.1 0.1.0 "0.1.0 EXACT"; do finds "project(x C)
find_package(tokenwell $fitting CONFIG REQUIRED)" || return 1; done
    for bad in 0.2 0.0 1 0.1.9; do
        says 'tokenwell-config.cmake, version: 0.1.0' "project(x C)
find_package(tokenwell $bad CONFIG REQUIRED)" || return 1
    done
    if [ "$(cmake --version | sed -n 's/^cmake version 3\.\([0-9]*\).*/\1/p')" -ge 19 ]; then
        finds "project(x C)
find_package(tokenwell 0.1...<1 CONFIG REQUIRED)" || return 1
    fi
}
cmake_works_with_c_plus_plus_alone() {
    finds 'project(x CXX)
find_package(tokenwell CONFIG REQUIRED)
get_target_property(libraries tokenwell::static INTERFACE_LINK_LIBRARIES)
if(NOT TARGET Threads::Threads OR NOT libraries MATCHES Threads)
  message(FATAL_ERROR "no threads")
endif()'
}
cmake_says_what_is_wrong() {
    says 'tokenwell has no component tls' 'project(x C)
find_package(tokenwell CONFIG REQUIRED COMPONENTS tls)' || return 1
    says '(64-bit)' 'project(x NONE)
set(CMAKE_SIZEOF_VOID_P 4)
find_package(tokenwell CONFIG REQUIRED)' || return 1
    mv "$tree/lib/libtokenwell.a" "$work/kept.a"
    says 'libtokenwell.a is missing: install tokenwell again' 'project(x C)
find_package(tokenwell CONFIG REQUIRED)'
    code=$?
    mv "$work/kept.a" "$tree/lib/libtokenwell.a"
    return $code
}
cmake_finds_the_header_through_a_link() { # as on systems where /lib is a link to /usr/lib
    mkdir -p "$work/merged" && ln -sfn "$root/usr/lib" "$work/merged/lib" || return 1
    finds 'project(x C)
find_package(tokenwell CONFIG REQUIRED)
get_target_property(include tokenwell::tokenwell INTERFACE_INCLUDE_DIRECTORIES)
if(NOT EXISTS "${include}/tokenwell.h")
  message(FATAL_ERROR "${include}")
endif()' -DCMAKE_PREFIX_PATH="$work/merged" -Dtokenwell_DIR="$work/merged/lib/$platform/cmake/tokenwell"
}

# ---- two Rust libraries in one program ----

two_rust_libraries_link_in_both_orders() {
    rustc --edition 2021 --crate-type staticlib -O tests/more/c_packages/second.rs -o "$work/libsecond.a" || return 1
    private=$(sed -n 's/^Libs.private: //p' "$tree/lib/pkgconfig/tokenwell.pc")
    for archives in "$installed/lib/libtokenwell.a $work/libsecond.a" "$work/libsecond.a $installed/lib/libtokenwell.a"; do
        for mode in '' -static; do
            # Must be split into words.
            # shellcheck disable=SC2086
            "$CC" $mode -std=c11 -Wall -Wextra -Werror -I"$tree/include" tests/more/c_packages/two_libraries.c $archives $private -o "$work/two" 2>"$work/warnings" ||
                { cat "$work/warnings"; return 1; }
            a_token "$work/two" || return 1
        done
    done
}
