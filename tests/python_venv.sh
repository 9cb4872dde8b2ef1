#!/bin/sh
# Creates dist/venv, a virtual environment for the Python tests, so that the system's Python is not
# changed.
set -eu
"$DIST/venv/bin/python" -c 'import pytest, mypy' 2>/dev/null && exit
rm -rf "$DIST/venv"
"$PYTHON" -m venv "$DIST/venv"
"$DIST/venv/bin/python" -m pip install --quiet 'pytest>=8,<10' 'mypy>=1.10,<3'
