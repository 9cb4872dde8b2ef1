# Sourced, not run, in the directory of the repository.

# link ARGUMENT...: runs the command that packaging/linker.sh prints. It is split at spaces unless it is the path or the name of a program.
linker=$(sh packaging/linker.sh)
link() {
    if command -v "$linker" >/dev/null 2>&1; then
        "$linker" "$@"
    else
        # shellcheck disable=SC2086
        $linker "$@"
    fi
}
