"""The HTTP clients with their integrations, behind one interface, so that one test covers all."""

from __future__ import annotations

import asyncio
import io
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

import tokenwell

ACCEPT = {"Accept": "application/vnd.atlas.2024-08-05+json"}


class Reply(NamedTuple):
    status: int
    text: str


class Unseekable(io.RawIOBase):
    """A file like that of a pipe."""

    def __init__(self, content: bytes) -> None:
        self.rest = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def pieces() -> Iterator[bytes]:
    yield b"first "
    yield b"second"


class Caller:
    """Sends requests with a library. All requests of one caller share a session."""

    replayed: Dict[str, Callable[[], Any]]
    """The arguments of requests whose body can be sent again. Each body contains "first"."""
    not_replayed: Dict[str, Callable[[], Any]]
    """The same for bodies that cannot."""
    timed_out: Any = tokenwell.DeadlineError
    """What ends a request whose time is over while it waits for a token."""

    def __init__(self, client: tokenwell.Client, **options: Any) -> None:
        self.client = client
        self.options = options

    def send_all(self, *requests: Dict[str, Any]) -> List[Any]:
        """Sends requests at the same time; returns the reply or the error of each."""
        raise NotImplementedError

    def send(self, url: str, method: str = "GET", timeout: Optional[float] = None, **request: Any) -> Reply:
        outcome = self.send_all({"url": url, "method": method, "timeout": timeout, **request})[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class OfThreads(Caller):
    def send_all(self, *requests: Dict[str, Any]) -> List[Any]:
        from concurrent.futures import ThreadPoolExecutor

        def attempt(request: Dict[str, Any]) -> Any:
            try:
                return self.exchange(**request)
            except Exception as error:
                return error

        if len(requests) == 1:
            return [attempt(requests[0])]
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(attempt, requests))

    def exchange(self, url: str, method: str, timeout: Optional[float], **request: Any) -> Reply:
        raise NotImplementedError


class OfTasks(Caller):
    def send_all(self, *requests: Dict[str, Any]) -> List[Any]:
        async def main() -> List[Any]:
            return await asyncio.gather(*(self.exchange(**request) for request in requests), return_exceptions=True)

        return asyncio.run(main())

    async def exchange(self, url: str, method: str, timeout: Optional[float], **request: Any) -> Reply:
        raise NotImplementedError


class Requests(OfThreads):
    replayed = {
        "bytes": lambda: {"data": b"first second"},
        "string": lambda: {"data": "first second"},
        "json": lambda: {"json": {"name": "first"}},
        "form": lambda: {"data": {"name": "first"}},
        "multipart": lambda: {"files": {"name": io.BytesIO(b"first")}},
        "file": lambda: {"data": io.BytesIO(b"first second")},
    }
    not_replayed = {
        "generator": lambda: {"data": pieces()},
        "file without seek": lambda: {"data": Unseekable(b"first second")},
    }

    def exchange(self, url: str, method: str, timeout: Optional[float], **request: Any) -> Reply:
        import requests
        import tokenwell.requests

        with requests.Session() as session:
            session.auth = tokenwell.requests.Auth(self.client, timeout=timeout, **self.options)
            headers = request.pop("headers", ACCEPT)
            reply = session.request(method, url, headers=headers, timeout=timeout or 60, **request)
            return Reply(reply.status_code, reply.text)


class Httpx(OfThreads):
    replayed = {
        "bytes": lambda: {"content": b"first second"},
        "string": lambda: {"content": "first second"},
        "json": lambda: {"json": {"name": "first"}},
        "form": lambda: {"data": {"name": "first"}},
    }
    not_replayed = {
        "generator": lambda: {"content": pieces()},
        "file": lambda: {"content": io.BytesIO(b"first second")},
        "multipart": lambda: {"files": {"name": io.BytesIO(b"first")}},
    }

    def exchange(self, url: str, method: str, timeout: Optional[float], **request: Any) -> Reply:
        import httpx
        import tokenwell.httpx

        auth = tokenwell.httpx.Auth(self.client, **self.options)
        with httpx.Client(auth=auth, timeout=timeout or 60, follow_redirects=True) as api:
            reply = api.request(method, url, headers=request.pop("headers", ACCEPT), **request)
            return Reply(reply.status_code, reply.text)


class HttpxAsync(OfTasks):
    async def pieces() -> Any:  # type: ignore[misc]
        for piece in pieces():
            yield piece

    replayed = Httpx.replayed
    not_replayed = {"generator": lambda generator=pieces: {"content": generator()}, "multipart": Httpx.not_replayed["multipart"]}

    async def exchange(self, url: str, method: str, timeout: Optional[float], **request: Any) -> Reply:
        import httpx
        import tokenwell.httpx

        auth = tokenwell.httpx.Auth(self.client, **self.options)
        async with httpx.AsyncClient(auth=auth, timeout=timeout or 60, follow_redirects=True) as api:
            reply = await api.request(method, url, headers=request.pop("headers", ACCEPT), **request)
            return Reply(reply.status_code, reply.text)


class Aiohttp(OfTasks):
    timed_out = asyncio.TimeoutError
    replayed = {
        "bytes": lambda: {"data": b"first second"},
        "string": lambda: {"data": "first second"},
        "json": lambda: {"json": {"name": "first"}},
        "form": lambda: {"data": {"name": "first"}},
        "multipart": lambda: {"data": {"name": io.BytesIO(b"first")}},
        "file": lambda: {"data": io.BytesIO(b"first second")},
    }
    not_replayed = {
        "generator": lambda generator=HttpxAsync.pieces: {"data": generator()},
        "file without seek": lambda: {"data": Unseekable(b"first second")},
        "multipart without seek": lambda: {"data": {"name": Unseekable(b"first")}},
    }

    async def exchange(self, url: str, method: str, timeout: Optional[float], **request: Any) -> Reply:
        import aiohttp
        import tokenwell.aiohttp

        added = tokenwell.aiohttp.middleware(self.client, **self.options)
        limit = aiohttp.ClientTimeout(total=timeout or 60)
        async with aiohttp.ClientSession(middlewares=[added], timeout=limit) as session:
            async with session.request(method, url, headers=request.pop("headers", ACCEPT), **request) as reply:
                return Reply(reply.status, await reply.text())


CALLERS = {"requests": Requests, "httpx": Httpx, "httpx-async": HttpxAsync, "aiohttp": Aiohttp}
