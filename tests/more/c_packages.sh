#!/bin/sh
# The packages for C, C++ and Debian: the same bytes from two builds, what each file may need, and programs that users build with them, away from the
# source and without cargo. SHORT=1: fewer of the combinations of tree, language and library, and a part of the C tests.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need dpkg-deb "it makes the Debian packages; install dpkg"
need cmake "it builds the programs as a user of CMake does; install cmake"
need pkg-config "it finds the library as a user does; install pkg-config"
need rustc "it compiles a second Rust library, and prints what a static library needs"
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    skip "the table of what each file may need is for Linux on x86-64"
    finish c_packages
    exit
fi
: "${CC:=cc}" "${CXX:=c++}" "${TARGET:=${CARGO_TARGET_DIR:-$PWD/target}}"
platform=x86_64-linux-gnu
# Used by the files that are sourced below.
# shellcheck disable=SC2034
debian=amd64
# As in a checkout without history.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 1750000000)
export SOURCE_DATE_EPOCH
# A directory with a space: paths are quoted everywhere, also in what pkg-config prints.
tree="$work/moved here"
root=$work/root packages=$work/packages/$platform control=$work/control
# The same tree by a path without a space, for make, and for the lines of the README, which users type.
installed=$work/installed
ln -s "$tree" "$installed"
mkdir -p "$root" "$control"
. tests/more/c_packages/library_test.sh
. tests/more/c_packages/debian_test.sh
. tests/more/c_packages/projects.sh
. tests/more/c_packages/versions.sh
. tests/more/c_packages/cost.sh
. tests/more/c_packages/readme.sh

# claim NAME: the function of this name is a test. It may set `figures`, which are printed.
claim() {
    figures='' claimed=$1
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok $claimed${figures:+: $figures}"
    else
        failed=$((failed + 1))
        echo "FAILED $claimed"
        tail -n 60 "$work/output" | sed 's/^/  /'
    fi
}
with() { # with TOOL NAME...: these tests, if there is such a tool
    tool=$1
    shift
    for test in "$@"; do
        if command -v "$tool" >/dev/null 2>&1; then claim "$test"; else skip "$test: $tool is missing"; fi
    done
}

# ---- the packages ----

