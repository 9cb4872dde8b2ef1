"""One thread sets ever new environment variables while another creates and closes clients (row B1 of the fault list).

    setenv.py SECONDS CONSTRUCTOR

CONSTRUCTOR is `Client` or `from_env`. If the library read the environment of the process, this would crash within seconds.
"""

import os
import sys
import threading
import time

import tokenwell


def set_variables(stop):
    """Sets names that were never set before, so that the C library moves the array of variables, and removes them."""
    rounds = 0
    while not stop.is_set():
        names = [f"OF_THE_TEST_{rounds}_{count}" for count in range(500)]
        for name in names:
            os.environ[name] = "value"
        for name in names:
            del os.environ[name]
        rounds += 1


def main(seconds, constructor):
    create = tokenwell.Client.from_env if constructor == "from_env" else tokenwell.Client
    options = {} if constructor == "from_env" else {"client_id": "mdb_sa_id_1", "client_secret": "secret"}
    stop = threading.Event()
    threads = [threading.Thread(target=set_variables, args=(stop,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    clients, end = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            create(**options).close()
            clients += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"{constructor}: {clients} clients in {seconds:g} s beside two threads that set variables")


main(float(sys.argv[1]), sys.argv[2])
