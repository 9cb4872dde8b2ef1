# Sourced by go_packages.sh: the files of the modules, and the names in the archive.
# shellcheck disable=SC2154,SC2034

two_builds_have_the_same_bytes() {
    # The second one from another directory, by another umask, time zone and language, and with files of another age.
    mkdir -p "$work/größer 2/lib" && cp -R "$DIST/go" "$work/größer 2/" &&
        cp -R "$DIST/lib/libtokenwell.a" "$DIST/lib/pkgconfig" "$work/größer 2/lib/" || return 1
    find "$work/größer 2" -type f -exec touch -d 2031-01-01 {} +
    chmod -R go-rwx "$work/größer 2"
    sh packaging/go_packages.sh "$DIST" "$packages" || return 1
    (umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 sh packaging/go_packages.sh "$work/größer 2" "$work/again") || return 1
    diff -r "$packages" "$work/again" || return 1
    [ "$(find "$packages" -name '*.zip' | wc -l)" -eq 3 ] || return 1
    for zip in "$proxy/@v/$version.zip" "$proxy/oauth2/@v/$version.zip" "$proxy/mongodriver/@v/$version.zip"; do
        figures="${figures:+$figures, }$(stat -c %s "$zip")"
        [ "$(stat -c %s "$zip")" -le 52428800 ] || return 1
    done
    figures="$figures bytes"
    # The time is that of the commit.
    grep "\"Version\":\"$version\",\"Time\":\"$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)\"" "$proxy/@v/$version.info"
}
a_module_above_the_limit_is_refused() {
    mkdir -p "$work/large/lib" && cp -R "$DIST/go" "$work/large/go" && cp -R "$DIST/lib/pkgconfig" "$work/large/lib/" || return 1
    head -c 53000000 /dev/urandom >>"$work/large/go/native/linux_amd64/libtokenwell.a"
    cp "$work/large/go/native/linux_amd64/libtokenwell.a" "$work/large/lib/"
    fails "$work/said" sh packaging/go_packages.sh "$work/large" "$work/none" || return 1
    rm -rf "$work/large"
    grep 'go_modules: .* bytes, and at most 52428800 are allowed: release the static libraries in modules of their own' "$work/said" && ! [ -e "$work/none/go" ]
}
the_integrations_require_the_same_version() {
    for integration in oauth2 mongodriver; do
        mod=$proxy/$integration/@v/$version.mod
        grep "$module $version" "$mod" || return 1
        if grep replace "$mod"; then return 1; fi
    done
}
nothing_to_package_is_one_sentence() {
    mkdir -p "$work/nothing"
    fails "$work/said" sh packaging/go_packages.sh "$work/nothing" "$work/none" || return 1
    cat "$work/said"
    [ "$(wc -l <"$work/said")" -eq 1 ] && grep 'is missing: run `make library`' "$work/said"
}
another_archive_is_one_sentence() { # that of another build
    mkdir -p "$work/other/lib" && cp -R "$DIST/go" "$work/other/go" && cp -R "$DIST/lib/pkgconfig" "$work/other/lib/" &&
        echo >"$work/other/lib/libtokenwell.a" || return 1
    fails "$work/said" sh packaging/go_packages.sh "$work/other" "$work/none" || return 1
    cat "$work/said"
    [ "$(wc -l <"$work/said")" -eq 1 ] && grep 'is not .*/libtokenwell.a: run `make library`' "$work/said"
}
no_time_is_one_sentence() { # outside of a checkout, the time of the version must be given
    mkdir -p "$work/checkout" && cp -R packaging "$work/checkout/" || return 1
    fails "$work/said" env -u SOURCE_DATE_EPOCH GIT_CEILING_DIRECTORIES="$work" sh "$work/checkout/packaging/go_packages.sh" "$DIST" "$work/none" || return 1
    cat "$work/said"
    [ "$(wc -l <"$work/said")" -eq 1 ] && grep 'set SOURCE_DATE_EPOCH' "$work/said"
}
the_flags_are_those_of_pkg_config() {
    grep -x "// #cgo LDFLAGS: \${SRCDIR}/libtokenwell.a $(sed -n 's/^Libs.private: //p' "$DIST/lib/pkgconfig/tokenwell.pc")" bindings/go/native/linux_amd64/native.go
}

# The names that an archive needs must be in the list: functions of the C library, and the unwinder of libgcc.
needs_listed_names() {
    nm -u "$1" | awk 'NF == 2 { print $2 }' | LC_ALL=C sort -u >"$work/needed"
    [ -s "$work/needed" ] || return 1
    if LC_ALL=C comm -23 "$work/needed" tests/more/go_packages/undefined.txt | grep .; then echo "these names are not listed" && return 1; fi
}
k6_the_archive_needs_only_listed_names() {
    needs_listed_names "$DIST/lib/libtokenwell.a" || return 1
    figures="$(wc -l <"$work/needed") names"
    # The check itself.
    echo 'void planted_name(void); void caller(void) { planted_name(); }' | "$CC" -x c -c - -o "$work/planted.o" || return 1
    ! needs_listed_names "$work/planted.o"
}
only_our_names_are_global() {
    nm -g --defined-only "$DIST/lib/libtokenwell.a" | awk 'NF == 3 { print $3 }' >"$work/defined"
    [ "$(grep -c '^tokenwell_' "$work/defined")" -ge 60 ] && ! grep -v '^tokenwell_\|^DW\.ref\.tokenwell_eh_personality$' "$work/defined"
}
# Thread-local data at a fixed distance from the thread pointer: a shared library with it (-buildmode=c-shared) may fail to load once a program runs.
static_tls() { readelf -rW "$1" | grep -E 'R_X86_64_(TPOFF|GOTTPOFF)'; }
k12_no_static_tls() {
    if static_tls "$DIST/lib/libtokenwell.a"; then return 1; fi
    # The check itself.
    echo '__thread int planted __attribute__((tls_model("initial-exec"))); int get(void) { return planted; }' | "$CC" -fPIC -x c -c - -o "$work/planted.o" &&
        static_tls "$work/planted.o"
}
# An object without the note, or with an executable one, makes the stack of the whole program executable.
asks_for_an_executable_stack() {
    readelf -SW "$1" | grep 'GNU-stack' >"$work/note" || return 0
    grep 'GNU-stack .* X ' "$work/note"
}
k2_no_executable_stack() {
    if asks_for_an_executable_stack "$DIST/lib/libtokenwell.a"; then return 1; fi
    # The check itself.
    for section in '.section .note.GNU-stack,"x",@progbits' '.data'; do
        echo "$section" | "$CC" -x assembler -c - -o "$work/planted.o" && asks_for_an_executable_stack "$work/planted.o" || return 1
    done
}
