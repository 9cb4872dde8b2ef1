#!/bin/sh
# The tests of the Python package with other versions of Python: the oldest and the newest that are installed, and free-threaded builds.
# PYTHONS="/path/to/python3 ..." names them. Otherwise those on the PATH and those of pyenv are used.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh

candidates() {
    if [ -n "${PYTHONS:-}" ]; then
        printf '%s\n' $PYTHONS
        return
    fi
    for version in 3.9 3.10 3.11 3.12 3.13 3.13t 3.14 3.14t; do command -v "python$version"; done
    if command -v pyenv >/dev/null; then ls "$(pyenv root)"/versions/*/bin/python3; fi
}
# Prints "VERSION BUILD PATH" for a Python that works and is supported, for example "3.13 free-threaded /usr/bin/python3.13t".
describe='
import sys, sysconfig
build = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "usual"
if sys.version_info >= (3, 9):
    print("%d.%d" % sys.version_info[:2], build, sys.executable)
'
for python in $(candidates 2>/dev/null); do "$python" -c "$describe" 2>/dev/null; done | sort -V -u -k 1,2 >"$work/found"
# The short form leaves the oldest one to the suite lowest_versions.
if [ -n "${SHORT:-}" ]; then ends='$p'; else ends='1p;$p'; fi
grep ' usual ' "$work/found" | sed -n "$ends" | sort -u >"$work/chosen"
grep ' free-threaded ' "$work/found" >>"$work/chosen" || skip "no free-threaded build of Python is installed"
[ -s "$work/chosen" ] || skip "no Python is installed that the package supports"

only=
# The import, the library, one token for many tasks, and everything about loops.
[ -n "${SHORT:-}" ] && only='import or library or prototype or hundred or own_deadline or replace or signal'
test_with() { # test_with PYTHON
    "$1" -m venv "$work/venv" && "$work/venv/bin/python" -m pip install --quiet 'pytest>=8,<10' &&
        (cd bindings/python && "$work/venv/bin/python" -m pytest -q ${only:+-k "$only"}) &&
        rm -rf "$work/venv"
}
while read -r version build python; do
    check "Python $version, $build build" test_with "$python"
done <"$work/chosen"
finish python_versions
