#!/bin/sh
# Runs the commands of the README that install the packages and get a token in each language, in empty directories and without any other setup.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
emulator=
trap '[ -z "$emulator" ] || kill "$emulator" 2>/dev/null; rm -rf "$work"' EXIT
sh packaging/packages.sh "$DIST" "$work/packages" archive >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
unset PKG_CONFIG_PATH LD_LIBRARY_PATH PYTHONPATH
# A reader of the README does not have the developer's settings.
for name in $(env | sed -n 's/^\(\(TOKENWELL\|MONGODB_ATLAS\|MCLI\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
# Go keeps what it has compiled below HOME, and npm its downloads. Keep using them, although HOME is another directory. A module that was built here must not
# get into the user's cache of modules, under the name of a released version.
GOCACHE=$("${GO:-go}" env GOCACHE)
export GOCACHE GOMODCACHE="$work/modules" GOFLAGS=-modcacherw npm_config_cache="${npm_config_cache:-$HOME/.npm}" npm_config_update_notifier=false
export HOME="$work/home" XDG_CACHE_HOME="$work/cache" XDG_CONFIG_HOME="$work/config"
mkdir -p "$HOME"

block() { # block LINE: the first code block after this line
    awk -v line="$1" '$0 == line { found = 1 } found && /^```$/ { exit } inside { print } found && /^```sh$/ { inside = 1 }' README.md
}
block '## Get a token' | sed "s|/path/to/tokenwell/dist/packages|$work/packages|" >"$work/start.sh"
readme=$PWD/README.md
mkdir "$work/start"
cd "$work/start" || exit 1
. "$work/start.sh"
emulator=$TOKENWELL_EMULATOR_PID
export packages
cd "$(dirname "$readme")" || exit 1

passed=0 failed=0
for language in Shell Python C Go Node; do
    mkdir "$work/$language"
    block "**$language**" >"$work/$language.sh"
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
