"""Creates that are killed, at each system call that matters, while the request or its reply is lost or neither.

    killed_creates.py DIRECTORY

Requires TOKENWELL_BIN (tests/environment.sh) and strace. SHORT=1: a sample. For each kill point, afterwards:

- there are never two accounts from one command, also if the same command is run again;
- a secret that exists is in the place of `--to`, or the next `tokenwell sa list` names it and the commands to go on with;
- these commands work, and then nothing is reported any more.

Without the log of changes the second claim must be found to be broken: otherwise the suite would find nothing.
"""

import base64
import collections
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from emulator import Emulator  # noqa: E402

DIRECTORY = pathlib.Path(sys.argv[1])
SHORT = bool(os.environ.get("SHORT"))
# The short form runs every n-th kill point.
STEP = 11 if SHORT else 1
WORKERS = 2
ORGANIZATION = "aaaaaaaaaaaaaaaaaaaaaaaa"
OWNER, OTHER = "mdb_sa_id_0e0000cccccccccccccccccc", "mdb_sa_id_0e0000dddddddddddddddddd"
ACCOUNTS = f"/api/atlas/v2/orgs/{ORGANIZATION}/serviceAccounts"
NETWORK = "192.0.2.0/24"
SEED = {
    "organizations": [
        {
            "id": ORGANIZATION,
            "serviceAccounts": [
                {"clientId": OWNER, "name": "owner", "roles": ["ORG_OWNER"], "secrets": [{"secret": "mdb_sa_sk_emulator_of_the_owner"}]},
                {"clientId": OTHER, "name": "other", "roles": ["ORG_MEMBER"], "secrets": [{"secret": "mdb_sa_sk_emulator_of_the_other"}]},
            ],
        }
    ]
}
CREATE = ["sa", "create", "deploy", "--role", "ORG_MEMBER", "--org", ORGANIZATION]
SCENARIOS = {
    "create --to file": [*CREATE, "--to", "file:x"],
    "create --to profile": [*CREATE, "--to", "profile:deploy"],
    "create --access": [*CREATE, "--to", "file:x", "--access", NETWORK],
    "secret add": ["sa", "secret", "add", OTHER, "--org", ORGANIZATION, "--to", "file:x"],
}
FAULTS = {"nothing lost": None, "request lost": "before_reply", "reply lost": "after_effect"}
CALLS = ("write", "pwrite64", "writev", "sendto", "sendmsg", "rename", "renameat", "renameat2", "unlink", "unlinkat", "fsync", "fdatasync", "link", "linkat")

Point = collections.namedtuple("Point", "call number is_main after_request")


