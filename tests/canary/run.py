"""The canary: it uses a known secret and known tokens in every language and every command, at the most verbose
level, and in every failure. Afterwards no form of them may be found in anything that was printed, logged,
written or visible to other users of the host.

    python3 tests/canary/run.py --shim 'c=bindings/c/build/shim' --shim 'python=python3 bindings/python/tests/shim.py'

Requires DIST, strace, setsid and a C compiler. Start reading at `main`; `forms` defines a leak, `shown` lists where
the client id is allowed, `life` and `sources` run the operations, `servers` has the servers.
"""

import argparse
import contextlib
import http.server
import os
import pathlib
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import life
import servers
import shown
from accounts import accounts
from forms import Net, forms
from sources import sources, typed
from watch import CommandLines

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DIST = pathlib.Path(os.environ.get("DIST", ROOT / "dist"))
TOKENWELL = str(DIST / "bin" / "tokenwell")
COMPILER = shlex.split(os.environ.get("CC", "cc"))
# Visible ASCII characters that each encoding changes.
WRONG = 'mdb_sa_sk_w+r/o=n%g "q\\&4Zt8Kx2VbN6mJ1pLs7DhR3cQ9yF5gW0'
PASSWORD = "pR0xyPassw0rdThatNobodyMayEverSee42"


class Suite:
    def __init__(self, work):
        self.work = work
        self.passed = self.failed = 0
        self.tokens = set()
        # Outputs that must contain neither a secret nor a token; outputs that may contain a token because it is
        # the result; and files that contain the secret on purpose.
        self.outputs = {}
        self.answers = {}
        # Outputs that show a new secret because that was requested.
        self.revealed = {}
        self.own_files = set()
        # The files to which programs write a secret that they create, by language.
        self.new_secrets = {}
        for name in ("home", "cache", "config", "tmp", "here", "errors"):
            (work / name).mkdir()

    def check(self, name, fine, detail=""):
        if fine:
            self.passed += 1
            print(f"ok {name}")
        else:
            self.failed += 1
            print(f"FAILED {name} {detail}")

    def path(self, *names):
        return str(self.work.joinpath(*names))

    def errors(self, name):
        """Opens a file for standard error. A pipe could fill up, because it is not read."""
        return open(self.path("errors", name), "wb")

    def environment(self, emulator, url, **more):
        variables = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": str(DIST / "lib"),
            "TOKENWELL_LIBRARY": str(DIST / "lib" / "libtokenwell.so.0"),
            "PYTHONPATH": str(DIST / "python"),
            "HOME": self.path("home"),
            "XDG_CACHE_HOME": self.path("cache"),
            "XDG_CONFIG_HOME": self.path("config"),
            "TMPDIR": self.path("tmp"),
            "MONGODB_ATLAS_BASE_URL": url,
            "MONGODB_ATLAS_CLIENT_ID": emulator.client_id,
            "MONGODB_ATLAS_CLIENT_SECRET": emulator.secret,
            **more,
        }
        # cargo starts one of the shims and must find its build.
        variables.update({name: value for name, value in os.environ.items() if name.startswith(("CARGO", "RUST"))})
        home = os.environ.get("HOME", "/nonexistent")
        variables.setdefault("CARGO_HOME", f"{home}/.cargo")
        variables.setdefault("RUSTUP_HOME", f"{home}/.rustup")
        return variables

    def run(self, name, command, environment, code, stdin="", answer=False):
        """Runs a program. With `answer`, its standard output may contain a token. If `code` is None, any exit code of
        the command is accepted."""
        with self.errors(name) as errors:
            done = subprocess.run(command, env=environment, input=stdin.encode(), stdout=subprocess.PIPE, stderr=errors, cwd=self.path("here"), timeout=120)
        (self.answers if answer else self.outputs)[f"standard output of {name}"] = done.stdout
        told = pathlib.Path(self.path("errors", name)).read_bytes()
        self.check(name, done.returncode == code if code is not None else done.returncode in range(11), f"exit code {done.returncode}, expected {code}: {self.shown(told)}")
        return done.stdout

    @staticmethod
    def shown(told):
        return told.decode("utf-8", "replace")[-2000:]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--shim", action="append", default=[], metavar="LANGUAGE=COMMAND", help="may be given several times")
    options = options.parse_args()
    for tool in ("strace", "setsid", COMPILER[0]):
        if not shutil.which(tool):
            sys.exit(f"canary: {tool} is missing: install it")
    if not sys.platform.startswith("linux"):
        sys.exit("canary: this suite reads the command lines of other processes from /proc and requires Linux")
    if not options.shim:
        sys.exit("canary: no --shim was given: no language would be tested")

    with tempfile.TemporaryDirectory(prefix="canary-") as folder:
        suite = Suite(pathlib.Path(folder))
        watcher = CommandLines()
        watcher.start()
        with suite.errors("emulator") as errors, suite.errors("emulator with TLS") as tls_errors:
            emulator = servers.Emulator(TOKENWELL, errors)
            tls = servers.Emulator(TOKENWELL, tls_errors, "--tls", "--ca-file", suite.path("authority.pem"))
        recorder = servers.Recorder(int(emulator.url.rpartition(":")[2]))
        url = f"http://127.0.0.1:{recorder.port}"
        proxy = servers.Proxy()
        try:
            commands(suite, emulator, url, tls, proxy)
            sources(suite, TOKENWELL, emulator, url, WRONG)
            accounts(suite, TOKENWELL, emulator, url)
            long_run(suite, emulator, url)
            shims(suite, options.shim, emulator, url, tls, proxy)
            programs(suite, emulator, url)
            writes(suite, emulator, url)
            environments(suite, emulator, url)
            memory(suite, emulator, url)
            memory_of_the_command(suite, emulator, url)
        finally:
            emulator.stop()
            tls.stop()
            command_lines = watcher.stop()
        suite.tokens |= recorder.tokens
        net = Net()
        net.add("the secret", emulator.secret)
        net.add("the wrong secret", WRONG)
        net.add("the proxy's password", PASSWORD)
        for language, file in suite.new_secrets.items():
            net.add(f"the new secret of {language}", file.read_text())
        suite.check("new secrets were recorded", len(recorder.secrets) > 30, len(recorder.secrets))
        for number, secret in enumerate(sorted(recorder.secrets)):
            net.add(f"new secret {number}", secret)
        secrets_alone = Net()
        secrets_alone.windows.update(net.windows)
        for number, token in enumerate(sorted(token for token in suite.tokens if token.startswith("ey"))):
            net.add(f"token {number}", token)
        id_net = Net()
        id_net.add("the client id", emulator.client_id)
        scans(suite, net, secrets_alone, command_lines, watcher.rounds)
        ids(suite, id_net, emulator.client_id, command_lines)
        self_check(suite)
        print(f"canary: {suite.passed} passed, {suite.failed} failed")
        return suite.failed > 0


