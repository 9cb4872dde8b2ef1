"""A set-user-ID program in the environment of a hostile user.

    setuid.py DIRECTORY

DIRECTORY has the program `plain` (setuid.c). Requires TOKENWELL_BIN (tests/environment.sh) and root. Each check runs the
program twice: as it is, where the environment counts (the check of the check), and with more privileges than its user.
"""

import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

OTHER_USER = 65534
AS_ANOTHER = {"user": OTHER_USER, "group": OTHER_USER, "extra_groups": []}
DIRECTORY = pathlib.Path(sys.argv[1])
passed, failed, skipped = 0, 0, 0


def check(name, condition, shown):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok {name}")
    else:
        failed += 1
        print(f"FAILED {name}\n  {shown}")


def skip(reason):
    global skipped
    skipped += 1
    print(f"skipped setuid: {reason}")


class Listener:
    """Counts the bytes that reach a port."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.bytes = b""
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                self.bytes += connection.recv(65536)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"


class Emulator:
    def __init__(self, ca_file):
        options = ["--until-stdin-closes", "--no-rate-limit", "--tls", "--ca-file", str(ca_file)]
        command = [os.environ["TOKENWELL_BIN"], "emulator", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        account = dict(shlex.split(line)[0].split("=", 1) for line in iter(self.process.stdout.readline, "# ready\n"))
        names = {"base_url": "BASE_URL", "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET"}
        self.account = {name: account["MONGODB_ATLAS_" + variable] for name, variable in names.items()}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run(program, settings, variables, use_environment=False):
    """Runs the program as another user and returns what it printed on both outputs."""
    options = ["--use-environment"] if use_environment else []
    arguments = [str(program), *options, *(f"{name}={value}" for name, value in settings.items())]
    outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    result = subprocess.run(arguments, env=variables, timeout=120, **outputs, **AS_ANOTHER)
    return result.stdout.strip()


def is_secure(program):
    try:
        return subprocess.run([program, "--secure"], stdout=subprocess.PIPE, text=True, **AS_ANOTHER).stdout.strip() == "1"
    except OSError:
        return False


def programs():
    """The program with each kind of privileges that this system can give it."""
    for name, mode in [("set-user-ID", 0o4755), ("set-group-ID", 0o2755)]:
        program = DIRECTORY / name
        shutil.copy(DIRECTORY / "plain", program)
        os.chown(program, 0, 0)
        program.chmod(mode)
        if is_secure(program):
            yield name, program
        else:
            skip(f"this file system gives a {name} program no privileges")
    program = DIRECTORY / "capable"
    shutil.copy(DIRECTORY / "plain", program)
    setcap = shutil.which("setcap")
    given = setcap and subprocess.run([setcap, "cap_net_bind_service=ep", program], stderr=subprocess.DEVNULL).returncode == 0
    if given and is_secure(program):
        yield "file capabilities", program
    else:
        skip("a program cannot be given capabilities here; install libcap2-bin, and use a file system that keeps them")


def main():
    plain = DIRECTORY / "plain"
    listener = Listener()
    ca_file = DIRECTORY / "ca.pem"
    emulator = Emulator(ca_file)
    ca_file.chmod(0o644)
    home = pathlib.Path(tempfile.mkdtemp(dir=DIRECTORY))
    os.chown(home, OTHER_USER, OTHER_USER)
    account, pem = emulator.account, ca_file.read_text()
    elsewhere = {"token_url": "https://login.invalid/token", "client_id": "id", "client_secret": "canary-secret", "timeout_ms": "5000"}
    own = {f"TOKENWELL_{name.upper()}": value for name, value in account.items()}

    def files():
        return sorted(str(path.relative_to(home)) for path in home.rglob("*.token"))

    def through_a_proxy(program):
        listener.bytes = b""
        shown = run(program, elsewhere, {name: listener.url for name in ("HTTPS_PROXY", "ALL_PROXY", "TOKENWELL_PROXY")})
        return bool(listener.bytes), f"{shown}; the proxy read {listener.bytes!r}"

    def trusting(program):
        files = {"SSL_CERT_FILE": str(ca_file), "TOKENWELL_CA_FILE": str(ca_file), "TOKENWELL_CA_PEM": pem}
        variables = {**files, "SSL_CERT_DIR": str(DIRECTORY)}
        shown = run(program, {**account, "cache": "off"}, variables)
        return shown == "OK", shown

    def with_the_account(program):
        shown = run(program, {"ca_file": str(ca_file), "cache": "off"}, own, use_environment=True)
        return shown == "OK", shown

    def with_a_profile(program):
        profile = home / ".config" / "tokenwell"
        profile.mkdir(parents=True, exist_ok=True)
        lines = "".join(f'{name} = "{value}"\n' for name, value in account.items())
        (profile / "config.toml").write_text("[default]\n" + lines)
        (profile / "config.toml").chmod(0o600)
        os.chown(profile / "config.toml", OTHER_USER, OTHER_USER)
        shown = run(program, {"ca_file": str(ca_file), "cache": "off"}, {"HOME": str(home)}, use_environment=True)
        return shown == "OK", shown

    def with_a_cache(program):
        shutil.rmtree(home / "cache", ignore_errors=True)
        variables = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TOKENWELL_CACHE_DIR": str(home / "cache" / "own")}
        shown = run(program, {**account, "ca_file": str(ca_file)}, variables)
        return bool(files()), f"{shown}; files: {files()}"

    def with_a_log(program):
        shown = run(program, {**account, "ca_file": str(ca_file), "cache": "off"}, {"TOKENWELL_LOG": "debug"})
        return "tokenwell: debug" in shown, shown

    hostile = [
        ("the proxy of the environment", through_a_proxy),
        ("the authorities of the environment", trusting),
        ("the account of the environment", with_the_account),
        ("the profile of the environment's home", with_a_profile),
        ("the cache directory of the environment", with_a_cache),
        ("the log of the environment", with_a_log),
    ]
    for what, uses in hostile:
        used, shown = uses(plain)
        check(f"the plain program uses {what}", used, shown)
    for kind, program in programs():
        for what, uses in hostile:
            used, shown = uses(program)
            check(f"r5_{kind}: not {what}", not used, shown)
        shown = run(program, {"ca_file": str(ca_file)}, own, use_environment=True)
        reason = shown.startswith("NOT_CONFIGURED") and "more privileges" in shown
        check(f"r5_{kind}: the message says why the account is missing", reason, shown)
        shown = run(program, {**account, "ca_pem": pem, "cache": "off"}, {})
        check(f"{kind}: with all settings in the program it gets a token", shown == "OK", shown)
    emulator.close()
    print(f"setuid: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
