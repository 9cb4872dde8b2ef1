# Sourced by c_packages.sh: the properties of every packaged program and library.
# shellcheck disable=SC2154,SC2034
# Requires: $tree (the unpacked archive), $root (the unpacked Debian packages).

# Each file, and what it may need: FILE TYPE INTERPRETER SONAME NEEDED GLIBC GCC, the last two as the highest version of symbols.
# It depends on the linker: with zig, any glibc since 2.17 is enough, and no library of gcc is needed.
elf_table() {
    case $(sh packaging/linker.sh) in
        */zig_cc)
            cat <<'END'
libtokenwell.so.0 DYN - libtokenwell.so.0 ld-linux-x86-64.so.2,libc.so.6,libdl.so.2,libpthread.so.0 2.17 -
tokenwell DYN /lib64/ld-linux-x86-64.so.2 - libc.so.6,libdl.so.2,libpthread.so.0 2.17 -
END
            ;;
        *)
            cat <<'END'
libtokenwell.so.0 DYN - libtokenwell.so.0 ld-linux-x86-64.so.2,libc.so.6,libgcc_s.so.1 2.34 4.2.0
tokenwell DYN /lib64/ld-linux-x86-64.so.2 - libc.so.6,libgcc_s.so.1 2.34 4.2.0
END
            ;;
    esac
}
elf_files() { # the paths of all ELF files below the directories
    find "$@" -type f -exec sh -c 'for file; do if [ "$(head -c 4 "$file" | tail -c 3)" = ELF ]; then echo "$file"; fi; done' sh {} +
}
at_most() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$2" ]; }
highest_version() { readelf -VW "$1" | sed -n "s/.*Name: $2_\([0-9.]*\) .*/\1/p" | sort -V | tail -n 1; }

fits_the_table() { # fits_the_table FILE
    file=$1 name=$(basename "$1")
    line=$(elf_table | grep "^$name ") || { echo "$file is not in the table"; return 1; }
    # Must be split into words.
    # shellcheck disable=SC2086
    set -- $line
    dynamic=$(readelf -dW "$file")
    interpreter=$(readelf -lW "$file" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
    soname=$(echo "$dynamic" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
    needed=$(echo "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort | tr '\n' ',' | sed 's/,$//')
    header=$(readelf -hW "$file")
    case $header in *ELF64*"$2"*X86-64*) ;; *) echo "$file: $header" && return 1 ;; esac
    found="$name $2 ${interpreter:--} ${soname:--} $needed $(highest_version "$file" GLIBC) $(highest_version "$file" GCC)"
    echo "$found"
    [ "$name $2 ${interpreter:--} ${soname:--} $needed" = "$1 $2 $3 $4 $5" ] || { echo "the table says: $line"; return 1; }
    at_most "$(highest_version "$file" GLIBC)" "$6" && at_most "$(highest_version "$file" GCC)" "$7" || { echo "the table says: $line"; return 1; }
    if echo "$dynamic" | grep -E 'RPATH|RUNPATH|TEXTREL'; then return 1; fi
    if readelf -lW "$file" | grep GNU_STACK | grep RWE; then return 1; fi
    echo "$dynamic" | grep -q BIND_NOW || { echo "BIND_NOW is missing"; return 1; }
}
k2_every_file_fits_the_table() {
    elf_files "$tree" "$root" >"$work/elf_files"
    [ "$(wc -l <"$work/elf_files")" -eq 4 ] || { echo "not two files in the archive and two in the Debian packages:" && cat "$work/elf_files" && return 1; }
    while IFS= read -r path; do fits_the_table "$path" || return 1; done <"$work/elf_files"
    figures="4 files, GLIBC_$(highest_version "$tree/lib/libtokenwell.so.0" GLIBC)"
}
a_file_that_does_not_fit_is_found() {
    cp "$tree/lib/libtokenwell.so.0" "$work/libother.so"
    fits_the_table "$work/libother.so" && return 1
    echo 'int x;' | "$CC" -shared -fPIC -x c - -Wl,-soname,libtokenwell.so.0 -Wl,-rpath,/x -o "$work/planted_libtokenwell.so.0" && mkdir -p "$work/planted" &&
        mv "$work/planted_libtokenwell.so.0" "$work/planted/libtokenwell.so.0" || return 1
    ! fits_the_table "$work/planted/libtokenwell.so.0"
}

k1_the_library_is_never_unloaded() {
    for library in "$tree/lib/libtokenwell.so.0" "$root/usr/lib/$platform/libtokenwell.so.0"; do
        readelf -dW "$library" | grep 'FLAGS_1.*NODELETE' || { echo "$library lacks NODELETE"; return 1; }
    done
}

# Thread-local data at a fixed distance from the thread pointer: such a library may fail to load once the program runs.
static_tls() { readelf -dW "$1" | grep STATIC_TLS || readelf -rW "$1" | grep TPOFF; }
k12_no_static_tls() {
    for library in "$tree/lib/libtokenwell.so.0" "$root/usr/lib/$platform/libtokenwell.so.0"; do
        if static_tls "$library"; then return 1; fi
    done
    # The check itself.
    echo '__thread int planted __attribute__((tls_model("initial-exec"))); int get(void) { return planted; }' |
        "$CC" -shared -fPIC -x c - -o "$work/static_tls.so" && static_tls "$work/static_tls.so"
}
k12_it_loads_after_thirty_libraries_with_thread_local_data() {
    for number in $(seq 30); do
        # Every second one takes space of the fixed size that the loader keeps for such data.
        model=$([ $((number % 2)) = 0 ] && echo initial-exec || echo global-dynamic)
        echo "__thread char data_${number}[120] __attribute__((tls_model(\"$model\"))) = {1}; char *get_$number(void) { return data_$number; }" |
            "$CC" -shared -fPIC -x c - -o "$work/tls_$number.so" || return 1
    done
    "$CC" -std=c11 -Wall -Wextra -Werror -I"$tree/include" tests/more/c_packages/late.c -ldl -o "$work/late" &&
        "$work/late" "$tree/lib/libtokenwell.so.0" "$work"/tls_*.so
}

the_stripped_library_has_at_most_4_3_mb() {
    for library in "$tree/lib/libtokenwell.so.0" "$root/usr/lib/$platform/libtokenwell.so.0"; do
        size=$(stat -c %s "$library")
        if readelf -SW "$library" | grep '\.symtab'; then return 1; fi
        [ "$size" -le 4300000 ] || { echo "$library: $size bytes"; return 1; }
    done
    figures="$size bytes"
}

exported() { nm -D --defined-only --with-symbol-versions "$1" | awk '{ sub(/@@/, "@", $NF); print $NF }' | sed 's/^\(TOKENWELL_[0-9.]*\)$/\1@\1/' | LC_ALL=C sort; }
the_symbols_file_lists_the_exported_symbols() {
    sed -n 's/^ \([^ ]*\) [0-9.]*$/\1/p' "$control/libtokenwell0/symbols" >"$work/listed"
    exported "$tree/lib/libtokenwell.so.0" >"$work/exported"
    figures="$(wc -l <"$work/listed") symbols"
    [ "$(wc -l <"$work/listed")" -ge 60 ] && diff "$work/exported" "$work/listed"
}
