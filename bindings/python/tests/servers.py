"""HTTP servers that record requests: an API, and one that must not get a token."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import tokenwell


class Request(NamedTuple):
    method: str
    path: str
    authorization: Optional[str]
    body: bytes


class Answer(NamedTuple):
    status: int
    headers: Dict[str, str] = {}
    missing: int = 0
    """How many bytes fewer the body has than its length says."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client may close its connections at any time
            super().handle_error(request, client_address)


class Recorder:
    """A server on 127.0.0.1 that answers 200, unless `answers` or `decide` have another answer."""

    def __init__(self) -> None:
        self.requests: List[Request] = []
        self.answers: List[Answer] = []
        self.decide: Callable[[Request], Answer] = lambda request: Answer(200)
        self.lock = threading.Lock()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                recorder.answer(self)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        authorization = handler.headers.get_all("Authorization")
        joined = ", ".join(authorization) if authorization else None
        request = Request(handler.command, handler.path, joined, body_of(handler))
        with self.lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else self.decide(request)
        body = f"answer {answer.status}".encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) + answer.missing))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = handler.close_connection or answer.missing > 0

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def rejects(*tokens: tokenwell.Token) -> Callable[[Request], Answer]:
    """Returns what a server does that rejects these tokens."""
    rejected = {token.authorization for token in tokens}
    return lambda request: Answer(401 if request.authorization in rejected else 200)


def body_of(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    chunks = []
    while True:
        size = int(handler.rfile.readline(), 16)
        chunks.append(handler.rfile.read(size))
        handler.rfile.readline()
        if size == 0:
            return b"".join(chunks)
