"""Obligation E10: the memory of the emulator does not grow with the number of requests, and its log keeps the last ones and counts the others.

    emulator_load.py

A million requests of four kinds over four connections, and bodies of 1 MiB; with SHORT=1 twenty thousand.
"""

import base64
import json
import os
import pathlib
import socket
import sys
import tempfile
import threading
import urllib.request

from emulator import Emulator

SHORT = bool(os.environ.get("SHORT"))
REQUESTS = 20_000 if SHORT else 1_000_000
BODIES = 40 if SHORT else 400
CONNECTIONS = 4
BATCH = 50
# The log, the bodies of the last requests (docs/emulator.md) and what the allocator keeps.
MOST_MIB = 64
KEPT = 1000
failed = 0


def claim(holds, words):
    global failed
    failed += not holds
    print(f"{'ok' if holds else 'FAILED'} {words}", flush=True)


class Connection:
    def __init__(self, emulator):
        host, _, port = emulator.url.rpartition("/")[2].partition(":")
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, int(port)), timeout=60)

    def request(self, method, path, headers=(), body=b""):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Content-Length: {len(body)}", *headers, "", ""]
        return "\r\n".join(lines).encode() + body

    def send(self, requests):
        """Sends these requests without waiting for the replies between them. Returns the number of replies."""
        self.socket.sendall(b"".join(requests))
        replies, rest = 0, b""
        while replies < len(requests):
            received = self.socket.recv(1 << 16)
            if not received:
                raise ConnectionError(f"the emulator closed the connection after {replies} of {len(requests)} replies")
            whole = rest + received
            replies += whole.count(b"HTTP/1.1 ")
            rest = whole[-8:]
        self.finish()
        return replies

    def finish(self):
        """Reads what is left of the last reply."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(1 << 16):
                pass
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(60)


def resident_mib(emulator):
    for line in pathlib.Path(f"/proc/{emulator.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM")


def requests_of(connection, emulator, first, token):
    """A batch: the Admin API with a token and with none, a wrong secret, and paths that all differ."""
    wrong = base64.b64encode(f"{emulator.account['MONGODB_ATLAS_CLIENT_ID']}:wrong".encode()).decode()
    accept = "Accept: application/vnd.atlas.2024-08-05+json"
    kinds = [
        ("GET", "/api/atlas/v2/orgs", [accept, f"Authorization: Bearer {token}"], b""),
        ("GET", "/api/atlas/v2/orgs", [accept, "Authorization: Bearer none"], b""),
        ("POST", "/api/oauth/token", [f"Authorization: Basic {wrong}", "Content-Type: application/x-www-form-urlencoded"], b"grant_type=client_credentials"),
    ]
    for number in range(first, first + BATCH):
        method, path, headers, body = kinds[number % 4] if number % 4 < 3 else ("GET", f"/nothing/{number}", [accept], b"")
        yield connection.request(method, path, headers, body)


def mint(emulator):
    account = emulator.account
    basic = base64.b64encode(f"{account['MONGODB_ATLAS_CLIENT_ID']}:{account['MONGODB_ATLAS_CLIENT_SECRET']}".encode()).decode()
    request = urllib.request.Request(f"{emulator.url}/api/oauth/token", b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"})
    with emulator.opener.open(request, timeout=60) as reply:
        return json.load(reply)["access_token"]


def crowd(emulator, count):
    token, problems, done = mint(emulator), [], [0] * CONNECTIONS

    def run(index):
        try:
            connection = Connection(emulator)
            for first in range(0, count // CONNECTIONS, BATCH):
                done[index] += connection.send(list(requests_of(connection, emulator, index * count + first, token)))
        except Exception as problem:
            problems.append(f"{type(problem).__name__}: {problem}")

    threads = [threading.Thread(target=run, args=(index,)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done), problems


def main():
    with tempfile.TemporaryDirectory() as directory:
        emulator = Emulator(directory)
        try:
            crowd(emulator, 8 * KEPT)
            before = resident_mib(emulator)
            done, problems = crowd(emulator, REQUESTS)
            claim(not problems and done >= REQUESTS, f"e10_every_request_is_answered: {done} requests {' '.join(problems)}")
            after = resident_mib(emulator)
            claim(after < before + 8, f"e10_memory_does_not_grow_with_the_number_of_requests: {before:.1f} MiB after {8 * KEPT}, {after:.1f} MiB at the end")

            connection = Connection(emulator)
            for number in range(BODIES):
                connection.send([connection.request("POST", f"/large/{number}", body=b"x" * (1 << 20))])
            most = resident_mib(emulator)
            claim(most < MOST_MIB, f"e10_memory_has_a_bound_with_large_bodies: {most:.1f} MiB after {BODIES} bodies of 1 MiB, limit {MOST_MIB} MiB")

            log = emulator.control("requests")
            sent = emulator.control("counters")["requests"]
            claim(
                len(log["requests"]) == KEPT and log["dropped"] + KEPT == sent,
                f"e10_the_log_keeps_the_last_requests: {len(log['requests'])} kept, {log['dropped']} dropped, {sent} received",
            )
            shown = str(log)
            secrets = [emulator.account["MONGODB_ATLAS_CLIENT_SECRET"], mint(emulator)]
            claim(not any(secret in shown for secret in secrets), "e10_the_log_has_no_secret_and_no_token")
        finally:
            emulator.stop()
    print(f"emulator_load: {5 - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