class Bench:
    """An emulator and a home directory for one command at a time."""

    def __init__(self, name):
        self.directory = DIRECTORY / name
        self.directory.mkdir()
        self.home = self.directory / "home"
        seed = self.directory / "seed.json"
        seed.write_text(json.dumps(SEED))
        self.emulator = Emulator(self.directory / "cache", "--seed", str(seed))

    def start_again(self, fault):
        self.emulator.control("reset", {})
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        if fault:
            self.emulator.control("faults", [{"path": "/api/atlas/*", "method": "POST", "times": 1, "close": fault}])

    def run(self, arguments, strace=(), log="on"):
        account = {name: value for name, value in self.emulator.account.items() if name != "TOKENWELL_CACHE_DIR"}
        environment = {**account, "HOME": str(self.home), "PATH": os.environ["PATH"], "TOKENWELL_CHANGE_LOG": log}
        # The pause between two reads of the accounts costs no time.
        injected = ["strace", "-qq", "-e", "inject=clock_nanosleep:retval=0", *strace] if strace else []
        command = [*injected, os.environ["TOKENWELL_BIN"], *arguments]
        return subprocess.run(command, cwd=self.home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)

    def request(self, path, body=None, headers=None):
        request = urllib.request.Request(self.emulator.url + path, data=body, headers=headers or {})
        with self.emulator.opener.open(request, timeout=60) as reply:
            return json.loads(reply.read())

    def token(self, client_id, secret):
        """A token for the credential, or None."""
        basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            return self.request("/api/oauth/token", b"grant_type=client_credentials", headers)["access_token"]
        except urllib.error.HTTPError:
            return None

    def get(self, path):
        bearer = self.token(OWNER, "mdb_sa_sk_emulator_of_the_owner")
        headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/vnd.atlas.2024-08-05+json"}
        return self.request(path, headers=headers)["results"]

    def secrets(self):
        """What the command under test has made: client ids of accounts, and (client id, secret id, mask) of secrets."""
        accounts = self.get(ACCOUNTS)
        new = [account for account in accounts if account["clientId"] not in (OWNER, OTHER)]
        made = [account for account in accounts if account["clientId"] != OWNER]
        secrets = [
            (account["clientId"], secret["id"], secret["maskedSecretValue"])
            for account in made
            for secret in account["secrets"]
            if not (account["clientId"] == OTHER and secret["id"] == self.first_secret)
        ]
        return [account["clientId"] for account in new], secrets

    def remember_first_secret(self):
        self.first_secret = next(account["secrets"][0]["id"] for account in self.get(ACCOUNTS) if account["clientId"] == OTHER)

    def stored(self):
        """The value in the place of `--to`, or None."""
        if (self.home / "x").exists():
            return (self.home / "x").read_text().strip()
        profiles = self.home / ".config/tokenwell/config.toml"
        if not profiles.exists() or "[deploy]" not in profiles.read_text():
            return None
        files = [path for path in (self.home / ".config/tokenwell").rglob("*") if path.is_file() and path != profiles]
        values = [path.read_text().strip() for path in files]
        return next((value for value in values if value.startswith("mdb_sa_sk_")), None)

    def make_older(self):
        """It is then not too early to say that nothing was created."""
        for path in (self.home / ".local/state/tokenwell/creates").glob("*.json"):
            lines = path.read_text().splitlines()
            record = json.loads(lines[0])
            record["time"] = "2026-01-02T03:04:05Z"
            path.write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")

    def trace(self, arguments, fault, log="on"):
        """The kill points of a run: the calls of the main thread, and those that another thread is the first to make."""
        self.start_again(fault)
        output = self.directory / "trace"
        result = self.run(arguments, ["-f", "-o", str(output)], log)
        assert result.returncode == 0, result.stderr
        main, counts, points, is_sent = None, collections.Counter(), [], False
        for line in output.read_text().splitlines():
            found = re.match(r"(\d+) +(\w+)\((.*)", line)
            if not found:
                continue
            thread, call, rest = found.groups()
            main = main or thread
            counts[thread, call] += 1
            number = counts[thread, call]
            is_main = thread == main
            if call in CALLS or (call.startswith("open") and "O_CREAT" in rest):
                is_first = is_main or all(counts[other, call] < number for other in {key[0] for key in counts} if other != thread)
                if is_first:
                    points.append(Point(call, number, is_main, is_sent))
            is_sent = is_sent or (is_main and call == "writev" and "POST /api/atlas" in rest)
        assert is_sent, "no request was seen"
        return points

    def kill(self, arguments, point, log="on"):
        """Runs the command until the point. Whether it was killed."""
        every = [] if point.is_main else ["-f"]
        inject = f"inject={point.call}:signal=KILL:when={point.number}"
        result = self.run(arguments, [*every, "-o", os.devnull, "-e", inject], log)
        self.emulator.control("faults", [])
        return result.returncode != 0

    def report(self, log="on"):
        result = self.run(["sa", "list", "--org", ORGANIZATION], log=log)
        assert result.returncode == 0, result.stderr
        return "\n".join(line for line in result.stderr.splitlines() if "interrupted" in line)

    def follow(self, undo):
        """Runs the commands that the report names, until it is empty."""
        for _ in range(4):
            report = self.report()
            if not report:
                return
            commands = re.findall(r"`(tokenwell sa [^`]+)`", report)
            is_undo = [command for command in commands if " delete " in command]
            for command in (is_undo if undo else [command for command in commands if not command.startswith("tokenwell sa delete")]):
                words = shlex.split(command)[1:]
                result = self.run([*words, *(["--yes"] if "delete" in words else [])])
                assert result.returncode == 0, f"{command}: {result.stderr}"
        raise AssertionError(f"the report does not end: {report}")


def unreported(bench, report):
    """The secrets that are in no target, and accounts without one, which the report does not name."""
    accounts, secrets = bench.secrets()
    assert len(accounts) <= 1, f"two accounts: {accounts}"
    value = bench.stored() or ""
    lost = [secret for secret in secrets if not value.endswith(secret[2].rsplit("*", 1)[1]) or not value]
    without = [(account,) for account in accounts if account not in [secret[0] for secret in secrets]]
    return [each for each in [*lost, *without] if each[0] not in report or "`tokenwell sa " not in report]


