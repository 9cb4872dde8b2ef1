# Sourced by python_packages.sh: the bytes and the properties of the packages.
# shellcheck disable=SC2154,SC2034

k10_two_builds_have_the_same_bytes() {
    # The second one from another directory, by another umask, time zone, language and Python, with files of another age, and beside a wheel of another version.
    mkdir -p "$work/größer 2" && cp -R "$DIST/bin" "$DIST/lib" "$work/größer 2/" && cp -R packaging "$work/größer 2/" || return 1
    find "$work/größer 2" -type f -exec touch -d 2031-01-01 {} +
    chmod -R go-rwx "$work/größer 2"
    sh packaging/python_packages.sh "$DIST" "$packages" || return 1
    mkdir -p "$work/again/riscv64-linux-gnu" && : >"$work/again/riscv64-linux-gnu/tokenwell-0.0.9-py3-none-manylinux_2_39_riscv64.whl" || return 1
    (umask 077 && PYTHON=$(oldest_python) TZ=Asia/Tokyo LC_ALL=C.UTF-8 PYTHONHASHSEED=7 \
        sh packaging/python_packages.sh "$work/größer 2" "$work/again") || return 1
    rm -r "$work/again/riscv64-linux-gnu"
    diff -r "$packages" "$work/again" || return 1
    [ "$(find "$packages" -name '*.whl' | wc -l)" -eq 3 ] && [ "$(find "$packages" -name '*.tar.gz' | wc -l)" -eq 2 ] || return 1
    figures=$(cd "$packages" && stat -c '%n %s' -- */*.whl *.whl *.tar.gz | tr '\n' ' ' | sed 's/ $//')
}
the_oldest_python_builds_without_tomli() { # with the one in pip; without pip another Python is used, or what is needed is said
    old=$(oldest_python)
    "$old" -c 'import tomli' 2>/dev/null || PYTHONPATH=bindings/python/backend "$old" -c 'import tokenwell_build' || return 1
    environment_of "$work/bare" "$old" && mkdir -p "$work/no_python" || return 1
    for name in python3 python3.11 python3.12 python3.13 python3.14; do
        printf '#!/bin/sh\nexit 1\n' >"$work/no_python/$name" && chmod 755 "$work/no_python/$name" || return 1
    done
    if PATH="$work/no_python:$PATH" PYTHON="$work/bare/bin/python" sh packaging/python_packages.sh "$DIST" "$work/none" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    grep -x "tokenwell: the build of the Python package needs a Python 3.11 or newer, .* and $work/bare/bin/python has none of them" "$work/said" &&
        [ "$(wc -l <"$work/said")" -eq 1 ] && figures=$("$old" --version)
}
the_metadata_is_complete_before_the_library_is_built() { # of a checkout and of the source distribution, as PEP 517 requires
    mkdir -p "$work/unpacked_sdist" "$work/metadata" && tar -xzf "$sdist" -C "$work/unpacked_sdist" || return 1
    cat >"$work/metadata.py" <<'END'
import os, sys, zipfile
import tokenwell_build
wheel, output, *projects = sys.argv[1:]
archive = zipfile.ZipFile(wheel)
wanted = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" in name and not name.endswith("/RECORD")}
# The tag is that of the library.
name = next(name for name in wanted if name.endswith("/WHEEL"))
wanted[name] = b"".join(line for line in wanted[name].splitlines(True) if not line.startswith(b"Tag:"))
for number, project in enumerate(projects):
    os.chdir(project)
    top = os.path.join(output, str(number))
    found = os.path.join(top, tokenwell_build.prepare_metadata_for_build_wheel(top))
    files = {}
    for directory, _, names in os.walk(found):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                files[os.path.relpath(file.name, top)] = file.read()
    assert files == wanted, (project, sorted(files), sorted(wanted))
    assert sum(name.endswith("/licenses/LICENSE-THIRD-PARTY") for name in files) == 1
    editable = tokenwell_build.prepare_metadata_for_build_editable(os.path.join(top, "editable"))
    with open(os.path.join(top, "editable", editable, "WHEEL")) as file:
        assert file.read().endswith("Root-Is-Purelib: true\nTag: py3-none-any\n")
END
    PYTHONPATH="$root/bindings/python/backend" "$PYTHON" "$work/metadata.py" "$wheel" "$work/metadata" "$root/bindings/python" "$work/unpacked_sdist"/*
}
without_zig() { # without_zig COMMAND...
    mkdir -p "$work/no_zig" && printf '#!/bin/sh\nexit 1\n' >"$work/no_zig/zig" && chmod 755 "$work/no_zig/zig" && env -u ZIG PATH="$work/no_zig:$PATH" "$@"
}
a_compiler_of_several_words_links() {
    echo 'int f(void) { return 1; }' >"$work/words.c"
    without_zig CC="env $CC" sh -eu -c '. packaging/link.sh; link -shared -fPIC -o "$1" "$2"' sh "$work/words.so" "$work/words.c" &&
        readelf -h "$work/words.so" | grep DYN || return 1
    # A command that cannot be used is refused before anything is compiled.
    if without_zig CC='no_such_program gcc' CARGO=false sh packaging/library.sh "$work/none" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    grep -x "tokenwell: the C compiler 'no_such_program gcc' is missing: install it, or name another one in the variable CC" "$work/said" || return 1
    if LINK_CC='env cc' CARGO=false sh packaging/library.sh "$work/none" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    grep -x "tokenwell: LINK_CC is 'env cc', which is not the path or the name of a program" "$work/said"
}
the_tools_install() { # one environment for all tools that only this suite uses, with pinned versions
    environment_of "$work/checkers" "$PYTHON" with_pip &&
        pip "$work/checkers" install --quiet pip==26.1 auditwheel==6.8.2 packaging==26.4 pytest==9.2.0 pytest-xdist==3.8.0
}
k10_every_wheel_describes_itself() {
    for file in "$wheel" "$cli_wheel" "$plugin_wheel"; do
        "$work/checkers/bin/python" tests/more/python_packages/check_wheel.py "$file" "$SOURCE_DATE_EPOCH" || return 1
    done
}
k10_a_wrong_wheel_is_found() { # the check itself
    mkdir -p "$work/wrong" && cp "$plugin_wheel" "$work/wrong/pytest_tokenwell-0.1.0-py3-none-linux_x86_64.whl" || return 1
    "$PYTHON" tests/more/python_packages/check_wheel.py "$work/wrong/pytest_tokenwell-0.1.0-py3-none-linux_x86_64.whl" 2>&1 | grep 'the tags: found' || return 1
    cp "$plugin_wheel" "$work/wrong/" &&
        "$PYTHON" -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "a").writestr("planted.py", "")' "$work/wrong/$(basename "$plugin_wheel")" || return 1
    "$PYTHON" tests/more/python_packages/check_wheel.py "$work/wrong/$(basename "$plugin_wheel")" 2>&1 | grep 'the files of RECORD: found'
}
k9_the_tag_is_that_of_the_library() { # computed once more, with readelf
    for pair in "$wheel $DIST/lib/libtokenwell.so.0" "$cli_wheel $DIST/bin/tokenwell"; do
        # The paths have no spaces.
        # shellcheck disable=SC2086
        set -- $pair
        highest=$(printf '2.17\n%s\n' "$(highest_version "$2" GLIBC)" | sort -V | tail -n 1)
        expected=manylinux_$(echo "$highest" | tr . _)_x86_64
        [ "$highest" != 2.17 ] || expected=$expected.manylinux2014_x86_64
        case $1 in *-py3-none-"$expected".whl) ;; *) echo "$1 is not for $expected" && return 1 ;; esac
    done
    figures="$expected"
    [ "$highest" = 2.17 ] || figures="$expected, because the library was linked with the glibc of this system"
}
k9_auditwheel_agrees() {
    for file in "$wheel" "$cli_wheel"; do
        "$work/checkers/bin/python" -m auditwheel show "$file" >"$work/said" 2>&1 || { cat "$work/said"; return 1; }
        cat "$work/said"
        tr '\n' ' ' <"$work/said" | grep "is consistent with the following platform tag: \"$(basename "$file" .whl | sed 's/.*-//; s/\..*//')\"" || return 1
    done
}
a_library_that_is_not_portable_is_not_published() {
    sh packaging/python.sh "$work/other" "$DIST/lib/libtokenwell.so.0" || return 1
    echo 'int f(void) { return 1; }' | "$CC" -shared -fPIC -x c - -Wl,-soname,libmine.so.7 -o "$work/libmine.so" &&
        echo 'int f(void); int g(void) { return f(); }' |
        "$CC" -shared -fPIC -x c - -x none "$work/libmine.so" -o "$work/other/tokenwell/_lib/libtokenwell.so.0" || return 1
    if PYTHONPATH="$work/other/backend" "$PYTHON" -m tokenwell_build wheel "$work/other" "$work/other_wheels" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    grep -x 'tokenwell: a wheel of this library or command cannot be published: it needs libmine.so.7, which not every Linux system has' "$work/said" ||
        return 1
    # It can be installed here.
    pip "$work/checkers" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/other_wheels" "$work/other" || return 1
    [ -f "$work/other_wheels/tokenwell-0.1.0-py3-none-linux_x86_64.whl" ]
}
the_files_of_the_wheels_unpack() {
    for file in "$wheel" "$cli_wheel"; do "$PYTHON" -m zipfile -e "$file" "$work/unpacked" || return 1; done
    mkdir -p "$tree/lib" "$tree/bin" && mv "$work/unpacked/tokenwell/_lib/libtokenwell.so.0" "$tree/lib/" &&
        mv "$work/unpacked"/tokenwell_cli-*.data/scripts/tokenwell "$tree/bin/"
}
# These two have the names of those for the packages for C, which also search the Debian packages.
k1_the_library_is_never_unloaded() { readelf -dW "$tree/lib/libtokenwell.so.0" | grep 'FLAGS_1.*NODELETE'; }
k2_every_file_fits_the_table() {
    elf_files "$tree" >"$work/elf_files"
    [ "$(wc -l <"$work/elf_files")" -eq 2 ] || { cat "$work/elf_files"; return 1; }
    # There is a table for each linker. The tag says which one linked these files, which is not always the one that is installed now.
    case $(basename "$wheel") in *manylinux2014*) linker=$root/packaging/zig_cc ;; *) linker=$CC ;; esac
    while IFS= read -r path; do LINK_CC="$linker" fits_the_table "$path" || return 1; done <"$work/elf_files"
    figures="2 files, GLIBC_$(highest_version "$tree/lib/libtokenwell.so.0" GLIBC)"
}
k12_no_static_tls() { ! static_tls "$tree/lib/libtokenwell.so.0"; }
the_stripped_library_has_at_most_4_3_mb() {
    figures="$(stat -c %s "$tree/lib/libtokenwell.so.0") bytes, the wheel $(stat -c %s "$wheel") bytes"
    ! readelf -SW "$tree/lib/libtokenwell.so.0" | grep '\.symtab' && [ "$(stat -c %s "$tree/lib/libtokenwell.so.0")" -le 4300000 ]
}
nothing_to_package_is_one_sentence() {
    mkdir -p "$work/nothing"
    if sh packaging/python_packages.sh "$work/nothing" "$work/none" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    [ "$(wc -l <"$work/said")" -eq 1 ] && grep -q 'is missing: run `make library`' "$work/said" || return 1
    if SOURCE_DATE_EPOCH=yesterday sh packaging/python_packages.sh "$DIST" "$work/none" >"$work/said" 2>&1; then return 1; fi
    grep -x "SOURCE_DATE_EPOCH is 'yesterday', and must be a number of seconds since 1970" "$work/said"
}
