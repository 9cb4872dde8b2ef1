#!/bin/sh
# Creates the virtual environment for the Python tests, so that the system's Python is not changed:
# `python_venv.sh [DIRECTORY]`, by default dist/venv.
set -eu
venv=${1:-$DIST/venv}
needed='pytest, mypy, gevent, eventlet, uvloop, requests, httpx, aiohttp, pymongo'
"$venv/bin/python" -W ignore -c "import $needed" 2>/dev/null && exit
if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ]; then
    echo "$venv exists and is not a virtual environment" >&2
    exit 1
fi
rm -rf "$venv"
"$PYTHON" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet 'pytest>=8,<10' 'mypy>=1.10,<3' 'gevent>=24,<27' 'eventlet>=0.36,<1' 'uvloop>=0.19,<1' \
    'requests>=2.28,<3' 'types-requests>=2.28,<3' 'httpx>=0.23,<1' 'aiohttp>=3.12,<4' 'pymongo>=4.7,<5'