def commands(suite, emulator, url, tls, proxy):
    """Runs every command with -vv, then every failure."""
    environment = suite.environment(emulator, url)
    secret_file = suite.path("here", "given-secret")
    pathlib.Path(secret_file).write_text(emulator.secret)
    os.chmod(secret_file, 0o600)
    suite.own_files.add(secret_file)

    def tokenwell(name, *arguments, code=0, answer=False, stdin="", **more):
        return suite.run(f"tokenwell {name}", [TOKENWELL, *arguments, "-vv"], {**environment, **more}, code, stdin, answer)

    for kind in ("raw", "header", "curl", "json"):
        tokenwell(f"token as {kind}", "token", "--format", kind, answer=True)
    tokenwell("token, another one", "token", "--force-refresh", answer=True)
    tokenwell("token, secret from a file", "token", "--client-id", emulator.client_id, "--client-secret-file", secret_file, answer=True)
    tokenwell("token, secret from standard input", "token", "--client-id", emulator.client_id, "--client-secret-stdin", stdin=emulator.secret, answer=True)
    tokenwell("header", "header", answer=True)
    for shell in ("sh", "fish", "powershell", "cmd", "dotenv", "gitlab"):
        tokenwell(f"env for {shell}", "env", "--shell", shell, answer=True)
    github = suite.path("here", "github-env")
    pathlib.Path(github).touch()
    suite.own_files.add(github)
    tokenwell("env for github", "env", "--shell", "github", GITHUB_ENV=github, answer=True)
    suite.run("tokenwell exec", [TOKENWELL, "exec", "-vv", "--", "printenv", "MONGODB_ATLAS_ACCESS_TOKEN"], environment, 0, answer=True)
    sink = suite.path("here", "sink")
    suite.own_files.add(sink)
    tokenwell("sink", "sink", "--once", sink)
    tokenwell("api", "api", "GET", "/api/atlas/v2/orgs", "--include")
    made = tokenwell(
        "api, a new secret", "api", "POST", f"/api/atlas/v2/orgs/0e0000000000000000000001/serviceAccounts/{emulator.client_id}/secrets",
        "--data", '{"secretExpiresAfterHours": 24}', answer=True,
    )
    suite.check("the new secret is in the answer", b"mdb_sa_sk_" in made, suite.shown(made))
    tokenwell("api, not there", "api", "GET", "/api/atlas/v2/orgs/0e00000000000000000000ff", code=5)
    for extra in ([], ["--json"]):
        tokenwell(f"status {extra}", "status", *extra)
        tokenwell(f"doctor {extra}", "doctor", "--mint", *extra)
        tokenwell(f"bench {extra}", "bench", "--gets", "50", *extra)
    for what in ("path", "list"):
        tokenwell(f"cache {what}", "cache", what)
    token = tokenwell("token before the 401", "token", answer=True).decode().strip()
    suite.tokens.add(token)
    tokenwell("invalidate", "invalidate", "--token-stdin", stdin=token)
    tokenwell("token after the 401", "token", answer=True)
    tokenwell("revoke", "revoke")
    tokenwell("cache clear", "cache", "clear")
    tokenwell("login", "login", "--profile", "canary", "--client-id", emulator.client_id, "--base-url", url, "--client-secret-stdin", stdin=emulator.secret)
    no_account = {"MONGODB_ATLAS_CLIENT_ID": "", "MONGODB_ATLAS_CLIENT_SECRET": "", "MONGODB_ATLAS_BASE_URL": ""}
    tokenwell("token of a profile", "token", "--profile", "canary", answer=True, **no_account)
    tokenwell("status of a profile", "status", "--profile", "canary", **no_account)
    tokenwell("login with a wrong secret", "login", "--profile", "wrong", "--client-id", emulator.client_id, "--base-url", url, "--client-secret-stdin", stdin=WRONG, code=4)
    tokenwell("completions", "completions", "bash")
    tokenwell("man", "man", "token")
    suite.run("tokenwell --help", [TOKENWELL, "--help"], environment, 0)
    suite.run("a secret as an argument", [TOKENWELL, "token", "--client-secret"], environment, 2)

    # Each failure has a separate cache, because the cache remembers a refusal.
    def alone(name, code, *arguments, **more):
        tokenwell(name, *(arguments or ("token",)), code=code, TOKENWELL_CACHE_DIR=suite.path("cache", re.sub(r"\W", "-", name)), TOKENWELL_TIMEOUT_MS="30000", **more)

    codes = {"access denied": 4, "rate limit": 6, "rate limit with a bad pause": 6, "wrong client": 4, "error code": 4, "redirect": 8, "redirect to nowhere": 8}
    for name, fault in life.faults(emulator.client_id, emulator.secret):
        emulator.control("faults", [{"path": "/api/oauth/token", **fault}])
        alone(f"token, {name}", codes.get(name, 5))
        # The later commands, which show the remembered refusal.
        for command in (["status"], ["status", "--json"], ["doctor"], ["cache", "list"], ["cache", "clear"]):
            where = {"TOKENWELL_CACHE_DIR": suite.path("cache", re.sub(r"\W", "-", f"token, {name}"))}
            tokenwell(f"{' '.join(command)} after {name}", *command, code=None, **where)
    emulator.control("faults", [])
    alone("wrong secret", 4, MONGODB_ATLAS_CLIENT_SECRET=WRONG)
    alone("doctor, wrong secret", 4, "doctor", MONGODB_ATLAS_CLIENT_SECRET=WRONG)
    alone("secret with a line break", 2, MONGODB_ATLAS_CLIENT_SECRET=emulator.secret + "\n\n")
    alone("secret in the URL", 8, MONGODB_ATLAS_BASE_URL=f"http://{emulator.client_id}:{emulator.secret}@127.0.0.1:1")
    alone("nobody there", 5, MONGODB_ATLAS_BASE_URL="http://127.0.0.1:1")
    alone("untrusted authority", 7, MONGODB_ATLAS_BASE_URL=tls.url)
    # The recorder does not see this token.
    suite.tokens.add(
        tokenwell("token over TLS", "token", MONGODB_ATLAS_BASE_URL=tls.url, TOKENWELL_CA_FILE=suite.path("authority.pem"), answer=True).decode().strip()
    )
    asked = proxy.asked
    through = {"HTTPS_PROXY": f"http://canary:{PASSWORD}@127.0.0.1:{proxy.port}", "MONGODB_ATLAS_BASE_URL": "https://canary.invalid"}
    alone("proxy that refuses", 5, **through)
    alone("doctor, proxy that refuses", 5, "doctor", **through)
    alone("proxy that is down", 5, **{**through, "HTTPS_PROXY": f"http://canary:{PASSWORD}@127.0.0.1:1"})
    suite.check("the proxy received a request", proxy.asked > asked)


