"""Runs the tests of the faults that users reported, which are named after their row (n14_…, s2_…, b14_…), with a build
of the command.

    rows.py --fail COMMAND     each must fail: COMMAND is a build from before they were corrected
    rows.py --pass COMMAND     each must pass

Prints `N of N fail` or `N of N pass`. Requires cargo; FEATURES names the features of the tests.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS = ("cli", "emulator")
ROW = re.compile(r"^(?:\w+::)*((?:n|s|b|g|e)\d+)_\w+: test$")


def tests_of(name, command, *arguments):
    cargo = [os.environ.get("CARGO", "cargo"), "test", "--quiet", "--locked", "--features", os.environ["FEATURES"], "--test", name, "--", *arguments]
    return subprocess.run(cargo, cwd=ROOT, env={**os.environ, "TOKENWELL_COMMAND": command}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("--fail", "--pass"):
        sys.exit(__doc__)
    must_pass = sys.argv[1] == "--pass"
    command = str(pathlib.Path(sys.argv[2]).resolve())
    if not os.access(command, os.X_OK):
        sys.exit(f"rows: {command} is not a program: build it, or name another one")
    total, as_expected, rows = 0, 0, set()
    for name in TESTS:
        listed = tests_of(name, command, "--list").stdout
        names = [line.rpartition(": ")[0] for line in listed.splitlines() if ROW.match(line)]
        if not names:
            sys.exit(f"rows: the test {name} has no row tests:\n{listed}")
        run = tests_of(name, command, "--exact", "--format=pretty", *names).stdout
        verdicts = dict(re.findall(r"^test (\S+) \.\.\. (ok|FAILED)$", run, re.MULTILINE))
        for test in names:
            total += 1
            rows.add(ROW.match(f"{test}: test").group(1))
            if (verdicts.get(test) == "ok") == must_pass and test in verdicts:
                as_expected += 1
            else:
                print(f"rows: {test}: {verdicts.get(test, 'did not run')}")
        if must_pass and set(verdicts.values()) != {"ok"}:
            print(run)
    print(f"{as_expected} of {total} {'pass' if must_pass else 'fail'} ({len(rows)} rows)")
    return as_expected != total


sys.exit(main())