k10_two_builds_have_the_same_bytes() {
    # The second one from another directory, by another umask, time zone and language, and with files of another age.
    mkdir -p "$work/größer 2" && cp -R "$DIST/bin" "$DIST/include" "$DIST/lib" "$work/größer 2/" || return 1
    find "$work/größer 2" -type f -exec touch -d 2031-01-01 {} +
    chmod -R go-rwx "$work/größer 2"
    sh packaging/c_packages.sh "$DIST" "$work/packages" &
    first=$!
    (umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 sh packaging/c_packages.sh "$work/größer 2" "$work/again")
    code=$?
    wait "$first" && [ "$code" -eq 0 ] || return 1
    diff -r "$work/packages" "$work/again" || return 1
    [ "$(find "$packages" -name '*.deb' | wc -l)" -eq 3 ] && [ "$(find "$packages" -name '*.tar.gz' | wc -l)" -eq 1 ] || return 1
    figures=$(cd "$packages" && stat -c '%n %s' -- * | tr '\n' ' ' | sed 's/ $//')
    # The times are those of the commit.
    tar --utc --full-time -tvf "$packages"/*.tar.gz | awk '{ print $4, $5 }' | sort -u | grep -x "$(date -u -d "@$SOURCE_DATE_EPOCH" '+%Y-%m-%d %H:%M:%S')"
}
the_archive_unpacks_into_one_directory() {
    mkdir -p "$work/unpacked" && tar -xzf "$packages"/tokenwell-*.tar.gz -C "$work/unpacked" || return 1
    [ "$(find "$work/unpacked" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ] || return 1
    # It is moved after it was unpacked.
    mv "$work/unpacked"/* "$tree" || return 1
    for file in include/tokenwell.h include/tokenwell.hpp include/tokenwell_emulator.h lib/libtokenwell.a lib/libtokenwell.so lib/pkgconfig/tokenwell.pc \
        bin/tokenwell share/man/man1/tokenwell-exec.1 share/bash-completion/completions/tokenwell share/zsh/site-functions/_tokenwell share/fish/vendor_completions.d/tokenwell.fish; do
        [ -s "$tree/$file" ] || { echo "$file is missing"; return 1; }
    done
    bash -n "$tree/share/bash-completion/completions/tokenwell"
}
nothing_names_a_directory_of_the_build_machine() {
    for directory in "$tree" "$root/usr"; do
        for path in "$PWD" "$DIST" "${CARGO_HOME:-$HOME/.cargo}" registry/src "$work"; do
            if grep -rlF "$path" "$directory"; then echo "contains $path" && return 1; fi
        done
    done
}
the_html_pages_are_packaged() { [ -s "$tree/share/doc/tokenwell/html/tokenwell_8h.html" ] && [ -s "$root/usr/share/doc/libtokenwell-dev/html/index.html" ]; }
the_licenses_of_the_crates_are_packaged() {
    cmp packaging/licenses/THIRD-PARTY.txt "$tree/share/doc/tokenwell/THIRD-PARTY.txt"
}
without_doxygen_the_packages_have_no_pages() {
    DOXYGEN=no-doxygen sh packaging/c_packages.sh "$DIST" "$work/without" >"$work/said" 2>&1 || { cat "$work/said"; return 1; }
    grep 'no-doxygen is missing: the packages have no HTML pages' "$work/said" && [ "$(find "$work/without" -name '*.deb' | wc -l)" -eq 3 ] || return 1
    ! tar -tzf "$work/without/$platform"/*.tar.gz | grep html
}
another_system_directory_is_refused() { # LIBDIR is relative
    if sh bindings/c/install.sh "$DIST" "$work/none" /usr /usr/lib 2>"$work/said"; then return 1; fi
    grep 'LIBDIR must be relative to PREFIX' "$work/said" && ! [ -e "$work/none" ]
}
nothing_to_package_is_one_sentence() {
    mkdir -p "$work/nothing"
    for script in "packaging/c_packages.sh $work/nothing $work/none" "bindings/c/install.sh $work/nothing $work/none /usr lib"; do
        # Must be split into words.
        # shellcheck disable=SC2086
        if sh $script >"$work/said" 2>&1; then return 1; fi
        cat "$work/said"
        [ "$(wc -l <"$work/said")" -eq 1 ] && grep -q 'is missing: run `make library`' "$work/said" || return 1
    done
}
a_zig_that_does_not_work_is_an_error() { # and not a package that needs a newer glibc than the last one did
    if ZIG=/no/zig sh packaging/linker.sh >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    grep '^linker.sh: ZIG is /no/zig, which does not work: .*not found' "$work/said" || return 1
    printf '#!/bin/sh\necho "$@"\n' >"$work/zig here" && chmod 755 "$work/zig here" && [ "$(ZIG="$work/zig here" sh packaging/linker.sh)" = "$PWD/packaging/zig_cc" ] || return 1
    ZIG="$work/zig here" packaging/zig_cc a.o -lgcc_s -lc | grep -x 'cc -target x86_64-linux-gnu.2.17 a.o -lunwind -lc'
}
another_system_is_one_sentence() { # which is said before anything is built
    mkdir -p "$work/uname" && printf '#!/bin/sh\necho Linux aarch64\n' >"$work/uname/uname" && chmod 755 "$work/uname/uname" || return 1
    if PATH="$work/uname:$PATH" sh packaging/packages.sh --check 2>"$work/said"; then return 1; fi
    cat "$work/said"
    grep 'on x86-64 Linux with glibc only, and this is Linux aarch64' "$work/said" && sh packaging/packages.sh --check
}
no_time_is_one_sentence() { # outside of a checkout, the time of the files must be given
    mkdir -p "$work/checkout/bindings" && cp -R packaging include examples LICENSE-* CHANGELOG.md "$work/checkout/" && cp -R bindings/c "$work/checkout/bindings/c" || return 1
    if env -u SOURCE_DATE_EPOCH GIT_CEILING_DIRECTORIES="$work" sh "$work/checkout/packaging/c_packages.sh" "$DIST" "$work/none" >"$work/said" 2>&1; then return 1; fi
    grep 'set SOURCE_DATE_EPOCH' "$work/said"
}

claim k10_two_builds_have_the_same_bytes
claim the_archive_unpacks_into_one_directory
claim the_packages_install
[ -x "$tree/bin/tokenwell" ] && [ -x "$root/usr/bin/tokenwell" ] || { finish c_packages; exit 1; }
claim nothing_names_a_directory_of_the_build_machine
claim the_licenses_of_the_crates_are_packaged
with doxygen the_html_pages_are_packaged
if [ -z "${SHORT:-}" ]; then claim without_doxygen_the_packages_have_no_pages; fi
claim another_system_directory_is_refused
claim no_time_is_one_sentence
claim a_zig_that_does_not_work_is_an_error
claim another_system_is_one_sentence
claim nothing_to_package_is_one_sentence
claim every_file_of_the_installation_is_in_one_package
claim the_fields_are_right
claim the_symbols_file_lists_the_exported_symbols
with dpkg-gensymbols dpkg_gensymbols_agrees
with apt-get apt_can_install_them
with lintian lintian_has_no_complaint

# ---- the files ----

claim k1_the_library_is_never_unloaded
claim k2_every_file_fits_the_table
claim a_file_that_does_not_fit_is_found
claim k12_no_static_tls
claim the_stripped_library_has_at_most_4_3_mb
claim k14_libs_private_are_those_of_rustc

# ---- programs of users: from here on without cargo, and with a server ----

# The directories with cargo are replaced by one with links to the other commands in them.
mkdir -p "$work/tools"
rustc_of_the_test=$(rustc --print sysroot)/bin/rustc
rustc() { "$rustc_of_the_test" "$@"; }
path=$work/tools
old_ifs=$IFS
IFS=:
for directory in $PATH; do
    if [ -x "$directory/cargo" ] || [ -x "$directory/rustc" ]; then
        for command in "$directory"/*; do
            case ${command##*/} in cargo* | rust*) ;; *) ln -sf "$command" "$work/tools/" ;; esac
        done
    else
        path=$path:$directory
    fi
