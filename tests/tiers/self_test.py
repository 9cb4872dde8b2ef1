"""Tests of the test tiers themselves: a missing tool is counted as skipped and never as passed, a failure is seen, and skipped tests are counted.

    python3 tests/tiers/self_test.py
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
passed, failed = 0, 0

def check(name, condition, output):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok {name}")
    else:
        failed += 1
        print(f"FAILED {name}", *output.splitlines(), sep="\n  ")

def path_without(tool, directory):
    """A PATH with every command of the present one except `tool`."""
    for place in os.environ["PATH"].split(os.pathsep):
        for command in pathlib.Path(place).glob("*") if os.path.isdir(place) else []:
            link = directory / command.name
            if command.name != tool and not link.is_symlink() and os.access(command, os.X_OK):
                link.symlink_to(command)
    return str(directory)

def run(command, **variables):
    environment = {"DIST": str(ROOT / "dist"), **os.environ, **variables}
    environment.pop("SUITE_TABLE", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout

def suites(script):
    """Runs a few lines of shell that use tests/tiers/suite.sh."""
    return run(["sh", "-c", f". tests/tiers/suite.sh\n{script}\nclose test"])

def closing(output):
    return output.splitlines()[-1]

with tempfile.TemporaryDirectory() as directory:
    code, output = run(["sh", "tests/tiers/more.sh", "doxygen"], PATH=path_without("doxygen", pathlib.Path(directory)))
check("a_missing_tool_is_skipped_and_not_passed", closing(output) == "0 passed, 0 failed, 1 skipped" and code == 0, output)
check("a_missing_tool_is_named_with_the_reason", "skipped doxygen: doxygen is missing: it reads the documentation in include/tokenwell.h" in output, output)
check("a_skipped_suite_is_marked_in_the_table", any(line.split()[-1:] == ["skipped"] and "doxygen" in line for line in output.splitlines()), output)

for suite, tool in {"asan": "gcc", "tsan": "rustup", "memcheck": "valgrind"}.items():
    with tempfile.TemporaryDirectory() as directory:
        code, output = run(["sh", "tests/tiers/more.sh", suite], PATH=path_without(tool, pathlib.Path(directory)))
    skipped = closing(output) == "0 passed, 0 failed, 1 skipped" and code == 0 and f"skipped {suite}: {tool} is missing: " in output
    check(f"{suite}_without_{tool}_is_skipped", skipped, output)

code, output = run(["sh", "tests/tiers/more.sh", "no_such_suite"])
check("an_unknown_suite_fails", code == 1 and "there is no suite no_such_suite" in output, output)

# Two suites at the same time: what is said of the one beside is neither lost nor passed over.
with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(path_without("doxygen", pathlib.Path(directory)))
    code, output = run(["sh", "tests/tiers/more.sh", "doxygen"], PATH=str(path), BESIDE="1")
    check("a_suite_beside_is_skipped_with_its_reason", code == 0 and "skipped doxygen: doxygen is missing: " in output, output)
    (path / "doxygen").write_text("#!/bin/sh\nexit 3\n")
    (path / "doxygen").chmod(0o755)
    code, output = run(["sh", "tests/tiers/more.sh", "doxygen"], PATH=str(path), BESIDE="1")
    last = output.split("\ntest-more ")[-1]
    check("a_suite_beside_that_fails_fails_the_run_and_is_named_last", code == 1 and "FAILED in doxygen: " in last and closing(output) == "0 passed, 1 failed, 0 skipped", output)
beside = (ROOT / "tests/tiers/more.sh").read_text().split('no_time="', 1)[1].split('"', 1)[0].split()
missing = [name for name in beside if not (ROOT / f"tests/more/{name}.sh").is_file()]
check("the_suites_that_run_beside_others_exist", beside and not missing, missing)

code, output = suites('suite good count_plain echo "good: 3 passed, 0 failed"\nsuite bad count_plain false')
check("a_failed_suite_fails_the_run", code == 1 and closing(output) == "3 passed, 1 failed, 0 skipped", output)

code, output = suites("suite empty count_plain true")
check("a_suite_without_a_test_fails", code == 1 and "empty: no test ran" in output, output)

code, output = suites('suite a count_plain echo "a: 1 passed, 0 failed"')
row = next((line.split() for line in output.splitlines() if line.startswith("a ") and line.endswith(" ok") and "..." not in line), [])
check("the_table_has_passed_skipped_and_seconds", row[:3] == ["a", "1", "0"] and row[3:4] != [] and row[3].isdigit(), output)

RUNNERS = {
    "count_cargo": ("test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s", "5 passed, 0 failed, 2 skipped"),
    "count_plain": ("older_version: 7 passed, 0 failed, 4 skipped (1.0 s)", "7 passed, 0 failed, 4 skipped"),
    "count_pytest": ("240 passed, 3 skipped in 12.3s", "240 passed, 0 failed, 3 skipped"),
}
for count, (line, expected) in RUNNERS.items():
    code, output = suites(f'suite it {count} echo "{line}"')
    check(f"{count}_counts_what_was_skipped", code == 0 and closing(output) == expected, output)

for count, lines in {"count_go": "--- PASS: TestA (0.0s)\n    --- PASS: TestB\n--- SKIP: TestC (0.0s)", "count_node": "ℹ pass 2\nℹ fail 0\nℹ skipped 1"}.items():
    code, output = suites(f"lines() {{ cat <<'END'\n{lines}\nEND\n}}\nsuite it {count} lines")
    check(f"{count}_counts_what_was_skipped", code == 0 and closing(output) == "2 passed, 0 failed, 1 skipped", output)

# What each runner prints about a failed test, which may be long before its end.
FAILURES = {
    "cargo": ("test cache::tests::one ... FAILED\n\nfailures:\n\n---- cache::tests::one stdout ----\nthread panicked", ["cache::tests::one"]),
    "cargo_quiet": ("..F.\nfailures:\n\n---- cache::tests::one stdout ----\nassertion failed\n\n\nfailures:\n    cache::tests::one", ["cache::tests::one"]),
    "go": ("=== RUN   TestA\n    --- FAIL: TestA/sub (0.01s)\n--- FAIL: TestA (0.02s)\nFAIL\nFAIL\texample.com/a\t0.1s", ["TestA/sub", "TestA", "example.com/a\t0.1s"]),
    "node_spec": ("✖ a promise (12.5ms)\nℹ fail 1\n✖ failing tests:\n✖ a promise (12.5ms)", ["a promise"]),
    "node_tap": ("    not ok 1 - a promise\nnot ok 3 - all", ["a promise", "all"]),
    "pytest": ("=== short test summary info ===\nFAILED tests/test_a.py::test_b - assert 1\nERROR tests/test_c.py::test_d", ["tests/test_a.py::test_b - assert 1", "tests/test_c.py::test_d"]),
    "plain": ("ok one\nFAILED  two: 3 requests (4 s)\nFAIL three (5 ms)\n  FAILED inner", ["two: 3 requests (4 s)", "three (5 ms)", "inner"]),
    "vectors": ("python: FAILED a case (errors.json), step 2", ["python: FAILED a case (errors.json), step 2"]),
    "unnamed": ("building\nerror: no space left\n", ["no test is named; the last line is: error: no space left"]),
}
for runner, (lines, names) in FAILURES.items():
    code, output = suites(f"fails() {{ cat <<'END'\n{lines}\nEND\nfor i in $(seq 300); do echo \"line $i\"; done; echo '{lines.splitlines()[-1]}'; false; }}\nsuite it count_plain fails")
    expected = [f"FAILED in it: {name}" for name in names]
    check(f"the_last_lines_name_what_failed_in_{runner}", code == 1 and output.splitlines()[-len(names) - 1 : -1] == expected, output)

code, output = suites('step false')
check("the_last_lines_name_a_failed_step", code == 1 and output.splitlines()[-2:] == ["FAILED: false", "0 passed, 1 failed, 0 skipped"], output)

# What .ci/run builds beforehand: a suite that does not stop after its builds would run at the wrong time.
listed = (ROOT / "tests/tiers/builds.sh").read_text().split("set -- ", 1)[1].splitlines()[0].split()
stopping = [path.stem for path in sorted((ROOT / "tests/more").glob("*.sh")) if "built" in path.read_text().splitlines()]
check("the_suites_that_are_built_beforehand_stop_after_their_builds", stopping == sorted(listed) != [], f"{listed} are listed, {stopping} stop")
code, output = run(["sh", "tests/tiers/builds.sh", "no_such_suite"])
check("a_build_that_fails_is_left_to_its_suite", code == 0 and output.splitlines()[-1].startswith("no_such_suite: not built, see its suite"), output)

print(f"tiers: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
