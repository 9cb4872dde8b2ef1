# Sourced by python_packages.sh: programs that use the installed package.
# shellcheck disable=SC2154,SC2034

get='import tokenwell
with tokenwell.Client.from_env() as client:
    print(client.authorization())'
gets_a_token() { # gets_a_token PYTHON...
    (cd / && "$@" -c "$get" | grep '^Bearer ey') >/dev/null
}
hello_token_takes_two_commands() {
    sed -n '/<!-- hello -->/,/^```$/p' bindings/python/README.md | sed '1,2d; $d' >"$work/hello.py"
    echo 'print(headers)' >>"$work/hello.py"
    (cd / && "$venv/bin/python" "$work/hello.py" | grep "Authorization.*Bearer ey") || return 1
    (cd / && "$venv/bin/tokenwell" token | grep '^ey')
}
pythons() { # every supported Python of this system, one for each version
    for version in 3.9 3.10 3.11 3.12 3.13 3.13t 3.14 3.14t; do command -v "python$version"; done
    ls "$HOME_OF_USER"/.pyenv/versions/*/bin/python3 2>/dev/null
}
k9_each_python_loads_the_wheel() {
    pip "$work/checkers" install --quiet --no-index --no-deps --target "$work/target" "$wheel" || return 1
    for python in $(pythons); do
        "$python" -c 'import sys, sysconfig
build = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
if sys.version_info >= (3, 9): print("%d.%d%s" % (*sys.version_info[:2], build), sys.executable)' 2>/dev/null
    done | sort -V -u -k 1,1 >"$work/pythons"
    [ -s "$work/pythons" ] || return 1
    while read -r version python; do
        PYTHONPATH="$work/target" gets_a_token "$python" || { echo "Python $version: no token"; return 1; }
        [ -z "${SHORT:-}" ] || continue
        # With the pip of this version.
        environment_of "$work/python$version" "$python" with_pip && ours "$work/python$version" tokenwell &&
            gets_a_token "$work/python$version/bin/python" || { echo "Python $version: no token"; return 1; }
    done <"$work/pythons"
    figures="Python $(cut -d' ' -f1 "$work/pythons" | tr '\n' ' ' | sed 's/ $//')"
}
a_read_only_directory_works() {
    cp -R "$work/target" "$work/read only" && chmod -R a-w,a+rX "$work/read only" || return 1
    if [ "$(id -u)" -eq 0 ]; then set -- setpriv --reuid=65534 --regid=65534 --clear-groups; else set --; fi
    # The interpreter of the system, which other users may run.
    for python in /usr/bin/python3 "$PYTHON"; do
        if "$@" "$python" -c '' 2>/dev/null; then break; fi
    done
    PYTHONDONTWRITEBYTECODE='' PYTHONPATH="$work/read only" gets_a_token "$@" "$python"
}
k4_a_directory_without_execution_is_named() {
    cp -R "$work/target" "$work/noexec/site" || return 1
    if (cd / && PYTHONPATH="$work/noexec/site" "$PYTHON" -c "$get") >"$work/said" 2>&1; then return 1; fi
    cat "$work/said"
    library=$work/noexec/site/tokenwell/_lib/libtokenwell.so.0
    grep -F "  $library: the file is on a file system that is mounted with noexec; the dynamic loader reports: $library: failed to map segment" "$work/said" &&
        grep -x 'Install it on another file system, or mount this one without noexec.' "$work/said" && ! grep 'Install the package again' "$work/said"
}
k12_it_loads_after_thirty_libraries_with_thread_local_data_in_python() {
    for number in $(seq 30); do
        # Every second one takes space of the fixed size that the loader keeps for such data.
        model=$([ $((number % 2)) = 0 ] && echo initial-exec || echo global-dynamic)
        echo "__thread char data_${number}[48] __attribute__((tls_model(\"$model\"))) = {1}; char *get_$number(void) { return data_$number; }" |
            "$CC" -shared -fPIC -x c - -o "$work/tls_$number.so" || return 1
    done
    (cd / && "$venv/bin/python" "$root/tests/more/python_packages/after_thirty.py" "$work"/tls_*.so)
}

# A program that gets and revokes tokens until its standard input closes, while something is done to its environment.
while_it_runs() { # while_it_runs COMMAND...
    rm -f "$work/gate" "$work/rounds"
    mkfifo "$work/gate"
    "$work/running/bin/python" tests/more/python_packages/long_running.py <"$work/gate" >"$work/rounds" &
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
library_of() { find "$1" -name libtokenwell.so.0; }
an_upgrade_does_not_disturb_a_running_program() {
    environment_of "$work/running" && ours "$work/running" tokenwell && pip "$work/running" list --format=freeze >"$work/before" || return 1
    find "$work/running" -newermt '1970-01-01' | sort >"$work/installed"
    before=$(stat -c %i "$(library_of "$work/running")")
    while_it_runs ours "$work/running" --force-reinstall tokenwell || return 1
    [ "$before" != "$(stat -c %i "$(library_of "$work/running")")" ] && gets_a_token "$work/running/bin/python"
}
an_uninstallation_does_not_disturb_a_running_program() { while_it_runs pip "$work/running" uninstall --quiet --yes tokenwell; }
an_uninstallation_leaves_nothing() {
    if find "$work/running" -iname '*tokenwell*' | grep .; then return 1; fi
    ours "$work/running" pytest-tokenwell --no-deps 'tokenwell[cli]' &&
        pip "$work/running" uninstall --quiet --yes tokenwell tokenwell-cli pytest-tokenwell || return 1
    ! find "$work/running" -iname '*tokenwell*' | grep .
}

# A copy of the tests without the source: what they import is what is installed.
copy_of_the_tests() {
    copy=$work/copy
    mkdir -p "$copy/bindings/python" "$copy/tests/more" &&
        cp -R bindings/python/tests bindings/python/README.md bindings/python/pyproject.toml "$copy/bindings/python/" &&
        cp -R bindings/service_accounts "$copy/bindings/" && cp -R include examples "$copy/" && cp -R tests/more/python "$copy/tests/more/"
}
the_python_tests_pass_with_the_installed_package() {
    copy_of_the_tests || return 1
    if [ -n "${SHORT:-}" ]; then
        pip "$venv" install --quiet 'pytest>=8,<10' || return 1
        only='import or library or prototype or readme or token or k4'
        set -- tests/test_library.py tests/test_prototypes.py tests/test_programs.py tests/test_token.py -k "$only"
    else
        PYTHON=$PYTHON sh tests/python_venv.sh "$work/all" && ours "$work/all" 'tokenwell[cli]' || return 1
        set --
    fi
    environment=$venv
    [ -n "${SHORT:-}" ] || environment=$work/all
    (cd "$copy/bindings/python" &&
        env -u MONGODB_ATLAS_BASE_URL TOKENWELL_BIN="$environment/bin/tokenwell" "$environment/bin/python" -m pytest -q "$@") >"$work/pytest" 2>&1
    code=$?
    tail -n 60 "$work/pytest"
    figures=$(tail -n 1 "$work/pytest")
    return $code
}
the_vectors_pass_with_the_installed_package() {
    # The command of a shim is split at spaces.
    printf '#!/bin/sh\nexec "%s/bin/python" "%s/bindings/python/tests/shim.py"\n' "$venv" "$copy" >"$work/shim"
    chmod 755 "$work/shim"
    [ -x "$runner" ] || { echo "the runner of the vectors was not built: $runner"; return 1; }
    if [ -n "${SHORT:-}" ]; then set -- --case redirect; else set --; fi
    (cd "$root" && "$runner" "$@" --shim "python=$work/shim") >"$work/vectors" 2>&1
    code=$?
    tail -n 20 "$work/vectors"
    figures=$(grep '^python' "$work/vectors" | tail -n 1)
    return $code
}
tests_of_the_plug_in() { # tests_of_the_plug_in ENVIRONMENT [ARGUMENT...]
    environment=$1
    shift
    mkdir -p "$work/plug_in" && cp -RL bindings/python/pytest-plugin/tests bindings/python/pytest-plugin/README.md "$work/plug_in/" || return 1
    (cd "$work/plug_in" && "$environment/bin/python" -m pytest -q -W error -p no:cacheprovider "$@" tests) >"$work/pytest" 2>&1
    code=$?
    tail -n 60 "$work/pytest"
    figures=$(tail -n 1 "$work/pytest")
    return $code
}
the_tests_of_the_plug_in_pass() {
    ours "$work/checkers" pytest-tokenwell || return 1
    if [ -n "${SHORT:-}" ]; then set -- -k 'readme or missing or interrupted or documented or one_message or stays_open or last_request'; else set --; fi
    tests_of_the_plug_in "$work/checkers" "$@"
}
the_plug_in_works_with_the_oldest_pytest() {
    oldest=$(sed -n 's/.*"pytest>=\([0-9.]*\)".*/\1/p' bindings/python/pytest-plugin/pyproject.toml)
    environment_of "$work/oldest" "$(oldest_python)" with_pip && pip "$work/oldest" install --quiet "pytest==$oldest.*" &&
        ours "$work/oldest" pytest-tokenwell || return 1
    tests_of_the_plug_in "$work/oldest"
}
pyinstaller_makes_one_file() {
    environment_of "$work/frozen" && pip "$work/frozen" install --quiet pyinstaller==6.22.3 && ours "$work/frozen" tokenwell || return 1
    printf '%s\nprint(tokenwell._library.load().path)\n' "$get" | sed 's/^import tokenwell$/import tokenwell, tokenwell._library/' >"$work/frozen_program.py"
    "$work/frozen/bin/python" -m PyInstaller --onefile --log-level WARN --distpath "$work/frozen_dist" --workpath "$work/frozen_work" \
        --specpath "$work" "$work/frozen_program.py" || return 1
    # The environment is gone: the library is in the file.
    mv "$work/frozen" "$work/frozen_away"
    (cd / && env -u PYTHONPATH "$work/frozen_dist/frozen_program") >"$work/said" || return 1
    cat "$work/said" | cut -c1-60
    grep '^Bearer ey' "$work/said" && grep "_MEI.*/tokenwell/_lib/libtokenwell.so.0" "$work/said" &&
        figures="$(stat -c %s "$work/frozen_dist/frozen_program") bytes"
}