def long_run(suite, emulator, url):
    """Runs a sink through several failures, at the start and between tokens."""
    file = pathlib.Path(suite.path("here", "long-sink"))
    suite.own_files.add(str(file))
    environment = suite.environment(emulator, url, TOKENWELL_CACHE_DIR=suite.path("cache", "sink"), TOKENWELL_TIMEOUT_MS="2000")
    failures = dict(life.faults(emulator.client_id, emulator.secret))
    emulator.control("settings", {"token_lifetime_s": 3})
    emulator.control("faults", [{"path": "/api/oauth/token", **failures["unavailable"]}])
    with background(suite, "sink that runs on", [TOKENWELL, "sink", str(file), "--remove-on-exit", "-vv"], environment) as sink:
        suite.check("a sink survives a server that fails at the start", sink.says(b"HTTP 503 after"), sink.told())
        emulator.control("faults", [])
        suite.check("a sink then has a token", sink.comes(file.exists), sink.told())
        for name, sign in (("server error", b"HTTP 500 after"), ("no JSON", b"its body is not a JSON object"), ("wrong client", b"HTTP 401 after")):
            emulator.control("faults", [{"path": "/api/oauth/token", **failures[name]}])
            suite.check(f"a sink survives: {name}", sink.says(sign), sink.told())
        sink.process.send_signal(signal.SIGTERM)
        suite.check("a sink ends well", sink.process.wait(60) == 0, sink.told())
    emulator.control("faults", [])
    emulator.control("settings", {"token_lifetime_s": 3600})


