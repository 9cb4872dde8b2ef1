"""The Python shim for the shared test vectors; tests/vectors/README.md describes its protocol.

Run as `python3 bindings/python/tests/shim.py`.
"""

from __future__ import annotations

import os
import pathlib
import sys
import threading
from typing import Callable, Dict, List, Optional, Tuple, Union

HERE = pathlib.Path(__file__).resolve()
# Without the source beside it, the installed package is tested, with its own library.
if (HERE.parents[1] / "tokenwell").is_dir():
    sys.path.insert(0, str(HERE.parents[1]))
    os.environ.setdefault("TOKENWELL_LIBRARY", str(HERE.parents[3] / "dist" / "lib" / "libtokenwell.so.0"))

import tokenwell  # noqa: E402

Outcome = Union[str, tokenwell.TokenwellError]


def decoded(field: str) -> str:
    # Invalid UTF-8 becomes surrogates, as in os.environ; the package turns them back into the same
    # bytes.
    return bytes.fromhex(field[1:]).decode("utf-8", "surrogateescape")


def encoded(value: str) -> str:
    return "x" + value.encode("utf-8", "surrogateescape").hex()


def seconds(field: str) -> Optional[float]:
    if field == "-":
        return None
    milliseconds = int(field)
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


class Shim:
    def __init__(self) -> None:
        self.settings: Dict[str, str] = {}
        self.held: Optional[tokenwell.Client] = None

    @property
    def client(self) -> tokenwell.Client:
        if self.held is None:
            raise SystemExit("shim: a call before `client`")
        return self.held

    def answer(self, request: str, *fields: str) -> str:
        method: Callable[..., str] = getattr(self, "do_" + request)
        return method(*fields)

    def do_hello(self) -> str:
        return f"ok python {tokenwell.library_version()}"

    def do_set(self, name: str, value: str) -> str:
        self.settings[decoded(name)] = decoded(value)
        return "ok"

    def do_client(self, from_environment: str) -> str:
        settings, self.settings = self.settings, {}
        self.held = None
        make = tokenwell.Client.from_env if from_environment == "1" else tokenwell.Client
        self.held = make(**settings)  # type: ignore[arg-type]
        return "ok"

    def do_token(self, min_ttl: str, deadline: str, force: str) -> str:
        token = self.client.token(min_ttl=seconds(min_ttl), timeout=seconds(deadline), force_refresh=force == "1")
        return f"ok {encoded(token.value)} {token.expires_at_ms}"

    def do_authorization(self) -> str:
        return f"ok {encoded(self.client.authorization())}"

    def do_together(self, count: str, min_ttl: str, deadline: str, force: str) -> str:
        outcomes: List[Outcome] = []
        barrier = threading.Barrier(int(count))

        def get() -> None:
            barrier.wait()
            outcomes.append(self.get(min_ttl, deadline, force))

        threads = [threading.Thread(target=get) for _ in range(int(count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return many(outcomes)

    def do_loop(self, count: str) -> str:
        return many([self.get("-", "-", "0") for _ in range(int(count))])

    def do_invalidate(self, value: str) -> str:
        self.client.invalidate(decoded(value))
        return "ok"

    def do_revoke(self, deadline: str) -> str:
        self.client.revoke(seconds(deadline))
        return "ok"

    def do_request(self, method: str, path: str, version: str, query: str, body: str, max_body: str, timeout: str) -> str:
        pairs = [] if query == "-" else [pair.split("=") for pair in query.split(",")]
        response = self.client.request(
            decoded(method),
            decoded(path),
            version=None if version == "-" else decoded(version),
            query=[(decoded(name), decoded(value)) for name, value in pairs],
            body=None if body == "-" else bytes.fromhex(body[1:]),
            max_body=None if max_body == "-" else int(max_body),
            timeout=seconds(timeout),
        )
        headers = [f"{encoded(name)}={encoded(value)}" for name, value in response.header_list]
        return " ".join(["response", str(response.status), encoded(response.text), *headers])

    def do_base_url(self) -> str:
        base_url = self.client.base_url
        return "ok -" if base_url is None else f"ok {encoded(base_url)}"

    def do_sources(self) -> str:
        return " ".join(["sources", *(f"{name}={encoded(source)}" for name, source in self.client.sources.items())])

    def do_stats(self) -> str:
        stats = self.client.stats()
        return "stats " + " ".join(f"{name}={getattr(stats, name)}" for name in stats._fields)

    def do_advance(self, milliseconds: str) -> str:
        self.client.advance_clock(int(milliseconds) / 1000)
        return "ok"

    def do_close(self) -> str:
        self.client.close()
        return "ok"

    def get(self, min_ttl: str, deadline: str, force: str) -> Outcome:
        try:
            return self.client.token(
                min_ttl=seconds(min_ttl), timeout=seconds(deadline), force_refresh=force == "1"
            ).value
        except tokenwell.TokenwellError as error:
            return error


def many(outcomes: List[Outcome]) -> str:
    values = [outcome for outcome in outcomes if isinstance(outcome, str)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, tokenwell.TokenwellError)]
    first_value = encoded(values[0]) if values else "-"
    first_name = errors[0].name if errors else "-"
    return f"many {len(values)} {len(set(values))} {first_value} {len(errors)} {first_name}"


def failed(error: tokenwell.TokenwellError) -> str:
    http_status = "-" if error.http_status is None else error.http_status
    retry_after = "-" if error.retry_after is None else round(error.retry_after * 1000)
    strings = f"{encoded(error.message)} {encoded(error.hint)} {encoded(str(error))}"
    oauth_code = "-" if error.oauth_code is None else encoded(error.oauth_code)
    more = f"{oauth_code} {int(error.is_remembered)} {round(error.age * 1000)} {error.attempts}"
    return f"error {error.code} {error.name} {http_status} {retry_after} {strings} {more}"


def main() -> None:
    shim = Shim()
    for line in sys.stdin:
        request: Tuple[str, ...] = tuple(line.rstrip("\n").split(" "))
        if request[0] == "quit":
            shim.held = None
            print("ok", flush=True)
            return
        try:
            answer = shim.answer(*request)
        except tokenwell.TokenwellError as error:
            answer = failed(error)
        print(answer, flush=True)


main()