done
IFS=$old_ifs
export PATH="$path"
cargo_is_not_on_the_path() { ! command -v cargo && ! env which rustc; }
claim cargo_is_not_on_the_path

unset PKG_CONFIG_PATH
mkfifo "$work/stdin"
"$tree/bin/tokenwell" emulator --until-stdin-closes --no-rate-limit <"$work/stdin" >"$work/emulator.env" 2>"$work/emulator.log" &
exec 9>"$work/stdin"
for _ in $(seq 300); do
    grep -qx '# ready' "$work/emulator.env" && break
    sleep 0.1
done
set -a
. "$work/emulator.env"
set +a
[ -n "${MONGODB_ATLAS_BASE_URL:-}" ] || { echo "FAILED the emulator did not start" && cat "$work/emulator.log" && exit 1; }

k14_cmake_in_a_moved_tree() { cmake_project "$tree" Debug && cmake_project "$tree" Release; }
k14_cmake_with_the_debian_packages() { cmake_project "$root/usr" Release; }
k14_pkg_config_in_a_moved_tree() { from "$tree" lib pkg_config_project "$tree" lib; }
k14_pkg_config_with_the_debian_packages() { from_root pkg_config_project "$root/usr" "lib/$platform"; }
k14_a_tree_in_destdir_works() { # a multiarch directory, installed through DESTDIR and moved to where it belongs
    sh bindings/c/install.sh "$DIST" "$work/destdir" /opt/tokenwell "lib/$platform" >/dev/null && mv "$work/destdir/opt/tokenwell" "$work/prefix" || return 1
    cmake_project "$work/prefix" Debug && from "$work/prefix" "lib/$platform" pkg_config_project "$work/prefix" "lib/$platform"
}
the_debian_flags_are_plain() { # on a system where they are installed, pkg-config prints the library alone
    [ "$(PKG_CONFIG_LIBDIR="$root/usr/lib/$platform/pkgconfig" pkg-config --variable=prefix tokenwell)" = /usr ] &&
        ! grep 'may be moved' "$root/usr/lib/$platform/pkgconfig/tokenwell.pc"
}
claim k12_it_loads_after_thirty_libraries_with_thread_local_data
claim k14_cmake_in_a_moved_tree
claim k14_pkg_config_in_a_moved_tree
claim k14_cmake_with_the_debian_packages
if [ -z "${SHORT:-}" ]; then
    claim k14_pkg_config_with_the_debian_packages
    claim k14_a_tree_in_destdir_works
