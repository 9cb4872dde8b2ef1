#!/bin/sh
# The Python wrapper in numbers: very many waiters, exits at random moments, cold tokens, a changing environment, Ctrl-C, greenlets.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
[ "$(uname -s)" = Linux ] || { skip "threads and memory are read from /proc"; finish python; exit; }
sh tests/python_venv.sh || exit 1
PYTHONPATH="$PWD/bindings/python" exec "$DIST/venv/bin/python" -W ignore::DeprecationWarning tests/more/python/run.py
