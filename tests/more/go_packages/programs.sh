# Sourced by go_packages.sh: programs that users build.
# shellcheck disable=SC2154,SC2034

cargo_is_not_on_the_path() { ! command -v cargo && ! command -v rustc; }

a_program_gets_a_token() { # two commands: `go get` and `go run`, with the program of the README
    program hello && snippet hello main.go && snippet get get.sh || return 1
    grep -x "go get $module@$version" get.sh || return 1
    sh -e get.sh &&
        a_token env PATH="$PATH" HOME="$HOME" GOENV=off GOCACHE="$GOCACHE" GOMODCACHE="$GOMODCACHE" GOPROXY=off GOTOOLCHAIN="$GOTOOLCHAIN" "$GO" run . || return 1
    "$GO" build -o hello . && a_token ./hello || return 1
    needs_only_the_c_library hello
}
needs_only_the_c_library() {
    readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort >"$work/needed"
    grep -qx 'libc\.so\.6' "$work/needed" || { echo "$1 does not need the C library" && return 1; }
    # Some compilers also record libraries of which the program uses nothing.
    if grep -vx 'libc\.so\.6\|ld-linux-x86-64\.so\.2\|libm\.so\.6\|libresolv\.so\.2' "$work/needed"; then echo "$1 needs these" && return 1; fi
    if readelf -dW "$1" | grep -E 'RPATH|RUNPATH|TEXTREL'; then return 1; fi
    if readelf -lW "$1" | grep GNU_STACK | grep RWE; then return 1; fi
}
the_module_has_the_licences() {
    cmp "$root/packaging/licenses/THIRD-PARTY.txt" "$cached/native/linux_amd64/LICENSE-THIRD-PARTY" || return 1
    for licence in LICENSE-APACHE LICENSE-MIT; do
        cmp "$root/$licence" "$cached/$licence" || return 1
        for integration in oauth2 mongodriver; do unzipped "$integration" "$licence" | cmp "$root/$licence" - || return 1; done
    done
}
unzipped() { # unzipped INTEGRATION FILE
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$proxy/$1/@v/$version.zip" "$module/$1@$version/$2"
}
nothing_names_a_directory_of_the_build_machine() {
    for path in "$root" "$DIST" "${CARGO_HOME:-$HOME/.cargo}" registry/src; do
        if grep -rlF "$path" "$cached"; then echo "contains $path" && return 1; fi
    done
}
the_module_cache_is_read_only() {
    [ -f "$cached/native/linux_amd64/libtokenwell.a" ] && ! find "$cached" -perm /222 ! -type l | grep .
}
no_module_was_changed() { cd "$work/programs/hello" && "$GO" mod verify | grep 'all modules verified'; }
pkg_config_was_not_called() { ! [ -e "$work/pkg-config was called" ] || { cat "$work/pkg-config was called" && return 1; }; }

a_vendored_program_needs_no_module() {
    program vendored "$work/programs/hello/main.go" && installed && "$GO" mod vendor || return 1
    for file in libtokenwell.a tokenwell.h native.go sum.go; do cmp "$cached/native/linux_amd64/$file" "vendor/$module/native/linux_amd64/$file" || return 1; done
    GOPROXY=off GOMODCACHE="$work/no modules" "$GO" build -mod=vendor -o vendored . && a_token ./vendored && needs_only_the_c_library vendored
}

