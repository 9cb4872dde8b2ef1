"""The emulator, a recorder between the emulator and its clients that stores every token and new secret, and a proxy
that requires a password."""

import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import tempfile
import threading
import urllib.request

NEW_SECRET = re.compile(rb'"secret"\s*:\s*"(mdb_sa_sk_[A-Za-z0-9_-]+)"')
TOKEN = re.compile(rb'"access_token"\s*:\s*"([A-Za-z0-9_.~+/=-]+)')


def seed():
    """The default organization with an account whose client id has no part in common with other ids."""
    account = {
        "clientId": f"mdb_sa_id_{secrets.token_hex(12)}",
        "name": "Canary",
        "roles": ["ORG_OWNER"],
        "secrets": [{"id": secrets.token_hex(12), "secret": f"mdb_sa_sk_canary_{secrets.token_hex(16)}"}],
    }
    organization = {"id": "0e0000000000000000000001", "name": "Emulated organization", "serviceAccounts": [account]}
    return {"organizations": [{**organization, "projects": [{"id": "0e0000000000000000000002", "name": "Emulated project"}]}]}


# The same account in every emulator.
SEED = json.dumps(seed())


class Emulator:
    def __init__(self, program, errors, *flags):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(SEED)
            file.flush()
            self.process = subprocess.Popen(
                [program, "emulator", "--no-rate-limit", "--until-stdin-closes", "-vv", "--seed", file.name, *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={"PATH": os.environ["PATH"]},
            )
            lines = iter(self.process.stdout.readline, b"# ready\n")
            self.variables = dict(shlex.split(line.decode())[0].split("=", 1) for line in lines)
        # The suite has a cache directory of its own.
        del self.variables["TOKENWELL_CACHE_DIR"]
        self.url = self.variables["MONGODB_ATLAS_BASE_URL"]
        self.client_id = self.variables["MONGODB_ATLAS_CLIENT_ID"]
        self.secret = self.variables["MONGODB_ATLAS_CLIENT_SECRET"]

    def control(self, path, body=None):
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data=content, headers={"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)


class Listener:
    """Serves each connection in a separate thread."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return  # Closed at the end of the run.
            threading.Thread(target=self.quietly, args=(connection,), daemon=True).start()

    def quietly(self, connection):
        with connection:
            try:
                self.serve(connection)
            except OSError:
                pass  # One side closed the connection, which some cases test.


class Recorder(Listener):
    """Forwards bytes and stores the tokens and new secrets in the replies of the server, including tokens that no
    client receives completely."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.tokens = set()
        self.secrets = set()
        super().__init__()

    def serve(self, client):
        with socket.create_connection(("127.0.0.1", self.server_port)) as server:
            threading.Thread(target=self.upstream, args=(client, server), daemon=True).start()
            received = b""
            try:
                while chunk := server.recv(65536):
                    received += chunk
                    client.sendall(chunk)
            finally:
                self.tokens.update(token.decode() for token in TOKEN.findall(received))
                self.secrets.update(secret.decode() for secret in NEW_SECRET.findall(received))
                client.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def upstream(client, server):
        try:
            while chunk := client.recv(65536):
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # As above.


class Proxy(Listener):
    """Refuses every tunnel with a reply that repeats the password."""

    def __init__(self):
        self.asked = 0
        super().__init__()

    def serve(self, client):
        request = b""
        while b"\r\n\r\n" not in request:
            chunk = client.recv(65536)
            if not chunk:
                return
            request += chunk
        self.asked += 1
        credential = re.search(rb"(?i)proxy-authorization: *([^\r]*)", request)
        shown = credential.group(1) if credential else b"nothing"
        body = b"you sent " + shown
        head = b"HTTP/1.1 407 You sent %s\r\nProxy-Authenticate: Basic realm=\"%s\"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        client.sendall(head % (shown, shown, len(body)) + body)
