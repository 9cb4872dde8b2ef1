#!/bin/sh
# Checks the symbols and flags of the shared library: `abi_symbols.sh LIBRARY HEADER [PATH...]`.
# PATH is a directory of the build machine; the library must not contain it.
# Prints one line for each check, as the test programs do, and exits with 1 if one fails.
set -u

library=$1
header=$2
shift 2
failed=0

say() { # say NAME FAULT: the check passes if FAULT is empty
    if [ -z "$2" ]; then
        echo "ok $1"
    else
        echo "FAIL $1"
        printf '%s\n' "$2" | sed 's/^/  /'
        failed=1
    fi
}

# The names of the version nodes are absolute symbols.
symbols=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $NF }' | sort -u)
exported=$(printf '%s\n' "$symbols" | sed 's/@.*//')
# A declaration is a name with the prefix before an opening parenthesis, outside comments.
declared=$(sed -e 's://.*$::' "$header" | tr '\n' ' ' | sed -e 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/::g' |
    grep -oE 'tokenwell_[a-z0-9_]+[[:space:]]*\(' | tr -d ' (' | sort -u)
dynamic=$(readelf -dW "$library")

say only_tokenwell_symbols_are_exported "$(printf '%s\n' "$exported" | grep -v '^tokenwell_[a-z0-9_]*$')"
say every_declared_function_is_exported "$(printf '%s\n' "$declared" | while read -r name; do
    printf '%s\n' "$exported" | grep -qx "$name" || echo "declared, not exported: $name"
done)"
say every_exported_function_is_declared "$(printf '%s\n' "$exported" | while read -r name; do
    printf '%s\n' "$declared" | grep -qx "$name" || echo "exported, not declared: $name"
done)"
say every_symbol_has_a_version "$(printf '%s\n' "$symbols" | grep -v '@@TOKENWELL_[0-9.]*$')"
say no_directory_of_the_build_machine_is_named "$(for path in "$@"; do
    if grep -qaF "$path" "$library"; then echo "$path"; fi
done)"
say there_is_something_to_compare "$([ "$(printf '%s\n' "$declared" | wc -l)" -ge 30 ] || echo "fewer than 30 functions were found in $header")"
say the_soname_is_libtokenwell_so_0 "$(printf '%s\n' "$dynamic" | grep -q 'SONAME.*\[libtokenwell\.so\.0\]' || printf '%s\n' "$dynamic" | grep SONAME || echo 'there is no SONAME')"
say the_library_is_never_unloaded "$(printf '%s\n' "$dynamic" | grep -q 'FLAGS_1.*NODELETE' || echo 'the flag NODELETE is missing (link with -z nodelete)')"
say no_code_is_relocated "$(printf '%s\n' "$dynamic" | grep -E 'TEXTREL' || true)"
say only_the_c_library_is_needed "$(printf '%s\n' "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vE '^(libc\.so\.6|libc\.musl-[a-z0-9_]+\.so\.1|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|libgcc_s\.so\.1|ld-linux[a-z0-9_.-]*)$')"
say the_stack_is_not_executable "$(readelf -lW "$library" | grep 'GNU_STACK' | grep -E 'RWE' || true)"

exit "$failed"
