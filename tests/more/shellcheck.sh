#!/bin/sh
# The shell scripts of this repository, by shellcheck.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need shellcheck "it finds mistakes in shell scripts; install shellcheck"
if ! git rev-parse --git-dir >/dev/null 2>&1; then
    skip "this is not a git checkout, which lists the scripts"
    finish shellcheck
    exit
fi
for script in $(git ls-files '*.sh' .ci/run); do
    check "$script" shellcheck --shell="$(case $script in .ci/*) echo bash ;; *) echo sh ;; esac)" --severity=warning --external-sources "$script"
done
finish shellcheck
