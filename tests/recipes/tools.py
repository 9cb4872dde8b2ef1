"""The programs that the recipes start. They are in a separate directory of PATH and record each start.

`curl` then runs the real curl if it is installed. The others are stand-ins: no Terraform run and no image build.
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

# As in docker: the secret comes from the named variable and becomes a file for the RUN that mounts it.
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
    elif word.startswith("-"): sys.exit(f"curl: {word} is not supported by this stand-in")
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
    """Programs in `folder`, which is the first directory in PATH."""

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
        """Returns the starts since the last call."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        new, self.started = lines[self.started :], len(lines)
        return [json.loads(line) for line in new]


def real_curl():
    """Returns the path of curl, or None if it is missing or too old for the recipes."""
    found = shutil.which("curl")
    known = found and subprocess.run([found, "--fail-with-body", "--version"], capture_output=True).returncode == 0
    return os.path.realpath(found) if known else None
