"""Runs the recipes of README.md and docs/cli.md against the emulator: in the shell, or as cron, systemd, a CI system
or Kubernetes would run them. A block that is neither run nor excused here is an error, so that a new recipe is
not forgotten.

    python3 tests/recipes/run.py [--stand-ins]      with --stand-ins, curl is a stand-in too

Requires DIST and bash. Start reading at `RECIPES`; `documents` finds the blocks, `readers` reads the files of other
systems, `tools` are the programs that the recipes start.
"""

import argparse
import base64
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import readers
from documents import blocks
from tools import Tools, real_curl

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIST = pathlib.Path(os.environ.get("DIST", ROOT / "dist"))
TOKENWELL = str(DIST / "bin" / "tokenwell")
PATIENCE_S = 120
TOKEN = r"ey[\w.-]{40,}"
WRONG_SECRET = "mdb_sa_sk_NotTheOneThatTheServerKnows0123456789"

sys.path.insert(0, str(ROOT / "tests" / "canary"))
from terminal import Terminal  # noqa: E402


class Problem(Exception):
    """A recipe is wrong."""


def must(fine, problem):
    if not fine:
        raise Problem(problem)


class Emulator:
    def __init__(self):
        self.process = subprocess.Popen(
            [TOKENWELL, "emulator", "--no-rate-limit", "--token-cap", "100000", "--until-stdin-closes"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]},
        )
        lines = iter(self.process.stdout.readline, b"# ready\n")
        self.variables = dict(line.decode().strip().split("=", 1) for line in lines)
        # Each scene has a cache directory of its own.
        del self.variables["TOKENWELL_CACHE_DIR"]
        self.url = self.variables["MONGODB_ATLAS_BASE_URL"]
        self.client_id = self.variables["MONGODB_ATLAS_CLIENT_ID"]
        self.secret = self.variables["MONGODB_ATLAS_CLIENT_SECRET"]

    def status(self, path, headers, body=None):
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
                return reply.status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def accepts(self, token):
        return self.status("/api/atlas/v2/orgs", {"Authorization": f"Bearer {token}", "Accept": "application/vnd.atlas.2024-08-05+json"}) == 200

    def end(self, token):
        """Revokes the token directly at the emulator."""
        pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        body = urllib.parse.urlencode({"token": token}).encode()
        must(self.status("/api/oauth/revoke", {"Authorization": f"Basic {pair}"}, body) == 200, "the emulator does not revoke")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)


