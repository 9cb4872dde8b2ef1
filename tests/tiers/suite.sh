# Sourced, not run: runs suites one after another and prints a table of what passed, what was skipped and how long it took.
#
#   suite NAME COUNT COMMAND...   runs COMMAND, shows its output only if it fails, and counts with COUNT, a filter that prints "PASSED SKIPPED"
#   close TITLE                   prints the table, the tests that failed and the closing line; its status is 0 if no suite failed
#
# A suite in which nothing passed has failed, unless everything in it was skipped and it says why. Lines that begin with "skipped" are always shown.
# With SUITE_TABLE set, the rows are also appended to that file.

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=0 total=0 total_skipped=0
: >"$logs/summary"
: >"$logs/failed"

suite() {
    name=$1 count=$2
    shift 2
    printf '%s ... ' "$name"
    start=$(date +%s)
    if "$@" >"$logs/output" 2>&1; then verdict=ok; else verdict=FAILED; fi
    seconds=$(($(date +%s) - start))
    counted=$($count <"$logs/output")
    passed=${counted%% *} skipped=${counted##* }
    if [ "$verdict" = ok ] && [ "$passed" -eq 0 ]; then
        if [ "$skipped" -gt 0 ]; then
            verdict=skipped
        else
            verdict=FAILED
            echo "$name: no test ran" >>"$logs/output"
        fi
    fi
    echo "$verdict, $passed passed, $skipped skipped, $seconds s"
    if [ "$verdict" = FAILED ]; then
        failed=$((failed + 1))
        # What failed may be further up than the last lines.
        grep -E -B 8 '^(FAIL|not ok)' "$logs/output"
        tail -n 200 "$logs/output"
        failed_tests "$name" <"$logs/output" | tee -a "$logs/failed"
    else
        grep '^skipped' "$logs/output"
    fi
    total=$((total + passed)) total_skipped=$((total_skipped + skipped))
    row "$name" "$passed" "$skipped" "$seconds" "$verdict"
}

row() {
    printf '%-28s %6s %8s %8s  %s\n' "$@" >>"$logs/summary"
    if [ -n "${SUITE_TABLE:-}" ]; then printf '%-28s %6s %8s %8s  %s\n' "$@" >>"$SUITE_TABLE"; fi
}

# A step that has no tests of its own and that later suites need.
step() {
    if ! "$@"; then
        echo "FAILED: $*" | tee -a "$logs/failed"
        failed=$((failed + 1))
    fi
}

close() {
    echo
    printf '%-28s %6s %8s %8s  %s\n' "$1" passed skipped seconds verdict
    cat "$logs/summary"
    # Logs often show only the last lines.
    cat "$logs/failed"
    echo "$total passed, $failed failed, $total_skipped skipped"
    [ "$failed" -eq 0 ]
}

# One line for each failed test in the output of a suite, in the form of any of the runners. If there is none, the last line of the output.
failed_tests() { # failed_tests SUITE
    awk -v suite="$1" '
        function add(test) {
            if (test != "" && !(test in seen) && ++count <= 40) print "FAILED in " suite ": " substr(test, 1, 300)
            seen[test]
        }
        /[^[:space:]]/ { last = $0 }
        # cargo test
        /^ *test .* \.\.\. FAILED$/ { sub(/^ *test /, ""); sub(/ \.\.\. FAILED$/, ""); add($0); next }
        /^ *---- .* stdout ----$/ { sub(/^ *---- /, ""); sub(/ stdout ----$/, ""); add($0); next }
        # go test
        /^ *--- FAIL: / { sub(/^ *--- FAIL: /, ""); sub(/ \([0-9.]+s\)$/, ""); add($0); next }
        # node --test
        /^ *not ok [0-9]+/ { sub(/^ *not ok [0-9]+( - )?/, ""); add($0); next }
        /^ *✖ / { sub(/^ *✖ /, ""); if ($0 != "failing tests:") { sub(/ \([0-9.]+ms\)$/, ""); add($0) } next }
        # The runners of this repository, pytest, and the packages of go test
        /^ *([A-Za-z_+]+: )?(FAILED|FAIL|ERROR)[[:space:]]+[^[:space:]]/ { gsub(/^ +/, ""); sub(/^(FAILED|FAIL|ERROR)[[:space:]]+/, ""); add($0) }
        END {
            if (count == 0) print "FAILED in " suite ": no test is named; the last line is: " substr(last, 1, 300)
            if (count > 40) print "FAILED in " suite ": " count - 40 " more"
        }'
}

# The filters: how each runner says what passed and what was skipped.
count_cargo() { sed -n 's/^test result: .* \([0-9]*\) passed; [0-9]* failed; \([0-9]*\) ignored;.*/\1 \2/p' | sum; }
count_plain() { sed -n 's/^[A-Za-z_]*:\{0,1\} *\([0-9][0-9]*\) passed, [0-9]* failed\(, \([0-9][0-9]*\) skipped\)\{0,1\}.*/\1 0\3/p' | sum; }
count_pytest() {
    tail -n 1 | awk '{ for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^skipped/) s += $(i - 1) } } END { print p + 0, s + 0 }'
}
count_go() { awk '/^ *--- PASS/ { p++ } /^ *--- SKIP/ { s++ } END { print p + 0, s + 0 }'; }
count_node() { awk '/^[^a-z]*pass [0-9]+$/ { p += $NF } /^[^a-z]*skipped [0-9]+$/ { s += $NF } END { print p + 0, s + 0 }'; }
sum() { awk '{ p += $1; s += $2 } END { print p + 0, s + 0 }'; }
