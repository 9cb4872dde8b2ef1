# Sourced by c_packages.sh: a cached get with tokenwell.hpp costs what it costs in C.
# shellcheck disable=SC2154,SC2034

calls_of_get() { # calls_of_get OBJECT: the functions that `get` calls, in alphabetical order
    objdump -dr --no-show-raw-insn "$1" | awk '/^[0-9a-f]+ <.*>:$/ { inside = /<_?[A-Za-z0-9]*get/ } inside && /R_X86_64_(PLT32|PC32|GOTPCRELX)/ { print $3 }' |
        sed 's/[-+]0x[0-9a-f]*$//' | grep -v -e '^\.' -e clang_call_terminate | LC_ALL=C sort
}
a_cached_get_makes_the_same_calls_in_cpp() {
    "$CC" -std=c11 -O2 -I"$tree/include" -c tests/more/c_packages/cost.c -o "$work/cost_c.o" &&
        "$CXX" -std=c++17 -O2 -I"$tree/include" -c tests/more/c_packages/cost.cpp -o "$work/cost_cpp.o" || return 1
    calls_of_get "$work/cost_c.o" >"$work/calls_c"
    calls_of_get "$work/cost_cpp.o" >"$work/calls_cpp"
    [ "$(wc -l <"$work/calls_c")" -eq 4 ] || { cat "$work/calls_c"; return 1; }
    diff "$work/calls_c" "$work/calls_cpp" || return 1
    figures="$(tr '\n' ' ' <"$work/calls_c" | sed 's/ $//')"
}
instructions() { # instructions PROGRAM: of one cached get, from the difference between 1,000 and 11,000 gets
    for count in 1000 11000; do
        LD_LIBRARY_PATH="$tree/lib" valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" "$count" 2>&1 >/dev/null |
            sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
    done | tr '\n' ' ' | awk '{ printf "%d\n", ($2 - $1) / 10000 }'
}
a_cached_get_costs_as_many_instructions_in_cpp() {
    "$CC" "$work/cost_c.o" -L"$tree/lib" -ltokenwell -o "$work/cost_c" && "$CXX" "$work/cost_cpp.o" -L"$tree/lib" -ltokenwell -o "$work/cost_cpp" || return 1
    in_c=$(instructions "$work/cost_c") in_cpp=$(instructions "$work/cost_cpp")
    figures="$in_c instructions in C, $in_cpp in C++"
    # What remains are tests for NULL. The first get waits for a server, for a time that differs, which is a few instructions for each get.
    echo "$figures"
    [ "$in_c" -gt 50 ] && [ "$in_cpp" -le $((in_c + 16)) ]
}
