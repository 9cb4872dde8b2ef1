# Sourced by python_packages.sh: pip and uv, with wheels and with the source distribution.
# shellcheck disable=SC2154,SC2034

version_of_library='import tokenwell; print(tokenwell.library_version(), tokenwell.__file__)'
the_wheel_installs_in_a_path_with_spaces_and_other_letters() {
    environment_of "$venv" && ours "$venv" 'tokenwell[cli]' || return 1
    (cd / && "$venv/bin/python" -c "$version_of_library" | grep "^0.1.0 $venv/") && "$venv/bin/tokenwell" --version | grep -x 'tokenwell 0.1.0' || return 1
    pip "$venv" check
}
# What pip finds for a platform: found PIP PLATFORM yes|no
found() {
    rm -rf "$work/downloads"
    code=no
    pip "$1" download --quiet --no-deps --no-index --find-links "$wheels" --only-binary=:all: --platform "$2" --dest "$work/downloads" \
        tokenwell >"$work/said" 2>&1 && code=yes
    echo "$2: $code, and should be $3"
    [ "$code" = "$3" ] || { cat "$work/said"; return 1; }
    [ "$code" = no ] || [ -f "$work/downloads/$(basename "$wheel")" ]
}
platforms_for() { # platforms_for PIP: the names under which a user may ask for the wheel
    pip "$1" --version
    found "$1" "$tag" yes && found "$1" linux_x86_64 no && found "$1" manylinux_2_28_aarch64 no && found "$1" manylinux2010_x86_64 no || return 1
    case $(basename "$wheel") in
        *manylinux2014*) found "$1" manylinux2014_x86_64 yes && found "$1" manylinux_2_28_x86_64 no ;;
        *) found "$1" manylinux2014_x86_64 no && figures="the library needs a newer glibc than manylinux2014 has, so it is found as $tag only" ;;
    esac
}
k9_pip_finds_the_wheel_of_a_named_platform() { platforms_for "$work/checkers"; }
oldest_python() { # the oldest supported one
    for candidate in python3.9 "$HOME_OF_USER"/.pyenv/versions/3.9.*/bin/python3 python3.10 "$HOME_OF_USER"/.pyenv/versions/3.10.*/bin/python3; do
        if "$candidate" -c 'import ensurepip' 2>/dev/null; then command -v "$candidate" && return; fi
    done
    echo "$PYTHON"
}
k9_an_old_pip_finds_the_wheel() { # the oldest with the name manylinux_X_Y
    environment_of "$work/old" "$(oldest_python)" with_pip && pip "$work/old" install --quiet pip==20.3.4 && platforms_for "$work/old"
}
snippet() { # snippet NAME: the code block of the README that follows the comment
    awk -v name="<!-- $1 -->" '$0 == name { found = 1 } inside && /^```$/ { exit } inside { print } found && /^```/ { inside = 1 }' bindings/python/README.md
}
the_lines_of_the_readme_install() {
    mkdir -p "$work/in_checkout/dist" && ln -sfn "$packages" "$work/in_checkout/dist/packages"
    snippet install_packages >"$work/lines.sh" && snippet install >>"$work/lines.sh" && [ "$(wc -l <"$work/lines.sh")" -eq 2 ] || return 1
    (cd "$work/in_checkout" && PATH="$work/checkers/bin:$PATH" PIP_NO_INDEX=1 PIP_FIND_LINKS="$wheels" sh -ex "$work/lines.sh") || return 1
    (cd / && "$work/checkers/bin/python" -c "$version_of_library") || return 1
    # For a wheel that is not for manylinux2014, the line is the same with the tag of this wheel.
    snippet lambda >"$work/lambda.sh"
    grep -c manylinux2014_x86_64 "$work/lambda.sh" | grep -x 1 || return 1
    case $(basename "$wheel") in *manylinux2014*) ;; *) sed -i "s/manylinux2014_x86_64/$tag/" "$work/lambda.sh" ;; esac
    (cd "$work/in_checkout" && PATH="$work/checkers/bin:$PATH" PIP_NO_INDEX=1 PIP_FIND_LINKS="$wheels" sh -ex "$work/lambda.sh") || return 1
    (cd / && PYTHONPATH="$work/in_checkout/package" "$PYTHON" -c "$version_of_library" | grep in_checkout/package)
}
dist_python_installs_with_its_library() { # the staged tree has its own library, and needs no compiler
    sh packaging/python.sh "$work/staged" "$DIST/lib/libtokenwell.so.0" && environment_of "$work/staged_env" || return 1
    PATH=/nowhere pip "$work/staged_env" install --quiet --no-deps --no-build-isolation "$work/staged" || return 1
    (cd / && "$work/staged_env/bin/python" -c "$version_of_library" | grep "$work/staged_env/") || return 1
    [ ! -d "$work/staged/build" ] && [ -z "$(find "$work/staged" -name '*.egg-info')" ]
}
fresh_packages_directory() { # without wheels, as on a platform that has none
    rm -rf "$work/sdist_only" && mkdir -p "$work/sdist_only" && cp "$sdist" "$work/sdist_only/"
}
from_source() { # from_source ENVIRONMENT: as pip does when no wheel fits. Tools of the build come from the registry.
    pip "$1" install --quiet --no-binary tokenwell --find-links "$work/sdist_only" tokenwell==0.1.0 >"$work/said" 2>&1
}
one_message() { # of our lines, in the order of $work/said
    grep -o 'tokenwell: the library cannot be built.*' "$work/said" | grep -c . | grep -qx 1 && ! grep -q 'Traceback' "$work/said"
}
k11_without_cargo_the_source_distribution_fails_with_one_message() {
    fresh_packages_directory && environment_of "$work/no_cargo" || return 1
    if from_source "$work/no_cargo"; then return 1; fi
    cat "$work/said"
    one_message && grep 'cargo is missing' "$work/said" && grep "This platform: linux_x86_64, glibc [0-9.]*, CPython 3" "$work/said" &&
        grep "Wheels of tokenwell 0.1.0 exist for:.* $tag" "$work/said" && grep -F 'pip install --only-binary tokenwell tokenwell' "$work/said" &&
        grep 'To build it: install Rust 1.89 or newer' "$work/said" && ! grep 'too old' "$work/said" || return 1
    # What the message recommends: a short refusal.
    if pip "$work/no_cargo" install --only-binary tokenwell --no-index --find-links "$work/sdist_only" tokenwell >"$work/said" 2>&1; then return 1; fi
    grep 'No matching distribution found for tokenwell' "$work/said"
}
k11_an_old_pip_is_named() {
    pip "$work/old" install --quiet pip==20.2.4 2>/dev/null || return 1
    fresh_packages_directory
    tar -xzf "$sdist" -C "$work/sdist_only" && printf 'manylinux_2_34_x86_64\n' >"$work/sdist_only/tokenwell-0.1.0/wheels.txt" || return 1
    if pip "$work/old" install "$work/sdist_only/tokenwell-0.1.0" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    one_message && grep 'pip 20.2.4 is too old for these wheels: install pip 20.3 or newer with' "$work/said" || return 1
    pip "$work/old" install --quiet pip==20.3.4
}
k11_without_cargo_a_checkout_fails_with_one_message() {
    mkdir -p "$work/checkout/bindings" && cp -R bindings/python "$work/checkout/bindings/" &&
        cp -R packaging src Cargo.toml Cargo.lock README.md "$work/checkout/" &&
        rm -rf "$work/checkout/bindings/python/tokenwell/_lib" || return 1
    if pip "$work/no_cargo" install "$work/checkout/bindings/python" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    one_message && grep 'cargo is missing. In a checkout, `make library` names everything that the build needs' "$work/said" &&
        grep 'To build it: install Rust' "$work/said" || return 1
    # Another tool that the build needs.
    mkdir -p "$work/fake" && for tool in cargo rustc; do printf '#!/bin/sh\nexit 1\n' >"$work/fake/$tool" && chmod 755 "$work/fake/$tool" || return 1; done
    for tool in sh env; do ln -sf "$(command -v $tool)" "$work/fake/$tool"; done
    if PATH="$work/fake" CC="$CC" pip "$work/no_cargo" install --no-build-isolation "$work/checkout/bindings/python" >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    one_message && grep 'the library cannot be built from source: cc is missing' "$work/said" || return 1
    if (cd "$work/checkout/bindings/python" && PATH="$work/fake" CC='ccache gcc' PYTHONPATH=backend \
        "$PYTHON" -c 'import tokenwell_build; tokenwell_build.build_wheel(".")') >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    one_message && grep 'the library cannot be built from source: ccache (of the variable CC) is missing' "$work/said"
}
k11_the_metadata_needs_no_cargo() { # so that lock files and `pip download` work everywhere
    fresh_packages_directory
    pip "$work/no_cargo" download --quiet --no-deps --no-binary tokenwell --find-links "$work/sdist_only" --dest "$work/downloaded" tokenwell==0.1.0 &&
        [ -f "$work/downloaded/tokenwell-0.1.0.tar.gz" ]
}
k11_the_source_distribution_builds_with_cargo() {
    fresh_packages_directory && environment_of "$work/from_source" || return 1
    from_source "$work/from_source" || { cat "$work/said"; return 1; }
    (cd / && "$work/from_source/bin/python" -c "$version_of_library") || return 1
    library=$(find "$work/from_source" -name libtokenwell.so.0)
    readelf -dW "$library" | grep NODELETE && figures="GLIBC_$(highest_version "$library" GLIBC)"
}
a_checkout_installs_with_cargo() { # the target directory is the one that is used already; CC may have several words
    environment_of "$work/from_checkout" &&
        without_zig CC="env $CC" CARGO_TARGET_DIR="$TARGET" "$work/checkers/bin/python" -m pip --python "$work/from_checkout/bin/python" \
            install --quiet ./bindings/python || return 1
    (cd / && "$work/from_checkout/bin/python" -c "$version_of_library")
}
an_editable_installation_uses_the_checkout() {
    environment_of "$work/editable" && pip "$work/editable" install --quiet --editable ./bindings/python || return 1
    (cd / && TOKENWELL_LIBRARY="$tree/lib/libtokenwell.so.0" "$work/editable/bin/python" -c "$version_of_library" | grep "$root/bindings/python/tokenwell/")
}
uv_installs_and_locks() {
    pip "$work/checkers" install --quiet uv==0.13.9 || return 1
    uv=$work/checkers/bin/uv
    "$uv" venv --quiet --python "$PYTHON" "$work/uv" &&
        VIRTUAL_ENV="$work/uv" "$uv" pip install --quiet --no-index --find-links "$wheels" --find-links "$packages" 'tokenwell[cli]' || return 1
    (cd / && "$work/uv/bin/python" -c "$version_of_library") && "$work/uv/bin/tokenwell" --version || return 1
    # A lock file lists the wheel and the source distribution; the metadata is read without a build.
    mkdir -p "$work/locked" &&
        printf '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["tokenwell"]\n' >"$work/locked/pyproject.toml" || return 1
    mkdir -p "$work/flat" && cp "$wheel" "$sdist" "$work/flat/"
    (cd "$work/locked" && "$uv" lock --quiet --no-index --find-links "$work/flat") || return 1
    grep -F "$(basename "$wheel")" "$work/locked/uv.lock" && grep -F "$(basename "$sdist")" "$work/locked/uv.lock"
}
