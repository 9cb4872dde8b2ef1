#!/bin/sh
# The emulator with the Go SDK of Atlas: the whole service account API, and each document compared with the SDK's model. Then the command with the SDK:
# each reads the accounts that the other one made, with the same fields and values.
cd "$(dirname "$0")/../.." || exit 1
. tests/more/need.sh
need "$GO" "it builds the program with the SDK; install Go 1.25 or newer"
emulator="$DIST/bin/tokenwell"
[ -x "$emulator" ] || { echo "atlas_sdk: $emulator is missing: run make library" >&2; exit 1; }

# The program is written for the older version. The newer one has other module paths.
older() { (cd tests/more/atlas_sdk && "$GO" vet . && "$GO" build -o "$work/older" .); }
newer() {
    mkdir -p "$work/module" && cp tests/more/atlas_sdk/newer.mod "$work/module/go.mod" && cp tests/more/atlas_sdk/newer.sum "$work/module/go.sum" || return 1
    for file in main.go operations.go compare.go; do
        sed 's/v20250312008/v20250312020/g' "tests/more/atlas_sdk/$file" >"$work/module/$file" || return 1
    done
    (cd "$work/module" && "$GO" build -o "$work/newer" .)
}
# A version passes if all 22 operations ran and every document fits. The line with the figures is printed.
documents() {
    "$emulator" emulator -- "$work/$1" >"$work/documents" 2>&1 && grep '^ok atlas_sdk: 22 operations, [1-9][0-9]* fields, 0 missing, 0 null, 0 unknown$' "$work/documents" && return
    cat "$work/documents"
    return 1
}
# A document with a failure of each kind must be found.
planted() {
    if "$emulator" emulator -- "$work/older" planted >"$work/planted" 2>&1; then echo "the planted document was not found"; return 1; fi
    cat "$work/planted"
    grep -q 'surprise: unknown' "$work/planted" && grep -q 'clientId: null' "$work/planted" && grep -q 'expiresAt: missing' "$work/planted" &&
        grep -q '^FAILED atlas_sdk: .*, 2 missing, 1 null, 1 unknown$' "$work/planted"
}
# Both levels, each account in four documents, those of the command also after a change.
comparison() {
    same='ok atlas_sdk: 2 accounts of the command, 2 of the SDK, 24 documents with [1-9][0-9][0-9] values compared, 0 different'
    "$emulator" emulator -- "$work/$1" compare "$emulator" >"$work/compared" 2>&1 && grep "^$same\$" "$work/compared" && return
    cat "$work/compared"
    return 1
}
# Two wrong documents for the SDK must be found, and each difference named.
planted_difference() {
    if "$emulator" emulator -- "$work/older" compare "$emulator" planted >"$work/planted" 2>&1; then echo "the planted difference was not found"; return 1; fi
    cat "$work/planted"
    grep -q 'name: another in the SDK, made by the command in the command$' "$work/planted" && grep -q 'access list .*: 0 in the SDK, ' "$work/planted" &&
        grep -q '^FAILED atlas_sdk: .*, 6 different$' "$work/planted"
}

older || exit 1
[ -n "$SHORT" ] || newer || exit 1
built
check "the documents of version 20250312008 of the SDK" documents older
sed -n 's/^ok atlas_sdk: /20250312008: /p' "$work/output"
[ -n "$SHORT" ] || {
    check "the documents of version 20250312020 of the SDK" documents newer
    sed -n 's/^ok atlas_sdk: /20250312020: /p' "$work/output"
}
check "a document that does not fit is found" planted
check "the command and version 20250312008 of the SDK read the accounts of each other" comparison older
sed -n 's/^ok atlas_sdk: /20250312008: /p' "$work/output"
[ -n "$SHORT" ] || {
    check "the command and version 20250312020 of the SDK read the accounts of each other" comparison newer
    sed -n 's/^ok atlas_sdk: /20250312020: /p' "$work/output"
}
check "a difference between the command and the SDK is found" planted_difference
finish atlas_sdk
