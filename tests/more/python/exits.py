"""Ends at some moment of a pending get.

    exits.py WHERE HOW SECONDS

WHERE is where the get waits: in `main` (the main thread), in a `thread`, or in tasks of `asyncio`. HOW is how the process ends after SECONDS:
`return`, `sys.exit`, `os._exit`, `signal` (SIGTERM), `interrupt` (SIGINT), `exception`, or for asyncio `abandon`: the loop is neither stopped nor
closed. The exit status says which one it was; see EXPECTED in run.py.
"""

import asyncio
import os
import signal
import sys
import threading
import time

import tokenwell


class Returning(Exception):
    pass


def end(how):
    if how == "sys.exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(4)
    if how == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    if how == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
        return
    if how == "exception":
        raise RuntimeError("the exception of the test")
    raise Returning


def in_main(client, how, seconds):
    signal.signal(signal.SIGALRM, lambda *_: end(how))
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    while True:
        client.token(force_refresh=True)


def in_thread(client, how, seconds):
    def get():
        while True:
            client.token(force_refresh=True)

    for _ in range(3):
        threading.Thread(target=get, daemon=True).start()
    time.sleep(seconds)
    end(how)
    time.sleep(60)


def in_tasks(client, how, seconds):
    async def get():
        while True:
            await client.token_async(force_refresh=True)

    async def main():
        tasks = [asyncio.ensure_future(get()) for _ in range(20)]
        await asyncio.sleep(seconds)
        if how == "abandon":
            kept.append(tasks)
        else:
            end(how)
            await asyncio.sleep(60)  # until asyncio cancels this task after the interrupt

    kept = []
    if how == "abandon":
        loop = asyncio.new_event_loop()
        kept.append(loop)
        loop.run_until_complete(main())
    else:
        asyncio.run(main())


try:
    {"main": in_main, "thread": in_thread, "asyncio": in_tasks}[sys.argv[1]](tokenwell.Client.from_env(), sys.argv[2], float(sys.argv[3]))
except Returning:
    pass
