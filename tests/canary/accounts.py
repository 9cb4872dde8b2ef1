"""The commands of service accounts: a new secret is only where its target is, also if a target fails."""

import json
import os
import pathlib

ORGANIZATION = "0e0000000000000000000001"
PROJECT = "0e0000000000000000000002"
LIST = f"/api/atlas/v2/orgs/{ORGANIZATION}/serviceAccounts"
KEEP = "stdin-of:sh -c 'cat >\"$0\"'"


def accounts(suite, program, emulator, url):
    environment = {**suite.environment(emulator, url), "XDG_CONFIG_HOME": suite.path("here", "sa-config"), "MONGODB_ATLAS_ORG_ID": ORGANIZATION}
    number = 0

    def own(name):
        path = suite.path("here", name)
        suite.own_files.add(path)
        return path

    def sa(name, *arguments, code=0, reveals=False, command=None, **more):
        done = suite.run(f"tokenwell sa {name}", command or [program, "sa", *arguments, "-vv"], {**environment, **more}, code)
        if reveals:
            suite.revealed[f"sa {name}"] = suite.outputs.pop(f"standard output of tokenwell sa {name}")
        return done.decode()

    def create(name, *targets, **more):
        nonlocal number
        number += 1
        return sa(f"create, {name}", "create", f"canary {number}", "--role", "ORG_READ_ONLY", *targets, **more)

    def file(name):
        return f"file:{own(name)}"

    create("to a file", "--to", file("sa-1"), "--json")
    create("to a profile", "--to", "profile:created")
    create("to a command", "--to", f"{KEEP} {own('sa-2')}")
    create("to a keyring", "--to", "keyring:created", code=None)
    for form in ("json:terraform", "json:aws-managed", "k8s-secret:canary"):
        create(f"to {form}", "--to", form, reveals=True)
    create("shown", "--show-secret", reveals=True)
    create("with an access list", "--to", file("sa-3"), "--access", "192.0.2.1")
    create("if it does not exist", "--to", file("sa-4"), "--if-absent")
    create("dry run", "--show-secret", "--dry-run")

    # What cannot be stored, at the first target and at the second one.
    failing = {
        "fails": "sh -c 'cat >/dev/null; exit 3'",
        "prints the secret": "sh -c 'cat; cat /proc/$$/cmdline /proc/$$/environ; exit 1'",
        "prints it and succeeds": "cat",
        "prints it in Base64": "base64",
        "prints it in pieces": "dd bs=1 status=none",
        "does not read": "true",
        "reads a part": "dd bs=1 count=20 of=/dev/null status=none",
        "is killed": "sh -c 'cat >/dev/null; kill -9 $$'",
        "hangs": "sh -c 'cat >/dev/null; sleep 600'",
    }
    for index, (name, line) in enumerate(failing.items()):
        short = ("--command-timeout", "300ms" if name == "hangs" else "60s")
        create(f"a command that {name}", "--to", f"stdin-of:{line}", *short, code=15)
        create(f"a command that {name}, and others", "--to", file(f"sa-failing-{index}"), "--to", f"stdin-of:{line}", "--json", *short, code=14)
    # Standard output that is full or closed.
    for name, to, code in (("full", ">/dev/full", 15), ("closed", ">&-", 10)):
        line = f"'{program}' sa create 'canary {name}' --role ORG_READ_ONLY --to json:terraform -vv {to}"
        sa(f"create, standard output is {name}", code=code, command=["sh", "-c", line])
    for name, target, code in (("missing", "file:/nowhere/x", 10), ("refused", f"file:{suite.path('here')}", 8), ("no such command", "stdin-of:nowhere-to-be-found", 2)):
        create(f"target {name}", "--to", target, code=code)

    # Lost replies and errors of the API.
    for name, fault, code in (
        ("the reply is lost", {"close": "mid_reply", "times": 1}, 0),
        ("the server fails", {"status": 500}, 5),
        ("the request is refused", {"status": 400, "body": {"error": 400, "errorCode": "BAD", "detail": "no"}}, 5),
        ("the reply is no JSON", {"status": 201, "body": "not JSON"}, 5),
    ):
        emulator.control("faults", [{"path": LIST, "method": "POST", **fault}])
        create(name, "--to", file(f"sa-{name.replace(' ', '-')}"), code=code)
    emulator.control("faults", [{"path": f"{LIST}/*", "method": "POST", "status": 500}])
    create("the access list fails", "--to", file("sa-5"), "--access", "192.0.2.1", code=15)
    emulator.control("faults", [])

    found = json.loads(sa("list as JSON", "list", "--json"))
    by_name = {account["name"]: account["clientId"] for account in found}
    account = by_name["canary 1"]
    sa("list", "list")
    for more in ([], ["--json"]):
        for command in (["show"], ["show", account], ["secret", "list", account], ["access", "list", account], ["projects", account]):
            sa(f"{' '.join(command[:2]).replace(account, 'of another')} {more}", *command, *more)
        sa(f"audit {more}", "audit", *more, code=12)
    sa("update", "update", account, "--name", "renamed", "--add-role", "ORG_MEMBER", "--json")
    sa("invite", "invite", account, "--project", PROJECT, "--role", "GROUP_READ_ONLY")
    sa("secret add", "secret", "add", account, "--to", file("sa-6"), "--to", f"{KEEP} {own('sa-7')}")
    sa("secret add, a third one", "secret", "add", account, "--to", file("sa-8"), code=8)
    secret = json.loads(sa("secrets", "secret", "list", account, "--json"))[0]["id"]
    sa("secret delete", "secret", "delete", account, secret, "--yes")
    sa("secret add, a command that prints it", "secret", "add", account, "--to", "stdin-of:cat", code=15)
    sa("access add", "access", "add", account, "192.0.2.9")
    sa("access delete", "access", "delete", account, "192.0.2.9", "--yes")
    sa("delete, dry run", "delete", account, "--dry-run")
    for name, each in by_name.items():
        if name.startswith("canary "):
            sa(f"delete {name}", "delete", each, "--yes")

    stored = pathlib.Path(suite.path("here", "sa-config", "tokenwell", "secrets"))
    kept = [stored / name for name in os.listdir(stored)]
    suite.own_files |= {str(path) for path in kept}
    suite.check("the profile has its secret in a file", len(kept) == 1, kept)
    suite.check("the secrets are where they were requested", all("mdb_sa_sk_" in pathlib.Path(own(name)).read_text() for name in ("sa-1", "sa-2", "sa-6", "sa-7")))
    suite.check("a result shows the secret if that was requested", all(b"mdb_sa_sk_" in out or b"clientSecret" in out for out in suite.revealed.values()))
