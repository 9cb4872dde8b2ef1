"""Gets and revokes tokens until its standard input closes, while something is done to the installed package. Prints a line for each."""

import os
import select
import sys

import tokenwell

with tokenwell.Client.from_env() as client:
    while not select.select([sys.stdin], [], [], 0)[0]:
        token = client.token()
        client.revoke()
        assert len(token.value) > 100
        print(token.generation, flush=True)
    # The library is still the one that was loaded, whatever is installed now.
    assert client.stats().mints > 0 and os.getpid()