class background:
    """A program in the background, and its standard error."""

    def __init__(self, suite, name, command, environment):
        self.suite, self.name = suite, name
        with suite.errors(name) as errors:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd=suite.path("here"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.suite.outputs[f"standard output of {self.name}"] = self.process.communicate()[0]

    def told(self):
        return self.suite.shown(pathlib.Path(self.suite.path("errors", self.name)).read_bytes())

    def says(self, words):
        return self.comes(lambda: words in pathlib.Path(self.suite.path("errors", self.name)).read_bytes())

    def comes(self, happened):
        deadline = time.monotonic() + 60
        while not happened():
            if time.monotonic() > deadline or self.process.poll() is not None:
                return False
            time.sleep(0.01)
        return True


def shims(suite, given, emulator, url, tls, proxy):
    """A whole life, every failure and every wrong setting in each language."""
    log = suite.path("log.so")
    flags = ["-shared", "-fPIC", f"-I{DIST}/include", str(HERE / "log.c"), "-o", log, f"-L{DIST}/lib", "-ltokenwell"]
    subprocess.run([*COMPILER, *flags], check=True, env={**os.environ, "TMPDIR": suite.path("tmp")})
    for each in given:
        language, _, command = each.partition("=")
        # cargo, which starts the Rust shim, must run in the project directory.
        environment = suite.environment(emulator, url, HTTPS_PROXY=f"http://canary:{PASSWORD}@127.0.0.1:{proxy.port}")
        # Both ways to the log. The Node package contains the library, so that a callback that is loaded beforehand does not reach it. The Rust shim does
        # not load the library; the command covers its log.
        if language == "node":
            environment["TOKENWELL_LOG"] = "debug"
        elif language != "rust":
            environment["LD_PRELOAD"] = log
        account = {"base_url": url, "client_id": emulator.client_id, "client_secret": emulator.secret}
        with suite.errors(f"shim {language}") as errors:
            shim = life.Shim(shlex.split(command), environment, errors, ROOT if language == "rust" else suite.path("here"))
        try:
            failed = play(suite, shim, language, account, emulator, tls, proxy)
        except (RuntimeError, IndexError) as problem:
            failed = [str(problem)]
            shim.process.kill()
        suite.outputs[f"messages in {language}"] = "\n".join(shim.told).encode()
        suite.tokens |= shim.tokens
        told = pathlib.Path(suite.path("errors", f"shim {language}")).read_bytes()
        suite.check(f"all operations in {language}", not failed, f"{failed} {suite.shown(told)}")
        if language != "rust":
            suite.check(f"the log of {language} is on", len(re.findall(b"^(canary log 4|tokenwell: debug): ", told, re.MULTILINE)) > 5, suite.shown(told))


def play(suite, shim, language, account, emulator, tls, proxy):
    failed = [name for name, fine in life.whole_life(shim, {**account, "cache_dir": suite.path("cache", language)}) if not fine]
    now = str(emulator.control("clock")["now_ms"])
    number = 0

    def refused(name, **settings):
        nonlocal number
        number += 1
        made = shim.client(**{**account, "manual_clock_ms": now, "cache_dir": suite.path("cache", f"{language}-{number}"), **settings})
        answer = shim.ask("token", "-", "60000", "0") if made[0] == "ok" else made
        if answer[0] != "error":
            failed.append(f"{name} returned no error")
        return answer

    for name, fault in life.faults(emulator.client_id, emulator.secret):
        emulator.control("faults", [{"path": "/api/oauth/token", **fault}])
        refused(name)
        if number % 3 == 0:
            shim.ask("together", "4", "-", "60000", "0")
    emulator.control("faults", [])
    refused("wrong secret", client_secret=WRONG)
    refused("untrusted authority", base_url=tls.url)
    refused("nobody there", base_url="http://127.0.0.1:1")
    asked = proxy.asked
    refused("proxy that refuses", base_url="https://canary.invalid")
    if proxy.asked == asked:
        failed.append("the proxy received no request")
    token = min(shim.tokens)
    for settings in life.settings_that_are_wrong(account, account["client_secret"], token):
        refused("a wrong setting", **settings)

    # A revocation whose error response contains the token.
    shim.client(**{**account, "cache_dir": suite.path("cache", f"{language}-revoked")})
    token = shim.ask("token", "-", "-", "0")[1]
    emulator.control("faults", [{"path": "/api/oauth/revoke", "status": 400, "body": {"error": "invalid_request", "error_description": f"no {token} here"}}])
    if shim.ask("revoke", "-")[0] != "error":
        failed.append("the refused revocation returned no error")
    emulator.control("faults", [])
    if not shim.quit():
        failed.append("the shim did not exit cleanly")
    return failed


def programs(suite, emulator, url):
    """Runs programs that print all their objects, and the example of each language."""
    environment = suite.environment(emulator, url, WRONG_SECRET=WRONG, PYTHONDEVMODE="1", NODE_DEBUG="module")
    python, node = sys.executable, os.environ.get("NODE", "node")
    index = str(DIST / "node" / "index.mjs")
    for language, command in (("Python", [python, str(HERE / "show.py")]), ("Node", [node, str(HERE / "show.mjs"), index])):
        file = pathlib.Path(suite.path("here", f"new-secret-{language}"))
        suite.own_files.add(str(file))
        suite.new_secrets[language] = file
        suite.run(f"everything that {language} prints", command, {**environment, "NEW_SECRET_FILE": str(file)}, 0)
    suite.run("the example in Python", [python, str(ROOT / "examples" / "python" / "hello_token.py")], environment, 0)


def writes(suite, emulator, url):
    """Checks with strace that a command opens no file for writing outside the cache."""
    trace = suite.path("here", "trace")
    suite.run(
        "token, every file that is written", ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2", "-o", trace, TOKENWELL, "token"],
        suite.environment(emulator, url, TOKENWELL_CACHE_DIR=suite.path("cache", "written")), 0, answer=True,
    )
    lines = pathlib.Path(trace).read_text().splitlines()
    written = [line for line in lines if re.search(r"O_WRONLY|O_RDWR|O_CREAT|creat\(|mkdir|rename", line)]
    # Allowed: paths relative to the opened cache directory, and the directory itself.
    elsewhere = [line for line in written if not re.search(r'(at2?|at)\(\d+, "([0-9a-f]{32}\.|housekeeping")|"' + re.escape(suite.path("cache")), line)]
    suite.check("files are written only in the cache", written and not elsewhere, elsewhere)


def environments(suite, emulator, url):
    """i23: checks the environment of a program that `tokenwell exec` started, as the system shows it."""
    child = subprocess.Popen(
        [TOKENWELL, "exec", "--", "cat"], env=suite.environment(emulator, url, TOKENWELL_CLIENT_SECRET="", MCLI_CLIENT_SECRET=WRONG),
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        # Waits until the child has replaced the command.
        while pathlib.Path(f"/proc/{child.pid}/comm").read_text() != "cat\n":
            if time.monotonic() > deadline or child.poll() is not None:
                raise RuntimeError("the child was not started")
            time.sleep(0.01)
        seen = pathlib.Path(f"/proc/{child.pid}/environ").read_bytes()
    finally:
        child.stdin.close()
        child.wait(60)
    net = Net()
    net.add("the secret", emulator.secret)
    net.add("the other secret", WRONG)
    suite.check("i23: the child has the token", b"MONGODB_ATLAS_ACCESS_TOKEN=ey" in seen)
    suite.check("i23: the environment of the child contains no secret", net.find(seen) is None, net.find(seen))


def memory(suite, emulator, url):
    """i24: searches the memory of a process after everything was freed. This also proves that the compiler did not
    remove the wiping."""
    program = suite.path("heap")
    flags = ["-std=c11", "-O1", f"-I{DIST}/include", str(HERE / "heap.c"), "-o", program, f"-L{DIST}/lib", "-ltokenwell"]
    subprocess.run([*COMPILER, *flags], check=True, env={**os.environ, "TMPDIR": suite.path("tmp")})
    masked = bytes(byte ^ 0x5A for byte in emulator.secret.encode()).hex()
    environment = suite.environment(emulator, url, TOKENWELL_CACHE_DIR=suite.path("cache", "memory"))
    # The secret is passed masked. The environment must not contain it in clear.
    for name in ("CLIENT_ID", "CLIENT_SECRET", "BASE_URL"):
        del environment[f"MONGODB_ATLAS_{name}"]

    def copies(name, how):
        told = suite.run(name, [program, how, url, emulator.client_id], environment, 0, stdin=masked).decode()
        numbers = re.search(r"^secret (\d+) (\d+) token (\d+) (\d+)$", told, re.MULTILINE)
        return [int(number) for number in numbers.groups()] if numbers else [0, -1, 0, -1], told

    (before, after, _, _), told = copies("heap, a client that is never used", "unused")
    suite.check("i24: the secret of a client that was never used is wiped", before > 0 and after == 0, told)
    (before, after, _, _), told = copies("heap, a leak", "leaky")
    suite.check("i24: a copy that is not wiped is found", before > 0 and after > 0, told)
    (before, after, token, left), told = copies("heap, a token from the server", "used")
    # The last copy of the token is in a buffer of the HTTP client, which does not wipe it: SECURITY.md documents
    # this limit.
    suite.check("i24: the secret of a client that sent a token request is wiped", before > 0 and after == 0 and token > 0 and left <= 1, told)
    cached = copies("heap, a token from the cache", "used")
    with escaping_server() as url:
        # The body contains only the escaped form, so every copy of the token is one that the library made.
        (before, after, token, left), told = copies("heap, a token with escapes", "used")
    suite.check("r29: a token with escapes is wiped", before > 0 and after == 0 and token > 0 and left == 0, told)
    (before, after, token, left), told = cached
    suite.check("i24: secret and token of a client with a token from the cache are wiped", before > 0 and after == 0 and token > 0 and left == 0, told)


def memory_of_the_command(suite, emulator, url):
    """r29: searches the memory of each command that formats a token, at its end. The token is in the cache: the HTTP
    client of a token request leaves a copy (SECURITY.md)."""
    library = suite.path("at_exit.so")
    flags = ["-std=c11", "-O1", "-shared", "-fPIC", "-D_DEFAULT_SOURCE", str(HERE / "at_exit.c"), "-o", library]
    subprocess.run([*COMPILER, *flags], check=True, env={**os.environ, "TMPDIR": suite.path("tmp")})
    environment = suite.environment(emulator, url, TOKENWELL_CACHE_DIR=suite.path("cache", "at-exit"))
    token = suite.run("token before the search", [TOKENWELL, "token"], environment, 0, answer=True).strip()
    suite.tokens.add(token.decode())
    result = suite.path("at-exit-result")
    file, github = suite.path("here", "at-exit-file"), suite.path("here", "at-exit-github")
    suite.own_files |= {file, github}
    pathlib.Path(github).touch()
    searched = {
        **environment,
        "LD_PRELOAD": library,
        "CANARY_NEEDLE": bytes(byte ^ 0x5A for byte in token[-80:]).hex(),
        "CANARY_RESULT": result,
        "GITHUB_ENV": github,
    }

    def copies(name, arguments, **more):
        suite.run(f"memory of {name}", [TOKENWELL, *arguments], {**searched, **more}, 0, answer=True)
        told = pathlib.Path(result).read_text()
        pathlib.Path(result).unlink()
        return int(told.split()[-1]), told

    forms = ("raw", "header", "curl", "json")
    shells = ("sh", "fish", "powershell", "cmd", "dotenv", "github", "gitlab")
    commands = {
        **{f"token as {form}": ["token", "--format", form] for form in forms},
        "header": ["header"],
        **{f"env for {shell}": ["env", "--shell", shell] for shell in shells},
        **{f"sink as {form}": ["sink", "--once", "--format", form, file] for form in ("raw", "header", "curl", "json", "dotenv")},
        "sink to standard output": ["sink", "--once", "-"],
        "status": ["status"],
    }
    found, told = copies("a command with a planted copy", ["status"], CANARY_PLANT="1")
    suite.check("r29: a copy that is not wiped is found", found == 1, told)
    for name, arguments in commands.items():
        found, told = copies(name, arguments)
        suite.check(f"r29: {name} leaves no copy of the token in memory", found == 0, told)
    found, told = copies("api", ["api", "GET", "/api/atlas/v2/orgs"])
    suite.check("r29: api leaves no copy of the token but the one of the HTTP client", found <= 1, told)


@contextlib.contextmanager
def escaping_server():
    """A server whose token is escaped in the JSON. Yields its URL."""
    escaped = "".join(f"\\u{ord(character):04x}" for character in f"escaped-token-{secrets.token_hex(24)}")
    body = f'{{"access_token":"{escaped}","token_type":"Bearer","expires_in":3600}}'.encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def scans(suite, net, secrets_alone, command_lines, rounds):
    suite.check("tokens were issued", len(suite.tokens) > 10, len(suite.tokens))
    for name in sorted(os.listdir(suite.path("errors"))):
        suite.outputs[f"standard error of {name}"] = pathlib.Path(suite.path("errors", name)).read_bytes()
    report(suite, "i21: no output shows a secret or a token", found_in(net, suite.outputs))
    made = b"tokenwell api, a new secret"
    answers = {name: content for name, content in suite.answers.items() if made.decode() not in name}
    report(suite, "i21: no result shows a secret", found_in(secrets_alone, answers))
    report(suite, "i21: no file contains a secret or a token", found_in(net, files(suite.work, suite.own_files)))
    suite.check("cache files were checked", any(path.suffix == ".token" for path in suite.work.rglob("*")))
    suite.check("no core file", not [path for path in suite.work.rglob("core*") if path.is_file()])
    report(suite, "i22: no command line shows a secret or a token", found_in(net, {repr(line)[:60]: line for line in command_lines}))
    suite.check("i22: command lines were checked", rounds > 20 and any(b"token" in line for line in command_lines), rounds)


def ids(suite, id_net, client_id, command_lines):
    """Checks that the client id is shown only where `shown` allows it."""
    places = {**suite.outputs, **files(suite.work, set()), **{f"command line {line!r}": line for line in command_lines}}
    rest, idle = shown.without_what_is_allowed(places, client_id)
    report(suite, "i21: the client id is shown only where it is allowed", found_in(id_net, rest))
    suite.check("i21: no allowed place for the client id is unused", not idle, idle)


def found_in(net, contents):
    return {name: found for name, content in contents.items() if (found := net.find(content))}


def files(folder, own):
    """Returns the content and the path of every file, except files that contain the secret or a token on purpose."""
    contents = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and str(path) not in own and "errors" not in path.parts:
            contents[str(path)] = str(path).encode() + b"\0" + path.read_bytes()
    return contents


def report(suite, name, found):
    # The content is not printed, because this output may be stored too.
    suite.check(name, not found, "".join(f"\n    {place}: {what} in the form {form}, at {at}" for place, (what, form, at) in found.items()))


def self_check(suite):
    """Checks that the search finds a part of each form in each kind of place."""
    planted = "mdb_sa_sk_Planted.Canary-" + "T3stOfTheSearch+/%\"" + "0123456789abcdef"
    net = Net()
    net.add("planted", planted)
    for form, shape in forms(planted).items():
        # A part that does not start at the beginning.
        leak = b"2026-01-01 debug: x=" + shape[7:-5] + b" y=1"
        suite.check(f"a planted leak is found: {form}", found_in(net, {"output": leak}))
    suite.check("a similar string is not reported", not net.find(b"2026-01-01 debug: mdb_sa_sk_" + b"another" * 50))
    (suite.work / "tmp" / "planted").write_text("{" + planted[9:] + "}")
    suite.check("a planted leak is found: file", found_in(net, files(suite.work, set())))
    self_check_of_the_id(suite)
    self_check_of_what_runs(suite, net, planted)
    watcher = CommandLines()
    child = subprocess.Popen([sys.executable, "-c", "input()", planted], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (found := found_in(net, {"line": line for line in watcher.seen})) and time.monotonic() < deadline:
            watcher.look()
            found = found_in(net, {str(number): line for number, line in enumerate(watcher.seen)})
            if found:
                break
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)
        child.stdin.close()
    suite.check("a planted leak is found: command line", found)


def self_check_of_the_id(suite):
    """Checks that the list of allowed places excuses nothing else."""
    planted = "mdb_sa_id_Planted0Canary0123456789"
    net = Net()
    net.add("planted", planted)

    def left(place, content):
        return found_in(net, shown.without_what_is_allowed({place: content}, planted)[0])

    line = f"client id       {planted}\n".encode()
    suite.check("the id is allowed in its place", not left("standard output of tokenwell status", line))
    suite.check("a planted leak is found: the id in another place", left("standard error of tokenwell status", line))
    suite.check("a planted leak is found: the id in another string", left("standard output of tokenwell status", line + planted.encode()))
    for form, shape in forms(planted).items():
        suite.check(f"a planted leak is found: the id, {form}", left("standard error of tokenwell token", b"debug: " + shape[3:-3] + b" y"))
    unused = shown.without_what_is_allowed({"standard output of tokenwell status": line}, planted)[1]
    suite.check("an unused entry is reported", unused and not any("`status`" in entry for entry in unused), unused)


def self_check_of_what_runs(suite, net, planted):
    """Checks that the output on a terminal and of a background program is searched."""
    ask = ["sh", "-c", "printf 'Client secret: '; read -r secret; echo"]
    seen, ended = typed(suite, "one that shows what is typed", ask, {"PATH": os.environ["PATH"]}, b"Client secret", planted)
    output = suite.outputs.pop("the terminal of one that shows what is typed")
    suite.check("a planted leak is found: terminal", ended == 0 and seen == output and found_in(net, {"terminal": output}))
    name = "one that tells too much"
    talk = ["sh", "-c", 'echo "here is $SECRET"; echo "and here: $SECRET" >&2; exec sleep 600']
    with background(suite, name, talk, {"PATH": os.environ["PATH"], "SECRET": planted}) as talker:
        suite.check("the output of a background program is read", talker.says(b"and here"))
    output = suite.outputs.pop(f"standard output of {name}")
    errors = pathlib.Path(suite.path("errors", name)).read_bytes()
    suite.check("a planted leak is found: output of a background program", found_in(net, {"output": output}))
    suite.check("a planted leak is found: errors of a background program", found_in(net, {"errors": errors}))
    left = pathlib.Path(suite.path("config", "tokenwell", "secrets", "canary"))
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text(planted)
    suite.check("a planted leak is found: a secret that remains after a logout", found_in(net, {str(left): files(suite.work, suite.own_files).get(str(left), b"")}))


sys.exit(main())