class Scene:
    """A directory, a home and a cache for one recipe."""

    def __init__(self, work, emulator, curl):
        self.work, self.emulator = work, emulator
        self.tools = Tools(work / "tools", curl)
        for name in ("home", "here"):
            (work / name).mkdir()
        self.path = f"{work}/tools:{DIST}/bin:{os.environ['PATH']}"

    def bare(self, **more):
        """The minimal environment of a program that the system starts."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.work / "home"), **more}

    def account(self, **more):
        return {**self.bare(PATH=self.path), **self.emulator.variables, **more}

    def shell(self, script, environment=None, shell=("bash", "-e", "-c"), code=0):
        done = subprocess.run(
            [*shell, script], env=environment or self.account(), cwd=self.work / "here", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S
        )
        must((done.returncode == 0) == (code == 0), f"ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def secret_file(self, *names, mode=0o600):
        file = self.work.joinpath(*names)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.emulator.secret)
        file.chmod(mode)
        return file

    def adapted(self, text, **stand_ins):
        """Returns the recipe with its placeholders replaced. Each placeholder must exist."""
        for original, replacement in stand_ins.items():
            must(original in text, f"the recipe does not contain {original}: {text}")
            text = text.replace(original, str(replacement))
        return text

    def check_calls(self, *names):
        """Checks that exactly these tools were started, with a valid token but without the secret in their environment,
        and with neither in an argument."""
        calls = self.tools.calls()
        for call in calls:
            words = " ".join(call["arguments"])
            must(not re.search(TOKEN, words) and self.emulator.secret not in words, f"{call['tool']} has a token or the secret in its arguments")
        must([call["tool"] for call in calls] == list(names), f"expected the start of {names}, got {[call['tool'] for call in calls]}")
        for call in calls:
            variables = call["environment"]
            if call["tool"] != "curl":
                must(self.emulator.accepts(variables.get("MONGODB_ATLAS_ACCESS_TOKEN", "")), f"{call['tool']} has no valid token")
                must(self.emulator.secret not in variables.values(), f"{call['tool']} has the secret")
        return calls

    def check_nothing_is_started_without_a_token(self, script, environment=None, shell=("bash", "-e", "-c")):
        refused = {**(environment or self.account()), "MONGODB_ATLAS_CLIENT_SECRET": WRONG_SECRET, "TOKENWELL_CACHE": "off"}
        self.shell(script, refused, shell, code=4)
        must(not self.tools.calls(), "a tool was started without a token")

    @contextlib.contextmanager
    def running(self, command, environment):
        """Runs a program that must exit successfully after SIGTERM."""
        with open(self.work / "log", "wb") as log:
            process = subprocess.Popen(command, env=environment, cwd=self.work, stdin=subprocess.DEVNULL, stderr=log)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            must(process.wait(PATIENCE_S) == 0, f"ended with {process.returncode} after SIGTERM")
        finally:
            process.kill()
            process.wait()

    def until_written(self, process, file):
        deadline = time.monotonic() + PATIENCE_S
        while not (file.exists() and file.stat().st_size):
            must(process.poll() is None, f"ended with {process.returncode}: {(self.work / 'log').read_text()}")
            must(time.monotonic() < deadline, f"{file} is not written")
            time.sleep(0.01)


# ---- the shell ----


def start_of_the_emulator(scene, text):
    environment = scene.bare(PATH=os.environ["PATH"])
    packages = scene.work / "packages"
    built = subprocess.run(["sh", ROOT / "packaging" / "c_packages.sh", DIST, packages, "archive"], capture_output=True, text=True)
    must(built.returncode == 0, f"the archive was not built: {built.stderr}")
    text = scene.adapted(text, **{"/path/to/tokenwell/dist/packages": packages})
    told = scene.shell(text + "tokenwell token || failed=1\nkill $TOKENWELL_EMULATOR_PID\n[ -z \"${failed:-}\" ]", environment, shell=("sh", "-e", "-c"))
    must(re.search(TOKEN, told), f"no token: {told}")


def curl(scene, text):
    if "https://cloud.mongodb.com/" in text:
        text = text.replace("https://cloud.mongodb.com/", scene.emulator.url + "/")
    calls = text.count("| curl")
    answers = scene.shell("set -o pipefail\n" + text)
    must(answers.count('"results"') == calls + text.count("tokenwell api"), f"not an answer for each call: {answers}")
    scene.check_calls(*["curl"] * calls)
    # With pipefail it fails without a token.
    scene.shell("set -o pipefail\n" + text, scene.account(MONGODB_ATLAS_CLIENT_SECRET=WRONG_SECRET, TOKENWELL_CACHE="off"), code=4)
    scene.tools.calls()


def api(scene, text):
    must('"results"' in scene.shell(text), "no answer")


def api_parts(scene, text):
    told = scene.shell(text)
    must(re.search(r"^[0-9a-f]{24}\t\S", told, re.MULTILINE), f"no id with a name: {told}")
    must("results" not in told, f"not filtered: {told}")


def after_a_401(scene, text):
    dead = scene.shell("tokenwell token").strip()
    scene.emulator.end(dead)
    text = scene.adapted(text, **{"https://cloud.mongodb.com": scene.emulator.url})

    told = scene.shell(text + 'echo "$status $token"').split()

    must(told[0] == "401", f"expected a 401 from the server: {told[0]}")
    must(told[1] != dead and scene.emulator.accepts(told[1]), "there is no new token")
    scene.check_calls("curl")


def sources_of_the_secret(scene, text):
    given = scene.secret_file("here", "secret.txt")
    mounted = scene.secret_file("mounted", "atlas")
    text = scene.adapted(text, **{"mdb_sa_id_…": scene.emulator.client_id, "SECRET=…": f"SECRET={scene.emulator.secret}", "/run/secrets/atlas": mounted})
    environment = {**scene.bare(PATH=scene.path), "MONGODB_ATLAS_BASE_URL": scene.emulator.url}
    exports, from_file, from_stdin, login = text.splitlines()
    must(given.name in from_stdin, "the recipe does not read the secret from secret.txt")
    for line in (f"{exports}\ntokenwell token", f"{from_file}\ntokenwell token", from_stdin):
        token = scene.shell(line, environment).strip()
        must(scene.emulator.accepts(token), f"no token: {line}")

    terminal = Terminal(["sh", "-c", login], environment, scene.work / "here")
    try:
        terminal.answer(b"Client secret", scene.emulator.secret)
    finally:
        ended = terminal.end()
    must(ended == 0 and re.search(TOKEN.encode(), terminal.shown), f"no token of the profile: {terminal.shown}")


def without_a_token_no_job(scene, text):
    (scene.work / "here" / "job").symlink_to(scene.work / "tools" / "job")
    told = scene.shell(text + 'printf "%s\\n" "$token" "$MONGODB_ATLAS_ACCESS_TOKEN"', shell=("sh", "-c")).split()
    must(len(told) == 2 and all(scene.emulator.accepts(token) for token in told), f"no tokens: {told}")
    scene.check_calls("job")
    for line in text.splitlines():
        # The next line is not reached, and the shell exits with the exit code of the command.
        refused = scene.account(MONGODB_ATLAS_CLIENT_SECRET=WRONG_SECRET, TOKENWELL_CACHE="off")
        told = scene.shell(line + ("\necho reached" if "||" in line else ""), refused, shell=("sh", "-c"), code=4)
        must(told == "", f"continues without a token: {line}")
    must(not scene.tools.calls(), "the job was started without a token")


# ---- programs that get the token ----


def terraform(scene, text):
    scene.shell(text)
    (call,) = scene.check_calls("terraform")
    must(call["arguments"] == ["apply"] and "MONGODB_ATLAS_CLIENT_ID" not in call["environment"], "the client id remains in the environment without its secret")
    scene.check_nothing_is_started_without_a_token(text)


def docker(scene, text):
    for line in text.splitlines():
        scene.shell(line)
        (call,) = scene.check_calls("docker")
        token = call["environment"]["MONGODB_ATLAS_ACCESS_TOKEN"]
        if call["arguments"][0] == "build":
            must((scene.tools.secrets / "atlas").read_text() == token, "the build has no secret")
        else:
            must("--env MONGODB_ATLAS_ACCESS_TOKEN " in " ".join(call["arguments"]), "the container does not get the variable")
        scene.check_nothing_is_started_without_a_token(line)


def dockerfile(scene, text):
    name, command = readers.dockerfile_command(text)
    token = scene.shell("tokenwell token").strip()
    (scene.tools.secrets / name).write_text(token)
    call = f"--header 'Accept: application/vnd.atlas.2024-08-05+json' {scene.emulator.url}/api/atlas/v2/orgs"
    command = scene.adapted(command, **{f"/run/secrets/{name}": scene.tools.secrets / name, "https://…": call})
    # The build has no credential.
    must('"results"' in scene.shell(command, scene.bare(PATH=scene.path), shell=("sh", "-c")), "no answer")
    scene.check_calls("curl")


# ---- CI ----


def github(scene, text):
    values = {"vars": {"ATLAS_CLIENT_ID": scene.emulator.client_id}, "secrets": {"ATLAS_CLIENT_SECRET": scene.emulator.secret}}
    (get, given), (use, nothing) = readers.github_steps(text)
    must(not nothing, "the second step sets an environment")
    variables = scene.work / "github-env"
    variables.touch()
    runner = {**scene.bare(PATH=scene.path), "MONGODB_ATLAS_BASE_URL": scene.emulator.url, "GITHUB_ENV": str(variables)}
    first = {**runner, **{name: values[kind][value] for name, (kind, value) in given.items()}}

    # The mask comes first: if it cannot be printed, the token is not written.
    with open("/dev/full", "w") as full:
        done = subprocess.run(["bash", "-e", "-c", get], env=first, stdout=full, stderr=subprocess.DEVNULL, timeout=PATIENCE_S)
    must(done.returncode != 0 and variables.read_text() == "", "the token was written before its mask")

    log = scene.shell(get, first)
    written = readers.github_variables(variables.read_text())
    token = written["MONGODB_ATLAS_ACCESS_TOKEN"]
    must(log.splitlines()[0] == f"::add-mask::{token}" and log.count(token) == 1, "the token must be in the log exactly once, as a mask")
    scene.shell(use, {**runner, **written})
    (call,) = scene.check_calls("terraform")
    must(call["environment"]["MONGODB_ATLAS_ACCESS_TOKEN"] == token and "MONGODB_ATLAS_CLIENT_ID" not in call["environment"], "the step has another environment")


def gitlab_job(scene, text):
    script = "set -eo pipefail\n" + "\n".join(readers.gitlab_script(text))
    scene.shell(script)
    (call,) = scene.check_calls("terraform")
    must(call["arguments"] == ["plan"], "the job is another one")
    scene.check_nothing_is_started_without_a_token(script)


def gitlab_report(scene, text):
    log = scene.shell("set -eo pipefail\n" + "\n".join(readers.gitlab_script(text)))
    must(log == "", f"something is in the log: {log}")
    later = readers.dotenv((scene.work / "here" / readers.gitlab_report(text)).read_text())
    must(later.pop("MONGODB_ATLAS_BASE_URL", None) == scene.emulator.url, "later jobs use another server than that of the token")
    must(list(later) == ["MONGODB_ATLAS_ACCESS_TOKEN"] and scene.emulator.accepts(later["MONGODB_ATLAS_ACCESS_TOKEN"]), "later jobs have no token")


# ---- what starts programs on a host ----


def cron(scene, text):
    home = scene.work / "home"
    (home / "bin").mkdir()
    (home / "bin" / "report").symlink_to(scene.work / "tools" / "report")
    scene.secret_file("home", ".atlas-secret")
    # The environment of cron has no base URL, but a profile without an account can set it.
    (home / ".config" / "tokenwell").mkdir(parents=True)
    (home / ".config" / "tokenwell" / "config.toml").write_text(f'[default]\nbase_url = "{scene.emulator.url}"\n')
    command = scene.adapted(readers.cron_command(text), **{"mdb_sa_id_…": scene.emulator.client_id, "/usr/local/bin/tokenwell": TOKENWELL})

    scene.shell(command, scene.bare(LOGNAME="somebody", SHELL="/bin/sh"), shell=("/bin/sh", "-c"))

    scene.check_calls("report")


def systemd(scene, text):
    service, environment, specifiers = started_by_systemd(scene, text)
    command = readers.systemd_command(service, specifiers)
    scene.shell("exec " + " ".join(command), environment, shell=("/bin/sh", "-c"))
    (call,) = scene.check_calls("report")
    # The service has no home: without this directory each start would request a new token.
    cache = call["environment"].get("TOKENWELL_CACHE_DIR", "")
    must(cache.startswith(specifiers["C"]) and list(pathlib.Path(cache).glob("*.token")), "the service has no private cache")


def systemd_sink(scene, text):
    """Runs the lines of this block together with the account lines of the service above it."""
    above = next(block.text for block in blocks(ROOT / "docs" / "cli.md") if block.name == "cli.md: systemd")
    account = "".join(line + "\n" for line in above.splitlines() if "atlas-secret" in line or "CLIENT_ID" in line)
    service, environment, specifiers = started_by_systemd(scene, account + text)
    command = readers.systemd_command(service, specifiers)
    file = pathlib.Path(command[-1])
    must(service["Type"] == ["notify"], "the service does not tell when it is ready")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(scene.work / "notify"))
    manager.settimeout(PATIENCE_S)
    # Shorter than that of the unit: a sign of life comes at half of this time.
    environment |= {"NOTIFY_SOCKET": str(scene.work / "notify"), "WATCHDOG_USEC": "200000"}
    with manager, scene.running(command, environment) as sink:
        wait_for_message(manager, "READY=1")
        first = file.read_text()
        must(scene.emulator.accepts(first), "no valid token in the file")
        must(file.stat().st_mode & 0o777 == 0o640, f"mode {file.stat().st_mode & 0o777:o}")
        wait_for_message(manager, "WATCHDOG=1")
        (reload,) = service["ExecReload"]
        subprocess.run(shlex.split(reload.replace("$MAINPID", str(sink.pid))), check=True)
        wait_for_message(manager, "RELOADING=1")
        wait_for_message(manager, "READY=1")
        must(file.read_text() != first and scene.emulator.accepts(file.read_text()), "a reload does not renew the token")


def wait_for_message(manager, expected):
    """Waits until the service reports what systemd expects."""
    while expected not in manager.recv(4096).decode().splitlines():
        pass


def started_by_systemd(scene, text):
    """Does what systemd does before ExecStart."""
    given = scene.secret_file("etc", "atlas-secret")
    text = text.replace("/usr/local/bin/report", str(scene.work / "tools" / "report"))
    text = scene.adapted(text, **{"mdb_sa_id_…": scene.emulator.client_id, "/usr/local/bin/tokenwell": TOKENWELL, "/etc/tokenwell/atlas-secret": given})
    service = readers.systemd_service(text)
    folders = {"d": "credentials", "t": "runtime", "C": "cache"}
    specifiers = {letter: str(scene.work / folder) for letter, folder in folders.items()}
    for folder in folders.values():
        (scene.work / folder).mkdir()
    for line in service["LoadCredential"]:
        name, path = line.split(":", 1)
        copy = scene.work / "credentials" / name
        copy.write_bytes(pathlib.Path(path).read_bytes())
        copy.chmod(0o400)
    for kind, parent in (("Cache", "cache"), ("Runtime", "runtime")):
        for name in service[f"{kind}Directory"]:
            made = scene.work / parent / name
            made.mkdir()
            made.chmod(int(service[f"{kind}DirectoryMode"][0], 8))
    # A service without User= has no HOME.
    environment = {"PATH": "/usr/bin:/bin", "TOKENWELL_BASE_URL": scene.emulator.url, **readers.systemd_environment(service, specifiers)}
    return service, environment, specifiers


def kubernetes(scene, text):
    arguments, environment, mounts, probe = readers.sidecar(text)
    inside = {path: scene.work / name for name, path in mounts.items()}
    for folder in inside.values():
        folder.mkdir()
    scene.secret_file("secret", "client-secret", mode=0o440)

    def outside(word):
        for path, folder in inside.items():
            word = re.sub(f"^{path}(?=/|$)", str(folder), word)
        return word

    environment = {name: outside(value) for name, value in environment.items()}
    environment["TOKENWELL_CLIENT_ID"] = scene.adapted(environment["TOKENWELL_CLIENT_ID"], **{"mdb_sa_id_…": scene.emulator.client_id})
    environment |= {"PATH": "/usr/bin:/bin", "TOKENWELL_BASE_URL": scene.emulator.url}
    arguments = [outside(word) for word in arguments]
    file = pathlib.Path(arguments[-1])
    with scene.running([TOKENWELL, *arguments], environment) as container:
        scene.until_written(container, file)
        if probe:
            scene.shell(" ".join(map(outside, probe)), scene.bare())
        must(scene.emulator.accepts(file.read_text()), "no valid token in the file")
        must(file.stat().st_mode & 0o777 == 0o640, f"mode {file.stat().st_mode & 0o777:o}")
    must(file.exists() == ("--remove-on-exit" not in arguments), "the file was not handled as --remove-on-exit requires")


HELLO = "tests/readme.sh runs it"
# For each block: the function that runs it, or the reason why it is not run.
RECIPES = {
    "README.md: tokenwell": "it builds everything and runs every test, this one too; .ci/run runs both lines",
    "README.md: Get a token": start_of_the_emulator,
    "README.md: Shell": HELLO,
    "README.md: Python": HELLO,
    "README.md: C": HELLO,
    "README.md: Go": HELLO,
    "README.md: Node": HELLO,
    "README.md: curl": curl,
    "README.md: Terraform": terraform,
    "README.md: GitHub Actions": github,
    "README.md: GitLab CI": gitlab_job,
    "README.md: docker build": docker,
    "README.md: cron": cron,
    "README.md: systemd": systemd,
    "README.md: Kubernetes": kubernetes,
    "cli.md: Account": sources_of_the_secret,
    "cli.md: Account #2": without_a_token_no_job,
    "cli.md: curl": curl,
    "cli.md: curl #2": api,
    "cli.md: A script that handles a 401": after_a_401,
    "cli.md: Terraform": terraform,
    "cli.md: GitHub Actions": github,
    "cli.md: GitLab CI": gitlab_job,
    "cli.md: GitLab CI #2": gitlab_report,
    "cli.md: docker": docker,
    "cli.md: docker #2": dockerfile,
    "cli.md: cron": cron,
    "cli.md: systemd": systemd,
    "cli.md: systemd #2": systemd_sink,
    "cli.md: Kubernetes": kubernetes,
    "cli.md: The API in detail": api_parts,
}

# Wrong recipes, and the words of the error that must report each.
PLANTED = {
    "a token in an argument": (
        curl, "curl has a token",
        ": | curl --header \"Authorization: Bearer $(tokenwell token)\" --header 'Accept: application/vnd.atlas.2024-08-05+json' $MONGODB_ATLAS_BASE_URL/api/atlas/v2/orgs\n",
    ),
    "curl that continues without a token": (
        curl, "ended with 0", "tokenwell header | curl --header @- --header 'Accept: application/vnd.atlas.2024-08-05+json' $MONGODB_ATLAS_BASE_URL/api/atlas/v2/orgs || true\n"
    ),
    "the secret beside the token": (terraform, "terraform has the secret", "MONGODB_ATLAS_ACCESS_TOKEN=$(tokenwell token) terraform apply\n"),
    "a job without a token": (
        without_a_token_no_job, "ended with 0",
        "tokenwell exec -- ./job\nexport token=$(tokenwell token) MONGODB_ATLAS_ACCESS_TOKEN=$(tokenwell token)\n",
    ),
    "a build argument": (docker, "docker has a token", 'tokenwell exec -- sh -c \'docker build --build-arg "token=$MONGODB_ATLAS_ACCESS_TOKEN" .\'\n'),
    "no mask": (
        github, "before its mask",
        """- run: echo "MONGODB_ATLAS_ACCESS_TOKEN=$(tokenwell token)" >> "$GITHUB_ENV"; echo done
  env:
    MONGODB_ATLAS_CLIENT_ID: ${{ vars.ATLAS_CLIENT_ID }}
    MONGODB_ATLAS_CLIENT_SECRET: ${{ secrets.ATLAS_CLIENT_SECRET }}
