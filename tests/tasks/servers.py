"""The emulator and a proxy for the pages."""

import base64
import contextlib
import json
import os
import pathlib
import shlex
import socket
import subprocess
import threading
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIST = pathlib.Path(os.environ.get("DIST", ROOT / "dist"))
# Without the proxy of the developer.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def basic(emulator):
    pair = base64.b64encode(f"{emulator.client_id}:{emulator.secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


class Emulator:
    def __init__(self, program, work, *flags):
        self.authority = work / "authority.pem"
        if "--tls" in flags:
            flags = (*flags, "--ca-file", str(self.authority))
        self.process = subprocess.Popen(
            [program, "emulator", "--no-rate-limit", "--until-stdin-closes", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}, text=True,
        )
        self.account = {}
        for line in self.process.stdout:
            if line.startswith("#"):
                break
            self.account.update(word.split("=", 1) for word in shlex.split(line))
        # Each page has a cache of its own at the usual place, and is not about the emulator.
        for name in ("TOKENWELL_CACHE_DIR", "TOKENWELL_EMULATOR"):
            self.account.pop(name, None)
        self.url = self.account["MONGODB_ATLAS_BASE_URL"]
        self.client_id = self.account["MONGODB_ATLAS_CLIENT_ID"]
        self.secret = self.account["MONGODB_ATLAS_CLIENT_SECRET"]

    def control(self, path, body=None):
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data=content, headers={"Content-Type": "application/json"})
        with DIRECT.open(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(60)


class ProxyThatWantsALogIn:
    """Answers every request for a tunnel with 407."""

    def __init__(self):
        self.asked = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):  # Closed at the end.
            while True:
                client, _ = self.listener.accept()
                with client, contextlib.suppress(OSError):
                    if client.recv(4096).startswith(b"CONNECT "):
                        self.asked += 1
                        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n\r\n")

    def stop(self):
        self.listener.close()
