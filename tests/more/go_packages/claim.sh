# Sourced by go_packages.sh: how a test is run, and the environment of a user.
# shellcheck disable=SC2154,SC2034

# claim NAME: the function of this name is a test. It may set `figures`, which are printed.
claim() {
    figures='' claimed=$1
    cd "$root" || exit 1
    if "$@" >"$work/output" 2>&1; then
        passed=$((passed + 1))
        echo "ok $claimed${figures:+: $figures}"
    else
        failed=$((failed + 1))
        echo "FAILED $claimed"
        tail -n 60 "$work/output" | sed 's/^/  /'
    fi
}
with() { # with TOOL NAME...: these tests, if there is such a tool
    tool=$1
    shift
    for test in "$@"; do
        if command -v "$tool" >/dev/null 2>&1; then claim "$test"; else skip "$test: $tool is missing"; fi
    done
}

# The PATH of a user: the directories with cargo are replaced by one with links to the other commands in them. A pkg-config that is called says so.
leave_the_source() {
    mkdir -p "$work/tools" "$work/called"
    path=$work/called:$work/tools
    printf '#!/bin/sh\necho called >>"%s"\nexit 1\n' "$work/pkg-config was called" >"$work/called/pkg-config"
    chmod +x "$work/called/pkg-config"
    old_ifs=$IFS
    IFS=:
    for directory in $PATH; do
        if [ -x "$directory/cargo" ] || [ -x "$directory/rustc" ]; then
            for command in "$directory"/*; do
                case ${command##*/} in cargo* | rust*) ;; *) ln -sf "$command" "$work/tools/" ;; esac
            done
        else
            path=$path:$directory
        fi
    done
    IFS=$old_ifs
    export PATH="$path"
    unset PKG_CONFIG_PATH LD_LIBRARY_PATH TOKENWELL_LIBRARY GOFLAGS
}

# emulator NAME FLAG...: starts an emulator until the suite ends, and writes its variables to $work/NAME.env
emulator() {
    name=$1
    shift
    mkfifo "$work/$name.stdin"
    "$DIST/bin/tokenwell" emulator --until-stdin-closes --no-rate-limit "$@" <"$work/$name.stdin" >"$work/$name.env" 2>"$work/$name.log" &
    emulators="${emulators:-} $!"
    # Keeps the standard input open.
    tail -f /dev/null --pid=$$ >"$work/$name.stdin" &
    emulators="$emulators $!"
    for _ in $(seq 300); do
        grep -qx '# ready' "$work/$name.env" && return
        sleep 0.1
    done
    echo "FAILED the emulator did not start" && cat "$work/$name.log" && exit 1
}

# program NAME FILE...: a new directory with these files, which is a module that requires nothing yet
program() {
    mkdir -p "$work/programs/$1" && cd "$work/programs/$1" || return 1
    shift
    if [ $# -gt 0 ]; then cp "$@" . || return 1; fi
    [ -f go.mod ] || "$GO" mod init example.com/program 2>/dev/null
}
installed() { "$GO" get "$module@$version"; }
a_token() { env -i "$(env | grep ^MONGODB_ATLAS_BASE_URL=)" "$(env | grep ^MONGODB_ATLAS_CLIENT_ID=)" "$(env | grep ^MONGODB_ATLAS_CLIENT_SECRET=)" \
    TOKENWELL_CACHE=off "$@" | grep -c '^Bearer ey'; }
# says_once FILE WORDS...: the file is about one error, and contains these words
says_once() {
    file=$1
    shift
    cat "$file"
    [ "$(grep -c 'error: \|requires cgo' "$file")" -eq 1 ] || { echo "not one error" && return 1; }
    for words in "$@"; do grep -qF -e "$words" "$file" || { echo "the error lacks: $words" && return 1; }; done
}
# fails FILE COMMAND...: the command fails, and its output is in the file
fails() {
    said=$1
    shift
    if "$@" >"$said" 2>&1; then echo "this did not fail: $*" && cat "$said" && return 1; fi
}
# snippet NAME FILE: the code block of the README that follows the comment `<!-- NAME -->`
snippet() {
    awk -v name="<!-- $1 -->" '$0 == name { found = 1 } inside && /^```$/ { exit } inside { print } found && /^```/ { inside = 1 }' "$root/bindings/go/README.md" >"$2"
    [ -s "$2" ] || { echo "bindings/go/README.md has no code block for $1"; return 1; }
}