fi
claim the_debian_flags_are_plain
claim cmake_compares_versions
claim cmake_works_with_c_plus_plus_alone
claim cmake_says_what_is_wrong
claim cmake_finds_the_header_through_a_link
claim a_static_program_resolves_a_name
claim two_rust_libraries_link_in_both_orders
with dpkg-shlibdeps dpkg_finds_what_a_program_depends_on
claim tokenwell_hpp_is_clean_with_every_compiler
claim a_cached_get_makes_the_same_calls_in_cpp
with valgrind a_cached_get_costs_as_many_instructions_in_cpp
claim the_programs_of_the_readme_run
claim the_six_tasks_of_the_readme_work
claim the_cmake_lines_of_the_readme_work
claim the_static_lines_of_the_readme_work
claim the_apt_line_of_the_readme_names_the_packages
if a_layer_can_be_mounted; then
    with apt-get they_install_on_this_system
else
    skip "they_install_on_this_system: only root can mount a layer above this system, and not in every container"
fi
claim a_program_does_not_start_with_a_library_that_lacks_a_function
claim another_abi_version_is_one_sentence
claim an_upgrade_does_not_disturb_a_running_program
claim an_uninstallation_does_not_disturb_a_running_program

# ---- the tests of bindings/c, with the packaged library ----

the_c_tests_pass_with_the_installed_library() { # [NAME...]: these tests, or all
    make -s -C bindings/c PREFIX="$installed" BUILD="$work/c" "$work/c/test_tokenwell" "$work/c/unload" "$work/c/fail_allocation.so" examples || return 1
    TOKENWELL_BIN="$tree/bin/tokenwell" ONLY="${*:-all}" sh bindings/c/tests/run.sh "$installed" "$work/c" >"$work/c_tests" 2>&1
    code=$?
    grep -v '^ok' "$work/c_tests"
    figures=$(tail -n 1 "$work/c_tests")
    return $code
}
if [ -n "${SHORT:-}" ]; then
    # Must be split into words.
    # shellcheck disable=SC2046
    claim the_c_tests_pass_with_the_installed_library $(sed -n 's/^ *TEST(\([a-z0-9_]*\)),/\1/p' bindings/c/tests/lifetimes.c bindings/c/tests/errors.c)
else
    claim the_c_tests_pass_with_the_installed_library
fi

if [ "$(id -u)" -eq 0 ]; then
    claim an_upgrade_by_dpkg_does_not_disturb_a_running_program
    claim a_purge_leaves_nothing
else
    skip "upgrade and purge: dpkg installs only as root"
fi
exec 9>&-
finish c_packages