def examine(bench, scenario, arguments, fault, point, undo):
    """All claims for one kill point. Returns whether the command was killed."""
    bench.start_again(fault)
    bench.remember_first_secret()
    if not bench.kill(arguments, point):
        return False
    state = [path.read_text() for path in (bench.home / ".local").rglob("*") if path.is_file()]
    assert not any("mdb_sa_sk_" in text for text in state), "a secret is in the state directory"
    accounts, secrets = bench.secrets()
    existed = bool(accounts or secrets)
    has_access = "--access" not in arguments or not existed or bool(bench.get(f"{ACCOUNTS}/{accounts[0]}/accessList"))
    report = bench.report()
    lost = unreported(bench, report)
    assert not lost, f"not reported: {lost}: {report!r}"
    assert has_access or "access" in report, f"the access list is empty: {report!r}"
    if accounts:
        again = bench.run(arguments)
        assert again.returncode in (8, 15), f"the same command again: {again.returncode}, {again.stderr}"
        assert len(bench.secrets()[0]) == 1, "a second account"
    bench.make_older()
    bench.follow(undo)
    accounts, secrets = bench.secrets()
    value = bench.stored()
    if not existed:
        assert not accounts and not secrets, (accounts, secrets)
        if not undo:
            result = bench.run(arguments)
            assert result.returncode == 0, f"the same command again: {result.stderr}"
            accounts, secrets = bench.secrets()
            value = bench.stored()
    if existed or not undo:
        # What was complete is not undone.
        was_undone = undo and not secrets
        assert was_undone or (value and bench.token(secrets[0][0], value)), f"the stored secret is not valid: {secrets}"
        assert was_undone or "--access" not in arguments or bench.get(f"{ACCOUNTS}/{secrets[0][0]}/accessList"), "no access list"
        assert len(accounts) == (0 if was_undone or not scenario.startswith("create") else 1), accounts
    return True


class Claims:
    def __init__(self):
        self.lock = threading.Lock()
        self.passed, self.failed = 0, 0

    def check(self, name, problems, reached, tried):
        with self.lock:
            # A call that another run makes at another place is not reached.
            enough = reached >= 1 and reached * 10 >= tried * 8
            if problems or not enough:
                self.failed += 1
                shown = "\n  ".join(problems[:5] or [f"only {reached} of {tried} kill points were reached"])
                print(f"FAILED {name}: {len(problems)} of {reached} kill points\n  {shown}", flush=True)
            else:
                self.passed += 1
                print(f"ok {name}: {reached} kill points", flush=True)


def life(bench, scenario, loss, claims):
    arguments, fault = SCENARIOS[scenario], FAULTS[loss]
    points = bench.trace(arguments, fault)
    # What is before the request is the same in each case, and nothing exists yet.
    chosen = points[(list(SCENARIOS).index(scenario) + list(FAULTS).index(loss)) % STEP :: STEP] if SHORT else points
    problems, reached = [], 0
    for index, point in enumerate(chosen):
        try:
            reached += examine(bench, scenario, arguments, fault, point, undo=index % 2 == 1)
        except (AssertionError, OSError, ValueError, KeyError, StopIteration, subprocess.TimeoutExpired) as problem:
            reached += 1
            problems.append(f"{point}: {type(problem).__name__}: {problem}")
    claims.check(f"l1_l2_{scenario}, {loss}: one account at most, every secret is stored or reported, and the commands of the report work", problems, reached, len(chosen))


def planted(bench, claims):
    """Without the log there is nothing that could report the secret: this must be found."""
    arguments = SCENARIOS["create --to file"]
    points = [point for point in bench.trace(arguments, None, log="off") if point.after_request]
    found, reached = 0, 0
    for point in points[:3] if SHORT else points:
        bench.start_again(None)
        bench.remember_first_secret()
        reached += bench.kill(arguments, point, log="off")
        found += bool(unreported(bench, bench.report()))
    name = f"planted: without the log, secrets that are not reported are found ({found} of {reached})"
    claims.check(name, [] if found else ["none was found"], reached, reached)


def main():
    claims = Claims()
    jobs = [(scenario, loss) for scenario in SCENARIOS for loss in FAULTS]
    jobs.append(None)
    lock, errors = threading.Lock(), []

    def work(number):
        try:
            bench = Bench(f"worker{number}")
            while True:
                with lock:
                    if not jobs:
                        break
                    job = jobs.pop(0)
                if job:
                    life(bench, *job, claims)
                else:
                    planted(bench, claims)
            bench.emulator.stop()
        except BaseException as error:  # The thread must not end without a word.
            errors.append(f"worker {number}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        claims.failed += 1
        print(f"FAILED {error}")
    print(f"killed_creates: {claims.passed} passed, {claims.failed} failed, 0 skipped")
    return 1 if claims.failed or not claims.passed else 0


sys.exit(main())