build() { # build NAME ARGUMENT...: the program of the README, built with these arguments
    name=$1
    shift
    cd "$work/programs/hello" && "$GO" build -o "$name" "$@" . && a_token "./$name"
}
k5_a_static_program_resolves_a_name() {
    cd "$work/programs/hello" && "$GO" build -o static -ldflags '-extldflags -static' . 2>"$work/warnings" || { cat "$work/warnings"; return 1; }
    if readelf -lW static | grep INTERP; then return 1; fi
    a_token ./static || return 1
    # Over TLS, localhost is looked up in the hosts file like every other name. The certificate is for this name.
    (. "$work/tls.env" && export MONGODB_ATLAS_BASE_URL && base=$(echo "$MONGODB_ATLAS_BASE_URL" | sed 's|//[^:]*:|//localhost:|') &&
        env -i TOKENWELL_CACHE=off MONGODB_ATLAS_BASE_URL="$base" MONGODB_ATLAS_CLIENT_ID="$MONGODB_ATLAS_CLIENT_ID" \
            MONGODB_ATLAS_CLIENT_SECRET="$MONGODB_ATLAS_CLIENT_SECRET" TOKENWELL_CA_FILE="$work/ca.pem" ./static) | grep '^Bearer ey' || return 1
    # The check itself: an unknown name is reported as one.
    fails "$work/said" env MONGODB_ATLAS_BASE_URL=https://no-such-host.invalid TOKENWELL_CACHE=off ./static && grep 'no-such-host.invalid' "$work/said"
}
k5_pie() { build pie -buildmode=pie && readelf -hW pie | grep 'Type: *DYN' && needs_only_the_c_library pie; }
k5_trimpath() { build trimmed -trimpath && contains_no_path trimmed; }
k5_pie_and_trimpath() { build pie -buildmode=pie -trimpath && readelf -hW pie | grep 'Type: *DYN' && needs_only_the_c_library pie && contains_no_path pie; }
contains_no_path() { if grep -cF -e "$GOMODCACHE" -e "$root" "$1"; then echo "contains a path of this machine" && return 1; fi; }
k5_race() { build race -race; }

k6_it_links_with_every_compiler() {
    for compiler in "$CC" gcc-10 gcc-11 gcc-12 gcc-13 gcc-14 clang; do
        command -v "$compiler" || continue
        build with_compiler -ldflags "-extld=$compiler" && needs_only_the_c_library with_compiler || return 1
        figures="${figures:+$figures, }$compiler"
    done
}

# With the build tag, pkg-config finds the shared library.
shared() (
    export PKG_CONFIG_PATH="$pkg_config_path" PATH="${PATH#*:}"
    "$@"
)
k5_the_shared_library() {
    cd "$work/programs/hello" && shared "$GO" build -tags tokenwell_dynamic -o shared . && readelf -dW shared | grep 'NEEDED.*libtokenwell\.so\.0' || return 1
    fails "$work/said" a_token ./shared || return 1
    a_token LD_LIBRARY_PATH="$DIST/lib" ./shared
}
sizes_and_the_time_of_a_start() {
    cd "$work/programs/hello" || return 1
    figures=$(python3 - "$DIST/lib" ./hello ./static ./shared <<'END'
import os, statistics, subprocess, sys, tempfile, time
library, *programs = sys.argv[1:]
with tempfile.TemporaryDirectory() as cache:
    # A token from the shared cache, so that no request is measured.
    variables = {name: os.environ[name] for name in os.environ if name.startswith("MONGODB_ATLAS_")}
    variables |= {"TOKENWELL_CACHE_DIR": cache, "HOME": cache, "LD_LIBRARY_PATH": library}
    times = {program: [] for program in programs}
    for number in range(31):
        for program in programs:
            start = time.perf_counter()
            subprocess.run([program], env=variables, check=True, stdout=subprocess.DEVNULL)
            # The first one fills the cache.
            times[program] += [time.perf_counter() - start] if number else []
for program in programs:
    size = os.path.getsize(program) / 1e6 + (os.path.getsize(f"{library}/libtokenwell.so.0") / 1e6 if program == "./shared" else 0)
    print(f"{program[2:]} {size:.1f} MB and {statistics.median(times[program]) * 1000:.1f} ms", end="; " if program != programs[-1] else "\n")
END
    ) && [ -n "$figures" ]
}

