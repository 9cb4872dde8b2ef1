#!/bin/sh
# Creates the virtual environment for the Python tests, VENV or dist/venv, so that the system's
# Python is not changed.
set -eu
venv=${VENV:-$DIST/venv}
"$venv/bin/python" -c 'import pytest, mypy' 2>/dev/null && exit
rm -rf "$venv"
"$PYTHON" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet 'pytest>=8,<10' 'mypy>=1.10,<3'
