#!/bin/sh
# Runs the "hello token" commands of each language in the README, in an empty directory and without
# any other setup.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
emulator=
trap '[ -z "$emulator" ] || kill "$emulator" 2>/dev/null; rm -rf "$work"' EXIT
unset PKG_CONFIG_PATH LD_LIBRARY_PATH PYTHONPATH
# A reader of the README does not have the developer's settings.
for name in $(env | sed -n 's/^\(\(TOKENWELL\|MONGODB_ATLAS\|MCLI\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
export HOME="$work/home" XDG_CACHE_HOME="$work/cache" XDG_CONFIG_HOME="$work/config"
# Go and npm keep their downloads below HOME. Keep using them, although HOME is another directory.
export GOPATH="${GOPATH:-$work/go}" GOFLAGS=-modcacherw npm_config_cache="${npm_config_cache:-$work/npm}" npm_config_update_notifier=false
mkdir -p "$HOME"

. "$DIST/env"
tokenwell emulator >"$work/emulator.env" &
emulator=$!
for _ in $(seq 300); do
    [ -s "$work/emulator.env" ] && break
    sleep 0.1
done
[ -s "$work/emulator.env" ] || { echo "readme: the emulator did not start within 30 s" >&2; exit 1; }
set -a
. "$work/emulator.env"
set +a

passed=0 failed=0
for language in Shell Python C Go Node; do
    mkdir "$work/$language"
    # The first code block after the name of the language.
    awk -v name="**$language**" '$0 == name { found = 1 } found && /^```$/ { exit } inside { print } found && /^```sh$/ { inside = 1 }' README.md >"$work/$language.sh"
    output=$(cd "$work/$language" && sh -e "$work/$language.sh" 2>"$work/stderr")
    code=$?
    case $code:$(printf '%s' "$output" | tail -n 1) in
        "0:Bearer ey"* | "0:ey"*)
            passed=$((passed + 1))
            echo "ok README, hello token in $language"
            ;;
        *)
            failed=$((failed + 1))
            echo "FAILED README, hello token in $language: exit code $code"
            cat "$work/$language.sh" "$work/stderr"
            ;;
    esac
done
echo "readme: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
