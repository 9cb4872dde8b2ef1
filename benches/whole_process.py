"""What a whole `tokenwell token` costs from a warm cache, beside `true`: median and p99 of many runs, in turns."""

import os
import statistics
import subprocess
import sys
import time

RUNS = 300


def run(command):
    begun = time.perf_counter_ns()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return (time.perf_counter_ns() - begun) / 1e6


def main():
    commands = {"true": ["/bin/true"], "tokenwell token": [os.path.join(os.environ["DIST"], "bin/tokenwell"), "token"]}
    for command in commands.values():
        for _ in range(5):
            run(command)
    times = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            times[name].append(run(command))
    print(f"{'whole process':<20} {'median ms':>10} {'p99 ms':>8}")
    for name, measured in times.items():
        p99 = statistics.quantiles(measured, n=100)[98]
        print(f"{name:<20} {statistics.median(measured):>10.2f} {p99:>8.2f}")
    ratio = statistics.median(times["tokenwell token"]) / statistics.median(times["true"])
    print(f"ratio of the medians: {ratio:.2f}")


sys.exit(main())
