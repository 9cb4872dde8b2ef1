#!/bin/sh
# Creates the directory from which the Python package is imported or installed, with its library and its build backend.
#   python.sh OUTPUT LIBRARY     LIBRARY is the path of the shared library
set -eu
library=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
mkdir -p "$1"
output=$(cd "$1" && pwd)
cd "$(dirname "$0")/../bindings/python"

# LICENSE-THIRD-PARTY is a link.
cp pyproject.toml README.md LICENSE-* "$output/"
find tokenwell backend \( -name '*.py' -o -name py.typed \) ! -path 'tokenwell/_lib/*' | while IFS= read -r file; do
    mkdir -p "$output/$(dirname "$file")"
    # Follows the links between the package and the backend.
    cat "$file" >"$output/$file"
done
mkdir -p "$output/tokenwell/_lib"
cp "$library" "$output/tokenwell/_lib/"
