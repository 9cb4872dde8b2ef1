#!/bin/sh
# Builds the distributions for Python: wheels and a source distribution of tokenwell, wheels of the command, and the plug-in for pytest.
#   python_packages.sh DIST PACKAGES     DIST is laid out as by `make library`. Wheels for one platform go to PACKAGES/<platform>/, the rest to PACKAGES/.
# From the environment: PYTHON (another one is used if this one cannot read pyproject.toml), STRIP, and SOURCE_DATE_EPOCH, the time of all packaged files:
# by default that of the last commit.
# The same input and the same time give the same bytes. Nothing is compiled.
set -eu
# shellcheck source=packaging/package_arguments.sh
. "$(dirname "$0")/package_arguments.sh"
: "${PYTHON:=python3}" "${STRIP:=strip}"
library=$dist/lib/libtokenwell.so.0
for file in "$library" "$dist/bin/tokenwell"; do
    [ -f "$file" ] || { echo "python_packages: $file is missing: run \`make library\`" >&2 && exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export PYTHONPATH="$PWD/bindings/python/backend" PYTHONDONTWRITEBYTECODE=1
build() { # build wheel|sdist PROJECT OUTPUT [TAG...]: without the directory of the caller, which might contain modules
    (cd "$work" && "$PYTHON" -m tokenwell_build "$@")
}

# Python 3.9 and 3.10 need pip or tomli (tokenwell_build/project.py).
for candidate in "$PYTHON" python3 python3.14 python3.13 python3.12 python3.11; do
    if (cd "$work" && "$candidate" -c 'import tokenwell_build') 2>/dev/null; then suitable=$candidate && break; fi
done
if [ -z "${suitable:-}" ]; then
    (cd "$work" && "$PYTHON" -c 'import tokenwell_build') || exit 1
fi
PYTHON=$suitable

# Without the symbols that only a debugger uses.
mkdir -p "$work/cli/bin" "$work/lib"
"$STRIP" --strip-unneeded --remove-section=.comment -o "$work/lib/libtokenwell.so.0" "$library"
"$STRIP" --strip-unneeded --remove-section=.comment -o "$work/cli/bin/tokenwell" "$dist/bin/tokenwell"
sh packaging/python.sh "$work/tokenwell" "$work/lib/libtokenwell.so.0"
cp bindings/python/cli/pyproject.toml bindings/python/cli/README.md bindings/python/cli/LICENSE-* "$work/cli/"
build wheel "$work/tokenwell" "$work/wheels" >/dev/null
build wheel "$work/cli" "$work/wheels" >/dev/null

# The wheel says what the library is for.
case $(ls "$work/wheels") in
    *-manylinux_*_x86_64.manylinux2014_x86_64.whl* | *-manylinux_*_x86_64.whl*) platform=x86_64-linux-gnu ;;
    *-manylinux_*_aarch64.*) platform=aarch64-linux-gnu ;;
    *) echo "python_packages: wheels of an unknown platform: $(ls "$work/wheels")" >&2 && exit 1 ;;
esac
mkdir -p "$packages/$platform"
rm -f "$packages/$platform"/tokenwell-*.whl "$packages/$platform"/tokenwell_cli-*.whl "$packages"/tokenwell-*.tar.gz "$packages"/pytest_tokenwell-*
mv "$work/wheels"/*.whl "$packages/$platform/"

# The source distribution names the platforms of all wheels that were built so far, so it is built last.
version=$(basename "$packages/$platform"/tokenwell-*.whl | cut -d- -f2)
tags=$(find "$packages" -mindepth 2 -maxdepth 2 -name "tokenwell-$version-py3-none-*.whl" -exec basename {} .whl \; | sed 's/.*-//' | tr '.' '\n' | sort -u)
# Must be split into words.
# shellcheck disable=SC2086
build sdist "$PWD/bindings/python" "$packages" $tags >/dev/null
build wheel "$PWD/bindings/python/pytest-plugin" "$packages" >/dev/null
build sdist "$PWD/bindings/python/pytest-plugin" "$packages" >/dev/null
ls "$packages/$platform"/*.whl "$packages"/tokenwell-*.tar.gz "$packages"/pytest_tokenwell-*
