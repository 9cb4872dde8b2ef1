"""The secret from each source that `run` does not cover: profile files, other families of variables and the
terminal.

A message about a source must not quote its content.
"""

import os
import pathlib

from terminal import Terminal

PROMPT = b"Client secret"


def sources(suite, program, emulator, url, wrong):
    account = {"MONGODB_ATLAS_CLIENT_ID": "", "MONGODB_ATLAS_CLIENT_SECRET": "", "MONGODB_ATLAS_BASE_URL": ""}

    def tokenwell(name, *arguments, code=0, answer=False, **more):
        return suite.run(f"tokenwell {name}", [program, *arguments, "-vv"], suite.environment(emulator, url, **{**account, **more}), code, answer=answer)

    def configured(name, owner, text, mode=0o600):
        """Writes a configuration file, which may contain a secret, and returns the variables that select it."""
        folder = pathlib.Path(suite.path("here", name, owner))
        folder.mkdir(parents=True)
        file = folder / "config.toml"
        file.write_text(text)
        file.chmod(mode)
        suite.own_files.add(str(file))
        return {"XDG_CONFIG_HOME": str(folder.parent), "TOKENWELL_CACHE_DIR": suite.path("cache", name)}

    def everything(name, **where):
        tokenwell(f"token, {name}", "token", answer=True, **where)
        for command in (["status"], ["status", "--json"], ["doctor", "--mint"], ["cache", "list"], ["cache", "clear"]):
            tokenwell(f"{' '.join(command)}, {name}", *command, **where)

    ours = f'[default]\nclient_id = "{emulator.client_id}"\nbase_url = "{url}"\nclient_secret = "{emulator.secret}"\n'
    everything("secret in config.toml", **configured("inline", "tokenwell", ours))
    theirs = f'[default]\nauth_type = "service_account"\nclient_id = "{emulator.client_id}"\nclient_secret = "{emulator.secret}"\nops_manager_url = "{url}"\n'
    everything("profile of the Atlas CLI", **configured("atlascli", "atlascli", theirs))
    everything(
        "MCLI variables", MCLI_CLIENT_ID=emulator.client_id, MCLI_CLIENT_SECRET=emulator.secret, MCLI_OPS_MANAGER_URL=url, TOKENWELL_CACHE_DIR=suite.path("cache", "mcli")
    )

    # The error about a source must not quote its content.
    mistakes = {
        "readable by others": (8, ours, 0o644),
        "cut off in the secret": (2, ours[:-3], 0o600),
        "no string": (2, ours.replace(f'"{emulator.secret}"', f'["{emulator.secret}"]'), 0o600),
        "unknown key beside it": (2, ours.replace("client_secret", "secret"), 0o600),
        "the secret as a key": (2, ours + f'"{emulator.secret}" = 1\n', 0o600),
        "twice": (2, ours + f'client_secret = "{wrong}"\n', 0o600),
        "with a line break": (2, ours.replace(emulator.secret, f"{emulator.secret}\\nmore"), 0o600),
    }
    for name, (code, text, mode) in mistakes.items():
        where = configured(name.replace(" ", "-"), "tokenwell", text, mode)
        for command in ("token", "status", "doctor"):
            tokenwell(f"{command}, config.toml {name}", command, code=code, **where)
    key = f'[default]\nauth_type = "api_keys"\npublic_api_key = "abcdefgh"\nprivate_api_key = "{wrong}"\n'.replace("\\", "\\\\").replace('g "q', 'g \\"q')
    tokenwell("token, an API key in the profile of the Atlas CLI", "token", code=3, **configured("api-key", "atlascli", key))
    static = suite.run("a token that is set", [program, "token"], suite.environment(emulator, url), 0, answer=True).decode().strip()
    tokenwell("token, only a static token is set", "token", code=3, MONGODB_ATLAS_ACCESS_TOKEN=static, XDG_CONFIG_HOME=suite.path("here"))
    tokenwell("half a pair of MCLI", "token", code=3, MCLI_CLIENT_SECRET=emulator.secret, XDG_CONFIG_HOME=suite.path("here"))

    terminals(suite, program, emulator, url, wrong, {**suite.environment(emulator, url), **account})
    farewells(suite, program, emulator, url, account)


def terminals(suite, program, emulator, url, wrong, environment):
    """Types the secret at the prompt of `login`."""
    for profile, secret, code in (("terminal", emulator.secret, 0), ("typed-in", emulator.secret, 0), ("mistyped", wrong, 4)):
        command = [program, "login", "--profile", profile, "--client-id", emulator.client_id, "--base-url", url, "-vv"]
        seen, ended = typed(suite, f"login, {profile}", command, environment, PROMPT, secret)
        suite.check(f"login on a terminal, {profile}", ended == code, f"exit code {ended} and not {code}: {suite.shown(seen)}")


def typed(suite, name, command, environment, question, text):
    terminal = Terminal(command, environment, suite.path("here"))
    try:
        terminal.answer(question, text)
    finally:
        ended = terminal.end()
    suite.outputs[f"the terminal of {name}"] = terminal.shown
    return terminal.shown, ended


def farewells(suite, program, emulator, url, account):
    """Runs `logout` with success, with a failing server and without a profile. Afterwards no file contains
    the secret."""

    def logout(name, *arguments, code=0):
        suite.run(f"tokenwell logout, {name}", [program, "logout", *arguments, "-vv"], suite.environment(emulator, url, **account), code)

    profiles = ("canary", "terminal", "typed-in")
    for profile in profiles:
        suite.run(f"a token of {profile}", [program, "token", "--profile", profile], suite.environment(emulator, url, **account), 0, answer=True)
    refusal = {"error": "invalid_request", "error_description": f"you sent {emulator.secret}"}
    emulator.control("faults", [{"path": "/api/oauth/revoke", "status": 400, "body": refusal}])
    logout("the server refuses the revocation", "--profile", "canary", "--revoke", code=4)
    emulator.control("faults", [])
    # It kept the profile, so that the command can be repeated.
    logout("once more", "--profile", "canary", "--revoke")
    logout("with revocation", "--profile", "terminal", "--revoke")
    logout("without revocation", "--profile", "typed-in")
    logout("no such profile", "--profile", "nobody", code=3)
    secrets = suite.path("config", "tokenwell", "secrets")
    left = sorted(os.listdir(secrets)) if os.path.isdir(secrets) else []
    suite.check("logout leaves no secret behind", not left, left)