two_rust_libraries_link_in_both_orders() {
    # The linker gets the library of a package before those of the packages that it imports. That of tokenwell is in the second package from the program.
    for depth in 1 3; do
        program "second_$depth" && mkdir -p second && cp "$root/tests/more/go_packages/second.go.txt" second/second.go || return 1
        sed -i "s|@ARCHIVE@|$work/libsecond.a|" second/second.go
        between=second
        for number in $(seq 2 "$depth"); do
            mkdir -p "between$number"
            printf 'package second\n\nimport "example.com/program/%s"\n\nvar Sum = second.Sum\n' "$between" >"between$number/between.go"
            between=between$number
        done
        sed "s|example.com/program/second|example.com/program/$between|" "$root/tests/more/go_packages/two_libraries.go.txt" >main.go
        installed || return 1
        for flags in '' '-extldflags -static'; do
            "$GO" build -o two -ldflags "-v $flags" . 2>"$work/link" || { cat "$work/link"; return 1; }
            a_token ./two || return 1
            grep -o 'host link:.*' "$work/link" | grep -oE 'libtokenwell\.a|libsecond\.a' | tr '\n' ' ' >"$work/order.$depth"
        done
    done
    figures="$(cat "$work/order.1")and $(cat "$work/order.3")"
    [ "$figures" = 'libsecond.a libtokenwell.a and libtokenwell.a libsecond.a ' ] || { echo "the orders are: $figures" && return 1; }
    figures=${figures% }
}
# A copy of the module, with the names that a later major version would have.
next_version() {
    program "$1" && mkdir -p next && cp -R "$cached"/. next/ && chmod -R u+w next && rm next/go.mod || return 1
    sed -i 's/tokenwell_go_v0_/tokenwell_go_v1_/g; s|github.com/tokenwell/tokenwell/bindings/go|example.com/two/next|' next/*.go
    rm -f go.mod && "$GO" mod init example.com/two 2>/dev/null && cp "$root/tests/more/go/two_versions.go.txt" main.go && installed
}
two_major_versions_in_one_program() { next_version two_versions && "$GO" build -o two . && ./two; }

other_archive() { # other_archive FILE VERSION ABI: a static library that reports these versions
    { printf '#define VERSION "%s"\n#define ABI %s\n' "$2" "$3" &&
        sed -n '/^const otherLibrary = `/,/^`/{/`/d;p}' "$root/bindings/go/library_dynamic_test.go" &&
        sed -n 's/^[a-z].*[ *]\(tokenwell_[a-z_]*\)(.*/OTHER(\1)/p' "$root/include/tokenwell.h" | grep -v '(tokenwell_abi_version)\|(tokenwell_version)'; } >"$work/other.c"
    "$CC" -c "$work/other.c" -o "$work/other.o" && rm -f "$1" && ar rcs "$1" "$work/other.o"
}
another_static_library_is_one_sentence() { # of another version, as if two packages with libtokenwell.a were linked
    program other "$work/programs/hello/main.go" && mkdir -p copy && cp -R "$cached"/. copy/ && chmod -R u+w copy && installed &&
        "$GO" mod edit -replace "$module=./copy" || return 1
    for versions in '0.0.1 1' '9.9.9 2'; do
        # Must be split into words.
        # shellcheck disable=SC2086
        other_archive copy/native/linux_amd64/libtokenwell.a $versions &&
            sed -i "s|^const Sum = .*|const Sum = \"$versions\"|" copy/native/linux_amd64/sum.go &&
            "$GO" build -o other . || return 1
        fails "$work/said" ./other || return 1
        cat "$work/said"
        [ "$(wc -l <"$work/said")" -eq 1 ] || return 1
        for words in "libtokenwell ${versions% *}, which is a part of this program, has ABI version ${versions#* }" "requires libtokenwell ${version#v} or newer with ABI version 1" \
            'the static libraries of two versions' 'go list -m all'; do grep -qF "$words" "$work/said" || { echo "lacks: $words" && return 1; }; done
    done
}
a_changed_archive_is_linked_again() { # in the directory of `make library`: the Go command does not notice that an archive has changed
    mkdir -p "$work/dist" && cp -R "$DIST/lib" "$work/dist/" && (cd "$root" && DIST="$work/dist" sh packaging/go.sh libtokenwell.so.0) || return 1
    program changed "$work/programs/hello/main.go" && "$GO" mod edit -require "$module@v0.0.0" -replace "$module=$work/dist/go" &&
        "$GO" build -o changed . && a_token ./changed || return 1
    other_archive "$work/dist/lib/libtokenwell.a" 9.9.9 2 && (cd "$root" && DIST="$work/dist" sh packaging/go.sh libtokenwell.so.0) &&
        "$GO" build -o changed . || return 1
    fails "$work/said" ./changed && grep 'libtokenwell 9.9.9' "$work/said"
}

