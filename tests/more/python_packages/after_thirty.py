"""Loads the libraries that are named, and then tokenwell: `after_thirty.py LIBRARY...`."""

import ctypes
import sys
import threading

libraries = [ctypes.CDLL(path) for path in sys.argv[1:]]
assert len(libraries) == 30
import tokenwell  # noqa: E402


def get():
    with tokenwell.Client.from_env() as client:
        tokens.append(client.token().value)


tokens = []
threads = [threading.Thread(target=get) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(tokens) == 4 and all(len(token) > 100 for token in tokens)
