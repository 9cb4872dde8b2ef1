#!/bin/sh
# The distributions for Python: the same bytes from two builds, what each file may need, and the package installed and used as users do, away from the
# source and without cargo. SHORT=1: a part of the Python tests and of the vectors, and no old pip, build from source, PyInstaller, uv or editable installation.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
: "${PYTHON:=python3}" "${CC:=cc}" "${CARGO:=cargo}" "${TARGET:=${CARGO_TARGET_DIR:-$PWD/target}}" "${FEATURES:=cli,emulator,capi}"
need "$PYTHON" "it builds and installs the packages"
need readelf "it shows what a library needs; install binutils"
need "$CARGO" "it builds the runner of the vectors, and the library from the source distribution"
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    skip "the table of what each file may need is for Linux on x86-64"
    finish python_packages
    exit
fi
# As in a checkout without history.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 1750000000)
export SOURCE_DATE_EPOCH CC PYTHON
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
# The package must find its library by itself, and the settings of the developer must not be used.
for name in $(env | sed -n 's/^\(\(TOKENWELL\|MONGODB_ATLAS\|MCLI\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
unset LD_LIBRARY_PATH PYTHONPATH PKG_CONFIG_PATH VIRTUAL_ENV
HOME_OF_USER=$HOME
# The interpreter itself: a version manager finds it below HOME.
PYTHON=$("$PYTHON" -c 'import sys; print(sys.executable)')
export PYENV_ROOT="${PYENV_ROOT:-$HOME/.pyenv}" PIP_CACHE_DIR="${PIP_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pip}"
export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
export HOME="$work/home" XDG_CACHE_HOME="$work/cache" XDG_CONFIG_HOME="$work/config"
mkdir -p "$HOME"
chmod 755 "$work"

root=$PWD
packages=$work/packages
wheels=$packages/x86_64-linux-gnu
# A directory with spaces and other letters, in which everything must work.
place="$work/größer als 2"
mkdir -p "$place"
venv=$place/venv
# The files of the wheels, for the checks that are shared with the packages for C: $tree and $root/usr are searched there.
tree=$work/tree
. tests/more/c_packages/library_test.sh
. tests/more/python_packages/build_test.sh
. tests/more/python_packages/installers_test.sh
. tests/more/python_packages/use_test.sh

# claim NAME [ARGUMENT...]: the function of this name is a test. It may set `figures`, which are printed.
claim() {
    figures=''
    begin=$(date +%s)
    # The name must not be that of a variable of the test.
    claimed=$*
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok $claimed${figures:+: $figures}"
    else
        failed=$((failed + 1))
        echo "FAILED $claimed"
        tail -n 60 "$work/output" | sed 's/^/  /'
    fi
    if [ -n "${TIMES:-}" ]; then echo "  $(($(date +%s) - begin)) s"; fi
}
long() { # long NAME...: only in the long form
    if [ -z "${SHORT:-}" ]; then claim "$@"; fi
}
environment_of() { # environment_of DIRECTORY [PYTHON [with_pip]]: by default the pip of the tools is used for it, because another one takes seconds
    if [ -n "${3:-}" ]; then set -- "$1" "${2:-$PYTHON}"; else set -- "$1" "${2:-$PYTHON}" --without-pip; fi
    "$2" -m venv ${3:+"$3"} "$1" || { echo "no virtual environment; install python3-venv"; return 1; }
}
pip() { # pip DIRECTORY ARGUMENT...: for this environment
    environment=$1
    shift
    if [ -n "$(find "$environment/lib" -maxdepth 3 -name 'pip-*.dist-info')" ]; then
        "$environment/bin/python" -m pip "$@"
    else
        "$work/checkers/bin/python" -m pip --python "$environment/bin/python" "$@"
    fi
}
ours() { # ours DIRECTORY ARGUMENT...: installs with the packages that were built, and nothing from a registry
    environment=$1
    shift
    pip "$environment" install --quiet --no-index --find-links "$wheels" --find-links "$packages" "$@"
}

# ---- the packages ----

claim k10_two_builds_have_the_same_bytes
[ -d "$wheels" ] || { finish python_packages; exit 1; }
wheel=$(ls "$wheels"/tokenwell-*.whl) cli_wheel=$(ls "$wheels"/tokenwell_cli-*.whl) plugin_wheel=$(ls "$packages"/pytest_tokenwell-*.whl)
sdist=$(ls "$packages"/tokenwell-*.tar.gz)
tag=$(basename "$wheel" .whl | sed 's/.*-//; s/\..*//')
if "$(oldest_python)" -c 'import sys; sys.exit(sys.version_info >= (3, 11))'; then
    claim the_oldest_python_builds_without_tomli
else
    skip "the_oldest_python_builds_without_tomli: Python 3.9 or 3.10 is missing; install python3.10"
fi
claim the_metadata_is_complete_before_the_library_is_built
claim a_compiler_of_several_words_links
claim the_tools_install
claim k10_every_wheel_describes_itself
claim k10_a_wrong_wheel_is_found
claim k9_the_tag_is_that_of_the_library
claim k9_auditwheel_agrees
claim a_library_that_is_not_portable_is_not_published
claim the_files_of_the_wheels_unpack
claim k1_the_library_is_never_unloaded
claim k2_every_file_fits_the_table
claim k12_no_static_tls
claim the_stripped_library_has_at_most_4_3_mb
claim nothing_to_package_is_one_sentence

# ---- installers ----

claim the_wheel_installs_in_a_path_with_spaces_and_other_letters
claim k9_pip_finds_the_wheel_of_a_named_platform
long k9_an_old_pip_finds_the_wheel
claim the_lines_of_the_readme_install
claim dist_python_installs_with_its_library

# The runner of the vectors is built before cargo is removed from the PATH.
runner=$(CARGO_TARGET_DIR="$TARGET" "$CARGO" test --quiet --locked --no-run --features "$FEATURES" --test vectors --message-format=json |
    sed -n 's/.*"name":"vectors".*"executable":"\([^"]*\)".*/\1/p')
long k11_the_source_distribution_builds_with_cargo
long a_checkout_installs_with_cargo

# The directories with cargo are replaced by one with links to the other commands in them.
mkdir -p "$work/tools"
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
cargo_is_not_on_the_path() { ! command -v cargo && ! command -v rustc; }
claim cargo_is_not_on_the_path
claim k11_without_cargo_the_source_distribution_fails_with_one_message
long k11_an_old_pip_is_named
claim k11_without_cargo_a_checkout_fails_with_one_message
long k11_the_metadata_needs_no_cargo

# ---- use ----

mkfifo "$work/stdin"
"$venv/bin/tokenwell" emulator --until-stdin-closes --no-rate-limit <"$work/stdin" >"$work/emulator.env" 2>"$work/emulator.log" &
exec 9>"$work/stdin"
for _ in $(seq 300); do
    grep -qx '# ready' "$work/emulator.env" && break
    sleep 0.1
done
set -a
. "$work/emulator.env"
set +a
[ -n "${MONGODB_ATLAS_BASE_URL:-}" ] || { echo "FAILED the emulator did not start" && cat "$work/emulator.log" && exit 1; }
export TOKENWELL_CACHE=off

claim hello_token_takes_two_commands
claim k9_each_python_loads_the_wheel
claim a_read_only_directory_works
if [ "$(id -u)" -eq 0 ] && mkdir -p "$work/noexec" && mount -t tmpfs -o noexec tmpfs "$work/noexec" 2>/dev/null; then
    claim k4_a_directory_without_execution_is_named
    umount "$work/noexec"
else
    skip "k4_a_directory_without_execution_is_named: only root can mount a file system, and not in every container"
fi
claim k12_it_loads_after_thirty_libraries_with_thread_local_data_in_python
claim an_upgrade_does_not_disturb_a_running_program
claim an_uninstallation_does_not_disturb_a_running_program
claim an_uninstallation_leaves_nothing
claim the_python_tests_pass_with_the_installed_package
claim the_vectors_pass_with_the_installed_package
claim the_tests_of_the_plug_in_pass
long the_plug_in_works_with_the_oldest_pytest
long an_editable_installation_uses_the_checkout
long uv_installs_and_locks
long pyinstaller_makes_one_file
exec 9>&-
finish python_packages
