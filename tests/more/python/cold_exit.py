"""Gets a cold token and exits immediately: `cold_exit.py WAY`, a name of WAYS."""

import asyncio
import os
import sys
import threading

import tokenwell


def get_and(end):
    tokenwell.Client.from_env().token()
    end()


def get_in_a_block():
    with tokenwell.Client.from_env() as client:
        client.authorization()


def get_in_a_thread():
    client = tokenwell.Client.from_env()
    thread = threading.Thread(target=client.token)
    thread.start()
    thread.join()
    os._exit(0)


async def get_in_a_task(end):
    await tokenwell.Client.from_env().token_async()
    end()


async def get_in_an_async_block():
    async with tokenwell.Client.from_env() as client:
        await client.authorization_async()


def fail():
    sys.stderr = open(os.devnull, "w")
    raise RuntimeError("the exception of the test")


WAYS = {
    "return": lambda: get_and(lambda: None),
    "sys.exit": lambda: get_and(sys.exit),
    "os._exit": lambda: get_and(lambda: os._exit(0)),
    "exception": lambda: get_and(fail),
    "block": get_in_a_block,
    "thread": get_in_a_thread,
    "task": lambda: asyncio.run(get_in_a_task(lambda: None)),
    "task, os._exit": lambda: asyncio.run(get_in_a_task(lambda: os._exit(0))),
    "async block": lambda: asyncio.run(get_in_an_async_block()),
}

if __name__ == "__main__":
    WAYS[sys.argv[1]]()
