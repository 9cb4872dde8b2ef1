"""`make demo`: five programs in five languages get a token from the emulator, use it, and get it 10,000 more times.

They use the packages that examples/install.sh installed in dist/demo."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = Path(os.environ.get("DIST", ROOT / "dist"))
DEMO = DIST / "demo"
COMMAND = str(DEMO / "tokenwell/bin/tokenwell")

PROGRAMS = [
    ("C", [str(DEMO / "c-demo")]),
    ("Python", [str(DEMO / "python/bin/python"), str(ROOT / "examples/python/demo.py")]),
    ("Go", [str(DEMO / "go-demo")]),
    ("Node", [os.environ.get("NODE", "node"), str(DEMO / "node/demo.mjs")]),
    ("Shell", [COMMAND, "bench", "--json", "--gets", "10000"]),
]


def main() -> int:
    emulator = subprocess.Popen(
        [COMMAND, "emulator", "--until-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        credentials = dict(line.strip().split("=", 1) for line in iter(emulator.stdout.readline, "# ready\n"))
        with tempfile.TemporaryDirectory() as home:
            reports = run_programs({**program_environment(home), **credentials})
        # Connect to loopback directly, even if the environment configures a proxy.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(credentials["MONGODB_ATLAS_BASE_URL"] + "/_emulator/counters") as reply:
            requests = json.load(reply)["token_requests"]
    finally:
        emulator.stdin.close()
        emulator.wait()
    if reports is None:
        return 1
    print(f"\nTo use this build in a shell, from any directory:  . '{DIST}/env'")
    print_table(reports)
    print(f"{len(reports)} callers, {requests} token request{'' if requests == 1 else 's'}")
    return 0


def program_environment(home: str) -> dict:
    """Returns the environment of a program: a separate home directory, and none of the user's settings or search paths."""
    own = ("MONGODB_ATLAS_", "MCLI_", "TOKENWELL_", "LD_LIBRARY_PATH", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "HOME": home, "XDG_CACHE_HOME": f"{home}/cache", "XDG_CONFIG_HOME": f"{home}/config"}


def run_programs(environment: dict) -> "list | None":
    """Starts all programs concurrently and returns their reports; None if one of them failed."""
    started = [
        (language, subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        for language, command in PROGRAMS
    ]
    reports = []
    for language, program in started:
        output, errors = program.communicate(timeout=120)
        if program.returncode != 0:
            print(f"{language}: exit code {program.returncode}\n{errors}", file=sys.stderr)
            return None
        reports.append({**json.loads(output), "language": language})
    failed = [report["language"] for report in reports if report["api_status"] != 200]
    if failed:
        print(f"the Admin API rejected the token of: {', '.join(failed)}", file=sys.stderr)
        return None
    return reports


def print_table(reports: list) -> None:
    print()
    print(f"{'language':<10} {'API status':>10} {'gets':>8} {'ns per cached get':>18} {'ms to first token':>18}")
    for report in reports:
        print(
            f"{report['language']:<10} {report['api_status']:>10} {report['gets']:>8} {report['ns_per_get']:>18.0f} {report['first_token_ms']:>18.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())
