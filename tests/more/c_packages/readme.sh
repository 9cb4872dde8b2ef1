# Sourced by c_packages.sh: the commands and programs of bindings/c/README.md.
# shellcheck disable=SC2154,SC2034

# snippet NAME FILE: the code block that follows the comment `<!-- NAME -->`
snippet() {
    awk -v name="<!-- $1 -->" '$0 == name { found = 1 } inside && /^```$/ { exit } inside { print } found && /^```/ { inside = 1 }' bindings/c/README.md >"$2"
    [ -s "$2" ] || { echo "bindings/c/README.md has no code block for $1"; return 1; }
}

the_programs_of_the_readme_run() {
    snippet hello "$work/hello.c" && snippet hello_cpp "$work/hello.cpp" && snippet compile "$work/compile.sh" || return 1
    (cd "$work" && from "$installed" lib sh -e compile.sh) || return 1
    for program in hello hello_cpp; do env -u LD_LIBRARY_PATH "$work/$program" | grep 'a token of [1-9]' || return 1; done
}
the_six_tasks_of_the_readme_work() {
    : >"$work/snippets.inc"
    for name in settings retry report event_loop request vault; do
        snippet "$name" "$work/one.inc" && cat "$work/one.inc" >>"$work/snippets.inc" || return 1
    done
    from "$installed" lib eval "$CC -std=c11 -Wall -Wextra -Werror -I'$work' tests/more/c_packages/snippets.c \$(pkg-config --cflags --libs tokenwell) -o '$work/snippets'" || return 1
    printf '%s' "$MONGODB_ATLAS_CLIENT_SECRET" >"$work/secret"
    chmod 600 "$work/secret"
    LD_LIBRARY_PATH="$tree/lib" "$work/snippets" "$MONGODB_ATLAS_CLIENT_ID" "$work/secret" "$MONGODB_ATLAS_BASE_URL"
}
the_cmake_lines_of_the_readme_work() {
    snippet cmake "$work/lines.cmake" && mkdir -p "$work/readme_cmake" && snippet hello "$work/readme_cmake/hello.c" || return 1
    cp "$work/lines.cmake" "$work/readme_cmake/CMakeLists.txt"
    cmake -S "$work/readme_cmake" -B "$work/readme_cmake/build" -DCMAKE_PREFIX_PATH="$tree" && cmake --build "$work/readme_cmake/build" || return 1
    for program in hello hello_static; do a_token "$work/readme_cmake/build/$program" || return 1; done
}
the_static_lines_of_the_readme_work() {
    snippet static "$work/static.sh" && snippet hello "$work/hello.c" || return 1
    (cd "$work" && from "$installed" lib sh -e static.sh) || return 1
    for program in hello_static hello_archive; do needs_the_library "$work/$program" no && a_token "$work/$program" || return 1; done
}
the_apt_line_of_the_readme_names_the_packages() {
    snippet apt "$work/apt.sh" || return 1
    for package in $(grep -o '\./[a-z0-9-]*_[^ ]*\.deb' "$work/apt.sh"); do [ -f "$packages/$(basename "$package")" ] || { echo "$package does not exist"; return 1; }; done
    [ "$(grep -o '\.deb' "$work/apt.sh" | wc -l)" -eq 3 ]
}
