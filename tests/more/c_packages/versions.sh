# Sourced by c_packages.sh: programs that run while tokenwell is replaced, and programs and libraries of different versions.
# shellcheck disable=SC2154,SC2034

# A program that gets and revokes tokens until its standard input closes, while something is done to the files of its library.
while_it_runs() { # while_it_runs LIBDIR COMMAND...
    libdir=$1
    shift
    "$CC" -std=c11 -Wall -Wextra -Werror -I"$tree/include" tests/more/c_packages/long_running.c -L"$libdir" -ltokenwell -o "$work/long_running" || return 1
    rm -f "$work/gate" "$work/rounds"
    mkfifo "$work/gate"
    LD_LIBRARY_PATH="$libdir" "$work/long_running" <"$work/gate" >"$work/rounds" &
    running=$!
    exec 8>"$work/gate"
    until_rounds 5 || return 1
    "$@" || return 1
    until_rounds $(($(wc -l <"$work/rounds") + 5)) || return 1
    exec 8>&-
    wait "$running" || { tail -n 3 "$work/rounds"; return 1; }
    figures="$(wc -l <"$work/rounds") tokens"
}
until_rounds() { # waits until the program has written so many lines, which takes as long as it takes unless the program ends
    while [ "$(wc -l <"$work/rounds")" -lt "$1" ]; do
        kill -0 "$running" 2>/dev/null || { echo "the program ended" && cat "$work/rounds" && return 1; }
        sleep 0.05
    done
}
an_upgrade_does_not_disturb_a_running_program() {
    sh bindings/c/install.sh "$DIST" "$work/upgraded" /usr lib >/dev/null || return 1
    before=$(stat -c %i "$work/upgraded/usr/lib/libtokenwell.so.0")
    while_it_runs "$work/upgraded/usr/lib" sh bindings/c/install.sh "$DIST" "$work/upgraded" /usr lib || return 1
    [ "$before" != "$(stat -c %i "$work/upgraded/usr/lib/libtokenwell.so.0")" ]
}
an_uninstallation_does_not_disturb_a_running_program() {
    while_it_runs "$work/upgraded/usr/lib" sh bindings/c/install.sh --uninstall "$work/upgraded" /usr lib || return 1
    find "$work/upgraded" -type f -o -type l | grep . && return 1
    return 0
}
an_upgrade_by_dpkg_does_not_disturb_a_running_program() {
    mkdir -p "$work/newer" && dpkg-deb -R "$packages"/libtokenwell0_*.deb "$work/newer/tree" || return 1
    sed -i 's/^Version: .*/Version: 0.1.0-2/' "$work/newer/tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$work/newer/tree" "$work/newer/libtokenwell0.deb" >/dev/null || return 1
    # libtokenwell-dev depends on exactly its version.
    while_it_runs "$root/usr/lib/$platform" dpkg --root="$root" --force-script-chrootless --force-depends --log="$work/dpkg.log" -i "$work/newer/libtokenwell0.deb"
}

other_version() { # other_version DIRECTORY NODE: a library of another version, whose newer function has this version
    mkdir -p "$1"
    printf 'TOKENWELL_0 { global: tokenwell_abi_version; tokenwell_version; local: *; };\n%s { global: tokenwell_newer_function; };\n' "$2" >"$1/map"
    "$CC" -shared -fPIC tests/more/c_packages/other_version.c -Wl,-soname,libtokenwell.so.0 -Wl,--version-script="$1/map" -o "$1/libtokenwell.so.0" &&
        ln -sf libtokenwell.so.0 "$1/libtokenwell.so"
}
a_program_does_not_start_with_a_library_that_lacks_a_function() {
    other_version "$work/later" TOKENWELL_9.9 || return 1
    echo 'int tokenwell_newer_function(void); int main(void) { return tokenwell_newer_function(); }' |
        "$CC" -x c - -L"$work/later" -ltokenwell -o "$work/newer_program" || return 1
    LD_LIBRARY_PATH="$work/later" "$work/newer_program" || return 1
    LD_LIBRARY_PATH="$tree/lib" "$work/newer_program" >"$work/said" 2>&1 && return 1
    cat "$work/said"
    [ "$(wc -l <"$work/said")" -eq 1 ] && grep "libtokenwell.so.0: version .TOKENWELL_9.9. not found (required by" "$work/said"
}
another_abi_version_is_one_sentence() { # the check of the README in C, and library_mismatch() in C++
    other_version "$work/later" TOKENWELL_9.9 || return 1
    snippet versions "$work/check.c" || return 1
    printf '#include <tokenwell.hpp>\n#include <iostream>\nint main() { std::cout << tokenwell::library_mismatch(); return tokenwell::library_mismatch().empty() ? 0 : 1; }\n' >"$work/check.cpp"
    "$CC" -std=c11 -Wall -Wextra -Werror -I"$tree/include" "$work/check.c" -L"$tree/lib" -ltokenwell -o "$work/check_c" &&
        "$CXX" -std=c++17 -Wall -Wextra -Werror -I"$tree/include" "$work/check.cpp" -L"$tree/lib" -ltokenwell -o "$work/check_cpp" || return 1
    for program in check_c check_cpp; do
        LD_LIBRARY_PATH="$tree/lib" "$work/$program" >"$work/said" 2>&1 && ! [ -s "$work/said" ] || { cat "$work/said"; return 1; }
        if LD_LIBRARY_PATH="$work/later" "$work/$program" >"$work/said" 2>&1; then return 1; fi
        grep "built with .*tokenwell 0\.1\.0.*tokenwell 9\.9\.9.*: install" "$work/said" || { cat "$work/said"; return 1; }
    done
}
