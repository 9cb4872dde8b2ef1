"""A server that speaks as much of MongoDB's protocol as a log-in with MONGODB-OIDC and a ping need."""

from __future__ import annotations

import socketserver
import struct
import sys
import threading
from typing import Any, Callable, Dict, List

import bson

QUERY, MESSAGE, REPLY = 2004, 2013, 1
AUTHENTICATION_FAILED, REAUTHENTICATION_REQUIRED = 18, 391


class MongoDB:
    """Accepts the tokens for which `accepts` returns True, also on connections that are logged in."""

    def __init__(self, accepts: Callable[[str], bool]) -> None:
        self.accepts = accepts
        self.received: List[str] = []
        """The tokens of all log-ins, in their order."""
        mongodb = self

        class Handler(socketserver.StreamRequestHandler):
            token = ""

            def handle(self) -> None:
                while True:
                    header = self.rfile.read(16)
                    if len(header) < 16:
                        return
                    length, request_id, _, opcode = struct.unpack("<iiii", header)
                    content = self.rfile.read(length - 16)
                    if opcode == QUERY:
                        document = content[content.index(b"\0", 4) + 1 + 8 :]
                        body = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(mongodb.answer(self, first_document(document)))
                        opcode = REPLY
                    else:
                        body = struct.pack("<iB", 0, 0) + bson.encode(mongodb.answer(self, first_document(content[5:])))
                    self.wfile.write(struct.pack("<iiii", len(body) + 16, 0, request_id, opcode) + body)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.uri = f"mongodb://127.0.0.1:{self.server.server_address[1]}/?authMechanism=MONGODB-OIDC&directConnection=true"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, connection: Any, command: Dict[str, Any]) -> Dict[str, Any]:
        name = next(iter(command))
        if name.lower() in ("hello", "ismaster"):
            speculative = command.get("speculativeAuthenticate")
            reply = {"ok": 1, "isWritablePrimary": True, "helloOk": True, "maxWireVersion": 25, "minWireVersion": 0}
            logged_in = speculative and self.log_in(connection, speculative)
            return {**reply, "speculativeAuthenticate": logged_in} if logged_in and logged_in["ok"] else reply
        if name == "saslStart":
            return self.log_in(connection, command)
        if not self.accepts(connection.token):
            return {"ok": 0, "code": REAUTHENTICATION_REQUIRED, "codeName": "ReauthenticationRequired", "errmsg": "log in again"}
        return {"ok": 1}

    def log_in(self, connection: Any, command: Dict[str, Any]) -> Dict[str, Any]:
        connection.token = bson.decode(command["payload"])["jwt"]
        self.received.append(connection.token)
        if not self.accepts(connection.token):
            return {"ok": 0, "code": AUTHENTICATION_FAILED, "codeName": "AuthenticationFailed", "errmsg": "the token was rejected"}
        return {"ok": 1, "conversationId": 1, "done": True, "payload": b""}

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def first_document(data: bytes) -> Dict[str, Any]:
    return dict(bson.decode(data[: struct.unpack_from("<i", data)[0]]))
