# Sourced by go_packages.sh: the commands and programs of bindings/go/README.md.
# shellcheck disable=SC2154,SC2034

the_programs_of_the_readme_run() {
    program tasks && cp "$root/tests/more/go_packages/tasks.go.txt" main.go || return 1
    for name in settings transport retry job report request service_accounts; do snippet "$name" "$work/snippet" && cat "$work/snippet" >>main.go || return 1; done
    installed && "$GO" vet . && "$GO" build -o tasks . || return 1
    printf '%s' "$MONGODB_ATLAS_CLIENT_SECRET" >"$work/secret"
    chmod 600 "$work/secret"
    TOKENWELL_CACHE=off ./tasks "$MONGODB_ATLAS_BASE_URL" "$MONGODB_ATLAS_CLIENT_ID" "$work/secret" "$MONGODB_ATLAS_ORG_ID" || return 1
    snippet run "$work/run.sh" && [ "$(grep -vc '^export ' "$work/run.sh")" -eq 1 ] && grep -x 'go run \.' "$work/run.sh" || return 1
    # The lines for the modules that are not published yet, and for the shared library, with the paths of this machine.
    program readme_proxy "$work/programs/hello/main.go" && snippet proxy proxy.sh && sed -i "s|/path/to/dist/packages|$packages|" proxy.sh &&
        (unset GOPROXY GONOSUMDB GOMODCACHE && sh -e proxy.sh && GOPROXY=off GOMODCACHE="$PWD/modules" "$GO" build -o proxy . && a_token ./proxy) || return 1
    program readme_shared "$work/programs/hello/main.go" && installed && snippet dynamic shared.sh && sed -i "s|/path/to/dist|$DIST|" shared.sh &&
        PATH=${PATH#*:} sh -e shared.sh && a_token LD_LIBRARY_PATH="$DIST/lib" ./program
}
