# Sourced, not run.

# put FROM TO: copies a file. The old file is replaced and not overwritten, because a running program
# may have it open.
put() {
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.new"
    mv -f "$2.new" "$2"
}