# The examples of the repository, with the modules of the proxy. Other modules come from where they are published.
example() { # example NAME
    program "example_$1" "$root/examples/go/$1"/* || return 1
    rm -f go.mod go.sum
    "$GO" mod init example.com/program 2>/dev/null
    "$GO" mod edit -go=1.24.0
    for required in $(sed -n 's|^\t\(go.mongodb.org/[^ ]* v[^ ]*\)$|\1|p; s|^require \(go.mongodb.org/[^ ]* v[^ ]*\)$|\1|p' "$root/examples/go/$1/go.mod" | tr ' ' '@'); do
        GOPROXY="$GOPROXY,$public" "$GO" mod edit -require "$required" || return 1
    done
    GOPROXY="$GOPROXY,$public" "$GO" mod tidy && grep "$module $version" go.mod && "$GO" vet . && "$GO" build -o program .
}
the_examples_run() {
    example hello && ./program | grep '^hello, .*\[redacted\]' || return 1
    example http_client && ./program | grep "$MONGODB_ATLAS_ORG_ID" || return 1
    example oauth2 && grep "$module/oauth2 $version" go.mod && ./program | grep "$MONGODB_ATLAS_ORG_ID" || return 1
    figures=3
    if [ -z "${SHORT:-}" ]; then
        example atlas_sdk && ./program | grep "$MONGODB_ATLAS_ORG_ID" || return 1
        # There is no cluster here: that this one logs in is tested by the module itself.
        example mongodb_oidc && grep "$module/mongodriver $version" go.mod || return 1
        figures='5, of which 4 run'
    fi
}

# The tests of the repository, beside the module as it was installed.
beside_the_module() {
    mkdir -p "$work/copy/bindings" && cp -R "$cached" "$work/copy/bindings/go" && chmod -R u+w "$work/copy" &&
        cp "$root"/bindings/go/*_test.go "$work/copy/bindings/go/" &&
        cp -R "$root/bindings/service_accounts" "$work/copy/bindings/" &&
        cp -R "$root/bindings/go/internal" "$work/copy/bindings/go/" && mkdir -p "$work/copy/src" && cp -R "$root/src/config" "$work/copy/src/" &&
        cp -R "$root/examples" "$root/docs" "$root/include" "$work/copy/"
}
the_tests_of_the_wrapper_pass() {
    beside_the_module && cd "$work/copy/bindings/go" || return 1
    if [ -n "${SHORT:-}" ]; then part='Alive|Freed|Canceled|Saved|Error|Sources|Version|Redact|Environment|RoundTrip'; else part=.; fi
    TOKENWELL_BIN="$DIST/bin/tokenwell" "$GO" test -count=1 -v -run "$part" . >"$work/go_tests" 2>&1
    code=$?
    grep -v '^ *--- PASS\|^=== \|^ok' "$work/go_tests"
    figures="$(grep -c '^--- PASS' "$work/go_tests") tests"
    [ "$code" -eq 0 ] && [ "$(grep -c '^--- PASS' "$work/go_tests")" -ge 10 ]
}
the_vectors_pass() { # the runner is a test of the repository
    (cd "$work/copy/bindings/go" && "$GO" build -o "$work/go-shim" ./internal/shim) && needs_only_the_c_library "$work/go-shim" && cd "$root" || return 1
    if [ -n "${SHORT:-}" ]; then set -- --case token; else set --; fi
    PATH=$original_path "$CARGO" test --quiet --locked --features "$FEATURES" --test vectors -- --shim "go=$work/go-shim" "$@" || return 1
    figures=$(grep '^go: .* passed' "$work/output")
}
