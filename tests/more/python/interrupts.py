"""Measures how long after a signal a pending get ends: `interrupts.py COUNT CALL`. Prints the longest time in milliseconds.

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


def main(count, call):
    client = tokenwell.Client.from_env()
    if call == "revoke":
        client.token()
    signal.signal(signal.SIGUSR1, handle)
    sent = []

    def send(seconds):
        time.sleep(seconds)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGUSR1)

    longest = 0.0
    for _ in range(count):
        thread = threading.Thread(target=send, args=(random.uniform(0.02, 0.1),))
        try:
            thread.start()
            getattr(client, call)(timeout=60)
            time.sleep(60)
        except Interrupted:
            longest = max(longest, time.monotonic() - sent[-1])
        thread.join()
    print(1000 * longest)


main(int(sys.argv[1]), sys.argv[2])
