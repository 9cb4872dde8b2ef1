"""The programs that the recipes start: on a path of their own, they write down how they were started.

`curl` goes on as the real one where that is installed. The others are stand-ins: no Terraform plans and no image is built here.
"""

import json
import os
import shutil
import subprocess
import sys

RECORD = """#!{python}
import json, os, sys
with open({seen!r}, "a") as file:
    print(json.dumps({{"tool": {name!r}, "arguments": sys.argv[1:], "environment": dict(os.environ)}}), file=file)
{then}
"""

# As docker does it: the secret comes from the variable that is named, and is a file for the RUN that mounts it.
DOCKER = """
options = dict(part.split("=", 1) for argument, value in zip(sys.argv, sys.argv[1:]) if argument == "--secret" for part in value.split(","))
if "id" in options:
    with open(os.path.join({folder!r}, options["id"]), "w") as file:
        file.write(os.environ[options["env"]])
"""

# The part of curl that the recipes use.
CURL = """
import re, urllib.error, urllib.request
words, headers, fail, output, form, url = iter(sys.argv[1:]), {}, False, None, "", None
def add(line):
    name, _, value = line.strip().partition(": ")
    headers[name] = value
for word in words:
    if word == "--fail-with-body": fail = True
    elif word == "--silent": pass
    elif word == "--output": output = next(words)
    elif word == "--write-out": form = next(words)
    elif word == "--config":
        assert next(words) == "-"
        for line in sys.stdin: add(re.fullmatch(r'header = "(.*)"', line.strip()).group(1))
    elif word == "--header":
        value = next(words)
        for line in sys.stdin if value == "@-" else [value]: add(line)
    elif word.startswith("-"): sys.exit(f"curl: {word} is not known to this stand-in")
    else: url = word
try:
    reply = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(urllib.request.Request(url, headers=headers), timeout=60)
except urllib.error.HTTPError as refusal:
    reply = refusal
body = reply.read()
if output: open(output, "wb").write(body)
else: sys.stdout.buffer.write(body)
sys.stdout.write(form.replace("%{http_code}", str(reply.status)))
sys.exit(22 if fail and reply.status >= 400 else 0)
"""


class Tools:
    """In `folder`, which goes to the front of PATH."""

    def __init__(self, folder, real_curl):
        self.folder, self.seen, self.secrets = folder, folder / "seen", folder / "secrets"
        self.secrets.mkdir(parents=True)
        for name in ("terraform", "report", "job"):
            self.make(name)
        self.make("docker", DOCKER.format(folder=str(self.secrets)))
        self.make("curl", f"os.execv({real_curl!r}, ['curl', *sys.argv[1:]])" if real_curl else CURL)
        self.started = 0

    def make(self, name, then=""):
        program = self.folder / name
        program.write_text(RECORD.format(python=sys.executable, seen=str(self.seen), name=name, then=then))
        program.chmod(0o755)

    def calls(self):
        """What was started since the last question."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        new, self.started = lines[self.started :], len(lines)
        return [json.loads(line) for line in new]


def real_curl():
    """None where there is none, or one that is too old to know what the recipes ask of it."""
    found = shutil.which("curl")
    known = found and subprocess.run([found, "--fail-with-body", "--version"], capture_output=True).returncode == 0
    return os.path.realpath(found) if known else None
