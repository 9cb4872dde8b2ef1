"""The operations on the secret: faults of the server, and the calls of a client in each language."""

import base64
import subprocess
import urllib.parse

# The faulty replies of the server, which repeat the request: the name and the fault.
def faults(client_id, secret):
    pair = f"{client_id}:{secret}"
    echo = f"you sent {secret}, {base64.b64encode(pair.encode()).decode()}, {urllib.parse.quote(pair, safe='')}, {secret.encode().hex()} and {secret.replace('_', '%5F')}"

    def refusal(status, error, **headers):
        return {"status": status, "headers": headers, "body": {"error": error, "error_description": echo, "detail": echo, "errorCode": echo}}

    return [
        ("wrong client", refusal(401, "invalid_client", **{"WWW-Authenticate": f'Basic realm="{echo}"'})),
        ("error code", refusal(400, secret)),
        ("access denied", refusal(403, "access_denied")),
        ("rate limit", refusal(429, "rate_limited", **{"Retry-After": "7"})),
        ("rate limit with a bad pause", refusal(429, "rate_limited", **{"Retry-After": secret})),
        ("server error", {"status": 500, "headers": {"Content-Type": "text/html", "Server": secret}, "body": f"<h1>{echo}</h1>"}),
        ("unavailable", refusal(503, echo)),
        ("redirect", {"redirect": f"http://{pair}@127.0.0.1:1/{secret}?token={secret}"}),
        ("redirect to nowhere", {"status": 302, "headers": {"Location": echo}, "body": echo}),
        ("no JSON", {"status": 200, "headers": {"Content-Type": "application/json"}, "body": echo}),
        ("no UTF-8", {"status": 200, "headers": {"Content-Type": f"text/{secret}"}, "body_hex": (echo.encode() + b"\xff").hex()}),
        ("another kind of token", {"status": 200, "body": {"access_token": secret, "token_type": echo, "expires_in": 3600}}),
        ("no lifetime", {"status": 200, "body": {"access_token": secret, "token_type": "Bearer", "expires_in": echo}}),
        ("bad token", {"status": 200, "body": {"access_token": f"{secret}\n{secret}", "token_type": "Bearer", "expires_in": 3600}}),
        ("no HTTP", {"raw": f"{echo}\r\n\r\n"}),
        ("bad header", {"raw": f"HTTP/1.1 200 {secret}\r\n{secret}\r\n: {secret}\r\n\r\n"}),
        ("hangs up", {"close": "before_reply"}),
        ("hangs up in between", {"close": "mid_reply"}),
    ]


class Shim:
    """Implements the protocol of tests/vectors/README.md. Answers that may contain a token are kept
    separate from the others."""

    def __init__(self, command, environment, errors, directory):
        self.tokens = set()
        self.told = []
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=directory, text=True
        )

    def ask(self, *words):
        """Returns the words of the answer, with strings decoded."""
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the shim ended at {words[0]}")
        answer = [bytes.fromhex(word[1:]).decode("utf-8", "replace") if word.startswith("x") else word for word in line.split()]
        if words[0] in ("token", "authorization") and answer[0] == "ok":
            self.tokens.add(answer[1].removeprefix("Bearer "))
        elif words[0] in ("together", "loop"):
            self.tokens.add(answer[3])
        else:
            self.told.append(" ".join(answer))
        return answer

    def client(self, **settings):
        for name, value in settings.items():
            self.ask("set", text(name), text(value))
        return self.ask("client", "1" if not settings or "from_environment" in settings else "0")

    def quit(self):
        answer = self.ask("quit")
        self.process.stdin.close()
        return answer == ["ok"] and self.process.wait(60) == 0


def text(words):
    return "x" + words.encode().hex()


def whole_life(shim, account):
    """Runs all operations of a client, from creation to close."""
    yield "a client", shim.client(**account)[0] == "ok"
    yield "a token", shim.ask("token", "-", "-", "0")[0] == "ok"
    yield "the header", shim.ask("authorization")[1].startswith("Bearer ey")
    yield "concurrent gets", shim.ask("together", "8", "-", "-", "0")[1] == "8"
    yield "another token", shim.ask("token", "-", "-", "1")[0] == "ok"
    yield "invalidated", all(shim.ask("invalidate", text(token)) == ["ok"] for token in sorted(shim.tokens))
    yield "one more", shim.ask("token", "-", "-", "0")[0] == "ok"
    yield "statistics", shim.ask("stats")[0] == "stats"
    yield "min_ttl above the lifetime", shim.ask("token", "86400000", "-", "0")[2] == "INVALID_ARGUMENT"
    yield "revoked", shim.ask("revoke", "-") == ["ok"]
    yield "closed", shim.ask("close") == ["ok"] and shim.ask("token", "-", "-", "0")[2] == "CLOSED"


def settings_that_are_wrong(account, secret, token):
    """Returns settings with secrets and tokens in the wrong place or in a form that is refused."""
    return [
        {**account, "client_secret": secret + "\n"},
        {**account, "client_secret": secret + "\u00e4"},
        {**account, "client_secret": secret * 1400},
        {**account, "base_url": f"http://{account['client_id']}:{secret}@127.0.0.1:1"},
        {**account, "base_url": f"https://127.0.0.1/{secret}?{token}#{token}"},
        {**account, "client_secret_file": f"/nonexistent/{account['client_id']}"},
        {**account, "timeout_ms": "0"},
    ]
