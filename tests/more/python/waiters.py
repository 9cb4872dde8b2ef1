"""10,000 tasks wait for a cold token with 1,000 different deadlines.

    waiters.py LOOP COUNT CANCEL

LOOP is asyncio or uvloop. CANCEL is 1 if all tasks but one are canceled while they wait. Prints lines of JSON: one when nothing has been
requested yet, after which it waits for a line, and one with the outcome.
"""

import asyncio
import gc
import json
import os
import sys
import time

import tokenwell

DEADLINES = 1000
SHORTEST = 60
"""Seconds.

Longer than the server takes, because all are to be served.
"""


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def wait_for_nothing():
    await asyncio.get_running_loop().create_future()


async def memory_of(tasks):
    """The growth of the process for each task, after the tasks have begun to wait."""
    gc.collect()
    before = resident()
    started = [asyncio.ensure_future(task) for task in tasks]
    await asyncio.sleep(0)
    return started, (resident() - before) / len(started)


async def main(count, cancel):
    client = tokenwell.Client.from_env(timeout=600)
    # Imports what the first wait imports, and requests nothing.
    await client.invalidate_async("another token")
    print(json.dumps({"pid": os.getpid()}), flush=True)
    sys.stdin.readline()
    gc.disable()  # so that no collection changes the figures
    plain, plain_bytes = await memory_of([wait_for_nothing() for _ in range(count)])
    gets, bytes_each = await memory_of([client.token_async(timeout=SHORTEST + number % DEADLINES / 10) for number in range(count)])
    gc.enable()
    for task in plain:
        task.cancel()
    if cancel:
        await asyncio.sleep(0.5)
        for task in gets[:-1]:
            task.cancel()
    outcomes = await asyncio.gather(*gets, return_exceptions=True)
    print(
        json.dumps(
            {
                "served": sum(isinstance(outcome, tokenwell.Token) for outcome in outcomes),
                "canceled": sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes),
                "tokens": len({outcome.value for outcome in outcomes if isinstance(outcome, tokenwell.Token)}),
                "last_served": isinstance(outcomes[-1], tokenwell.Token),
                "bytes": bytes_each,
                "bytes_of_a_task": plain_bytes,
            }
        ),
        flush=True,
    )


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.run(main(int(sys.argv[2]), sys.argv[3] == "1"))
else:
    asyncio.run(main(int(sys.argv[2]), sys.argv[3] == "1"))
