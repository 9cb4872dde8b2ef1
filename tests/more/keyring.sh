#!/bin/sh
# `sa create --to keyring:NAME` with a real keyring, GNOME's, on a message bus of its own: unlocked, locked, and not there.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
: "${CARGO:=cargo}" "${TARGET:=${CARGO_TARGET_DIR:-$PWD/target}}" "${FEATURES:=cli,emulator,capi}"
need gnome-keyring-daemon "it is the keyring; install gnome-keyring"
need dbus-run-session "the keyring is called over a message bus; install dbus-daemon"
need dbus-send "it locks the keyring; install dbus-bin"
# As `make test` builds it: `cargo build` would compile the dependencies once more, without the features that only tests use. Another suite may build it
# without the keyring, so it is copied.
CARGO_TARGET_DIR="$TARGET" "$CARGO" test --quiet --locked --features "$FEATURES,keyring" --test profiles --no-run || exit 1
cp "$TARGET/debug/tokenwell" "$work/tokenwell" || exit 1
tokenwell=$work/tokenwell

# The variables in single quotes are for the shells that are started here.
# shellcheck disable=SC2016
# Runs a script with an emulator and with the keyring in the state of the first argument.
with_keyring() {
    home=$(mktemp -d "$work/home.XXXXXX")
    state=$1 script=$2
    env -i PATH="$PATH" HOME="$home" XDG_CONFIG_HOME="$home/config" XDG_CACHE_HOME="$home/cache" XDG_DATA_HOME="$home/data" \
        XDG_RUNTIME_DIR="$home" TOKENWELL="$tokenwell" STATE="$state" SCRIPT="$script" dbus-run-session -- sh -c '
        unlock() { printf password | gnome-keyring-daemon --unlock --components=secrets >"$HOME/keyring.log" 2>&1; }
        call() { dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets "org.freedesktop.Secret.Service.$1" "$2"; }
        case $STATE in
        unlocked) unlock ;;
        locked) unlock && call Lock array:objpath:/org/freedesktop/secrets/collection/login || exit 99 ;;
        absent) export DBUS_SESSION_BUS_ADDRESS="unix:path=$HOME/no-bus" ;;
        esac
        exec "$TOKENWELL" emulator -- sh -c "unset TOKENWELL_CONFIG_FILE; $SCRIPT"'
}

# shellcheck disable=SC2016
create='"$TOKENWELL" sa create deploy --role ORG_MEMBER --to keyring:deploy --org "$MONGODB_ATLAS_ORG_ID"'
# The profile works without the account in the environment, and no file has the secret.
# shellcheck disable=SC2016
stored='set -e
    '"$create"'
    id=$("$TOKENWELL" profile show deploy --json | sed "s/.*\"client_id\":\"\([^\"]*\)\".*/\1/")
    of_profile() { env -u MONGODB_ATLAS_CLIENT_ID -u MONGODB_ATLAS_CLIENT_SECRET -u MONGODB_ATLAS_BASE_URL "$TOKENWELL" "$@" --profile deploy; }
    of_profile token --no-cache | grep -q "^eyJ"
    "$TOKENWELL" sa secret add "$id" --to keyring:deploy --org "$MONGODB_ATLAS_ORG_ID"
    first=$("$TOKENWELL" sa secret list "$id" -q --org "$MONGODB_ATLAS_ORG_ID" | head -n 1)
    "$TOKENWELL" sa secret delete "$id" "$first" --yes --org "$MONGODB_ATLAS_ORG_ID"
    of_profile token --no-cache | grep -q "^eyJ"
    ! grep -r mdb_sa_sk_ "$HOME"'
# shellcheck disable=SC2016
refused='code=0
    '"$create"' 2>"$HOME/error" || code=$?
    cat "$HOME/error"
    [ $code = 3 ] && grep -q "hint: .*keyring" "$HOME/error" || exit 1
    [ "$("$TOKENWELL" sa list -q --org "$MONGODB_ATLAS_ORG_ID" | wc -l)" = 1 ] && [ ! -e "$XDG_CONFIG_HOME/tokenwell/config.toml" ] && ! grep -r mdb_sa_sk_ "$HOME"'

check "a secret is stored in the keyring and read back" with_keyring unlocked "$stored"
check "a locked keyring is an error before anything is created" with_keyring locked "$refused"
check "a keyring that is not there is an error before anything is created" with_keyring absent "$refused"
finish keyring