- run: terraform plan
""",
    ),
    "a report that is also in the log": (
        gitlab_report, "is in the log", "token:\n  script:\n    - tokenwell env --shell gitlab | tee token.env\n  artifacts:\n    reports:\n      dotenv: token.env\n"
    ),
    "a secret under another name": (
        systemd, "ended with 3",
        """[Service]
LoadCredential=secret:/etc/tokenwell/atlas-secret
Environment=TOKENWELL_CLIENT_ID=mdb_sa_id_… TOKENWELL_CLIENT_SECRET_FILE=%d/atlas-secret
ExecStart=/usr/local/bin/tokenwell exec -- /usr/local/bin/report
""",
    ),
    "a file that the other container cannot read": (
        kubernetes, "mode 600",
        """initContainers:
  - name: atlas-token
    restartPolicy: Always
    args: [sink, /atlas/token]
    env:
      - {name: TOKENWELL_CLIENT_ID, value: mdb_sa_id_…}
      - {name: TOKENWELL_CLIENT_SECRET_FILE, value: /secret/client-secret}
    volumeMounts: [{name: token, mountPath: /atlas}, {name: secret, mountPath: /secret, readOnly: true}]
""",
    ),
    "% in a crontab": (cron, "replaces % with a newline", "0 * * * * TOKENWELL_CLIENT_ID=mdb_sa_id_… /usr/local/bin/tokenwell exec -- $HOME/bin/report --day $(date +%d)\n"),
}


def outcome(run, text, emulator, curl_program):
    """Returns the problem of the recipe, or None."""
    with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
        try:
            run(Scene(pathlib.Path(folder), emulator, curl_program), text)
        except (Problem, ValueError, AttributeError, KeyError, OSError, RuntimeError, subprocess.TimeoutExpired) as problem:
            return f"{type(problem).__name__}: {problem}"
    return None


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--stand-ins", action="store_true", help="use a stand-in for curl too")
    curl_program = None if options.parse_args().stand_ins else real_curl()
    if not shutil.which("bash"):
        sys.exit("recipes: bash is missing: CI systems run their scripts with it; install it")
    found = [block for page in (ROOT / "README.md", ROOT / "docs" / "cli.md") for block in blocks(page)]
    passed = failed = excused = 0

    def report(name, problem):
        nonlocal passed, failed
        print(f"FAILED {name}: {problem}" if problem else f"ok {name}", flush=True)
        passed, failed = passed + (not problem), failed + bool(problem)

    emulator = Emulator()
    try:
        for block in found:
            what = RECIPES.get(block.name, "")
            if isinstance(what, str) and what:
                print(f"not run {block.name}: {what}")
                excused += 1
            else:
                report(block.name, outcome(what, block.text, emulator, curl_program) if what else "this block is not run: add it to RECIPES")
        gone = sorted(set(RECIPES) - {block.name for block in found})
        report("every entry of RECIPES has its block", gone and f"missing: {gone}")
        for name, (run, words, text) in PLANTED.items():
            problem = outcome(run, text, emulator, curl_program) or "nothing"
            report(f"a planted mistake is found: {name}", words not in problem and f"the reported problem is {problem}")
    finally:
        emulator.stop()
    print(f"recipes: {passed} passed, {failed} failed, {excused} not run for the reasons given above")
    return failed > 0


sys.exit(main())
