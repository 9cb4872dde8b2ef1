"""The environment of the process, changed by other threads while clients are created.

The package does not use `tokenwell_config_set_variable` yet, so this test calls the library as the package will.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from conftest import Emulator

PROGRAM = """
import ctypes, os, sys, threading

library = ctypes.CDLL(os.environ["TOKENWELL_LIBRARY"])
passing, rounds = sys.argv[1] == "passing", int(sys.argv[2])
variables = dict(os.environ)
settings = dict(pair.split("=", 1) for pair in sys.argv[3:])
over = False


def change():
    names = ["OF_THE_TEST_%d" % count for count in range(2000)]
    while not over:
        for name in names:
            os.environ[name] = "value"
        for name in names:
            del os.environ[name]


def call(function, *arguments):
    error = ctypes.c_void_p()
    status = getattr(library, function)(*arguments, ctypes.byref(error))
    assert status == 0, (function, status)


def string(value):
    encoded = os.fsencode(value)
    return encoded, ctypes.c_size_t(len(encoded))


def create_client():
    config, client = ctypes.c_void_p(), ctypes.c_void_p()
    call("tokenwell_config_new", ctypes.byref(config))
    for name, value in settings.items():
        call("tokenwell_config_set", config, *string(name), *string(value))
    if passing:
        call("tokenwell_config_use_variables", config)
        for name, value in variables.items():
            call("tokenwell_config_set_variable", config, *string(name), *string(value))
    call("tokenwell_config_use_environment", config)
    call("tokenwell_client_new", config, ctypes.byref(client))
    call("tokenwell_client_close", client)
    library.tokenwell_client_free(client)
    library.tokenwell_config_free(config)


thread = threading.Thread(target=change)
thread.start()
for _ in range(rounds):
    create_client()
over = True
thread.join()
print("done")
"""


def test_b1_clients_with_passed_variables_are_created_beside_a_thread_that_sets_variables(
    emulator: Emulator, tmp_path: pathlib.Path
) -> None:
    settings = [f"{name}={value}" for name, value in emulator.settings().items()]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, "passing", "300", *settings], env=environment, capture_output=True, text=True, timeout=120
    )

    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr
