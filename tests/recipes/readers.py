"""Readers for the file formats of the systems in the recipes. They support only what the recipes use, and
report an error for the rest."""

import re
import shlex


def github_steps(text):
    """Returns (command, environment) of each step; `${{ vars.X }}` becomes ("vars", "X")."""
    steps = []
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        run = re.search(r"^ *run: (.+?)(?:  +#.*)?$", item, re.MULTILINE)
        given = re.findall(r"^ +(\w+): \$\{\{ (vars|secrets)\.(\w+) \}\}$", item, re.MULTILINE)
        steps.append((run.group(1), {name: (kind, value) for name, kind, value in given}))
        known = len(re.findall(r"^ *(?:name|run|env):", item, re.MULTILINE)) + len(given)
        must(known == len(item.strip().splitlines()), f"this reader does not support a part of the step: {item}")
    return steps


def github_variables(text):
    """Returns the variables that a step wrote to $GITHUB_ENV."""
    lines, variables = iter(text.splitlines()), {}
    for line in lines:
        if heredoc := re.fullmatch(r"(\w+)<<(\S+)", line):
            value = []
            while (part := next(lines)) != heredoc.group(2):
                value.append(part)
            variables[heredoc.group(1)] = "\n".join(value)
        else:
            name, equals, value = line.partition("=")
            must(equals, f"not a variable for GitHub: {line}")
            variables[name] = value
    return variables


def gitlab_script(text):
    """Returns the commands of the only job."""
    lines = text.splitlines()
    must(re.fullmatch(r"\w+:", lines[0]) and lines[1] == "  script:", "no job with a script")
    return [line[len("    - ") :] for line in lines if line.startswith("    - ")]


def gitlab_report(text):
    """Returns the name of the dotenv report."""
    return re.search(r"^ +dotenv: (\S+)$", text, re.MULTILINE).group(1)


def dotenv(text):
    """Reads a dotenv file as GitLab does: an unquoted name and value on each line."""
    pairs = [re.fullmatch(r"([A-Za-z_]\w*)=(.*)", line) for line in text.splitlines()]
    must(all(pairs), "a line is not an assignment")
    return {pair.group(1): pair.group(2) for pair in pairs}


def cron_command(text):
    """Returns the command of a crontab with one line."""
    entry = re.fullmatch(r"((?:[\d*/,-]+ ){5})(.+)\n", text)
    must(entry, "not a crontab with one line")
    must("%" not in entry.group(2), "cron replaces % with a newline")
    return entry.group(2)


SYSTEMD = (
    "Type", "WatchdogSec", "Restart", "DynamicUser", "LoadCredential", "Environment", "CacheDirectory", "CacheDirectoryMode",
    "RuntimeDirectory", "RuntimeDirectoryMode", "ExecStart", "ExecReload",
)


def systemd_service(text):
    """Returns {directive: [values]} of a [Service]."""
    service = {name: [] for name in SYSTEMD}
    for line in text.splitlines():
        if line == "[Service]":
            continue
        name, _, value = line.partition("=")
        must(name in service, f"this reader does not support the directive: {line}")
        service[name].append(value)
    return service


def systemd_environment(service, specifiers):
    return dict(word.split("=", 1) for line in service["Environment"] for word in shlex.split(expanded(line, specifiers)))


def systemd_command(service, specifiers):
    (line,) = service["ExecStart"]
    return shlex.split(expanded(line, specifiers))


def expanded(line, specifiers):
    return re.sub(r"%(.)", lambda found: specifiers[found.group(1)], line)


def sidecar(text):
    """Returns (arguments, environment, mounts, startup probe or None) of the sidecar container."""
    container = re.split(r"^ *containers:", text, flags=re.MULTILINE)[0]
    must(re.search(r"^ +restartPolicy: Always\b", container, re.MULTILINE), "the container is not a sidecar")
    arguments = flow_list(re.search(r"^ +args: (\[.+\])$", container, re.MULTILINE).group(1))
    environment = dict(re.findall(r"\{name: (\w+), value: ([^},]+)\}", container))
    mounts = dict(re.findall(r"\{name: (\w+), mountPath: ([^},]+)[,}]", container))
    probe = re.search(r"exec: \{command: (\[.+\])\}", container)
    return arguments, environment, mounts, flow_list(probe.group(1)) if probe else None


def flow_list(text):
    return [word.strip().strip('"') for word in text.strip("[]").split(",")]


def dockerfile_command(text):
    """Returns the id of the mounted secret and the shell command of the only RUN."""
    instruction = re.fullmatch(r"RUN --mount=type=secret,id=(\w+) \\\n(.+)\n", text, re.DOTALL)
    must(instruction, "no RUN with a secret")
    return instruction.group(1), instruction.group(2).strip()


def must(fine, problem):
    if not fine:
        raise ValueError(problem)
