"""Greenlets get a cold token from a slow server, while another one ticks (row B10 of the fault list).

    greenlets.py LIBRARY CALL WAITERS

LIBRARY is gevent or eventlet, which patches the standard library. CALL is token, token_async, revoke or pool, a call on a native thread of the
library's pool. Prints one line of JSON: the longest time between two ticks more than planned, in milliseconds, without the time for which the
machine ran other processes instead, and what the calls returned.
"""

import sys

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()
    import gevent

    spawn, sleep, in_pool = gevent.spawn, gevent.sleep, gevent.get_hub().threadpool.apply

    def join(greenlet):
        return greenlet.get()
else:
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)
    import eventlet

    eventlet.monkey_patch()
    import eventlet.tpool

    spawn, sleep, in_pool = eventlet.spawn, eventlet.sleep, eventlet.tpool.execute

    def join(greenlet):
        return greenlet.wait()


import asyncio
import json
import time

import tokenwell

TICK = 0.005


def own_time():
    """The time without that for which this thread was ready to run and the machine ran others."""
    with open("/proc/thread-self/schedstat") as schedstat:
        return time.monotonic() - int(schedstat.read().split()[1]) / 1e9


def tick(lags, waiting):
    while waiting:
        began = own_time()
        sleep(TICK)
        lags.append(own_time() - began - TICK)


def make_call(client, call):
    """The function whose wait is observed. It returns whether the outcome is as it should be."""
    if call == "token":
        return lambda: len(client.token().value) > 20
    if call == "token_async":
        return lambda: len(asyncio.run(client.token_async()).value) > 20
    if call == "revoke":
        client.token()
        return lambda: client.revoke() is None
    return lambda: len(in_pool(client.token).value) > 20


def main(call, waiters):
    client = tokenwell.Client.from_env()
    wait = make_call(client, call)
    lags, waiting = [], [True]
    ticker = spawn(tick, lags, waiting)
    sleep(0.1)
    lags.clear()
    began = time.monotonic()
    outcomes = [join(greenlet) for greenlet in [spawn(wait) for _ in range(waiters)]]
    took = time.monotonic() - began
    waiting.clear()
    join(ticker)
    print(json.dumps({"served": sum(outcomes), "seconds": took, "ticks": len(lags), "longest_lag_ms": 1000 * max(lags)}))


main(sys.argv[2], int(sys.argv[3]))
