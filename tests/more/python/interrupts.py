"""Measures how long after a signal a pending get ends: `interrupts.py COUNT CALL`. Prints the longest time in milliseconds, without the time for
which the machine ran other processes instead.

CALL is token, authorization or revoke. The server must not answer.
"""

import os
import random
import signal
import sys
import threading
import time

import tokenwell


class Interrupted(BaseException):
    pass


def handle(*_):
    raise Interrupted


def own_time():
    """The time without that for which the main thread was ready to run and the machine ran others."""
    with open(f"/proc/self/task/{os.getpid()}/schedstat") as schedstat:
        return time.monotonic() - int(schedstat.read().split()[1]) / 1e9


def main(count, call):
    client = tokenwell.Client.from_env()
    if call == "revoke":
        client.token()
    signal.signal(signal.SIGUSR1, handle)
    sent = []

    def send(seconds):
        time.sleep(seconds)
        sent.append(own_time())
        os.kill(os.getpid(), signal.SIGUSR1)

    longest = 0.0
    for _ in range(count):
        thread = threading.Thread(target=send, args=(random.uniform(0.02, 0.1),))
        try:
            thread.start()
            getattr(client, call)(timeout=60)
            time.sleep(60)
        except Interrupted:
            longest = max(longest, own_time() - sent[-1])
        thread.join()
    print(1000 * longest)


main(int(sys.argv[1]), sys.argv[2])
