"""What each of the systems that the recipes are for takes out of its file: as much of that as the recipes use, and an error for the rest."""

import re
import shlex


def github_steps(text):
    """(command, environment) of each step; `${{ vars.X }}` stands as ("vars", "X")."""
    steps = []
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        run = re.search(r"^ *run: (.+?)(?:  +#.*)?$", item, re.MULTILINE)
        given = re.findall(r"^ +(\w+): \$\{\{ (vars|secrets)\.(\w+) \}\}$", item, re.MULTILINE)
        steps.append((run.group(1), {name: (kind, value) for name, kind, value in given}))
        known = len(re.findall(r"^ *(?:name|run|env):", item, re.MULTILINE)) + len(given)
        must(known == len(item.strip().splitlines()), f"a step has what this reader does not know: {item}")
    return steps


def github_variables(text):
    """What a step has written to $GITHUB_ENV."""
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
    """The commands of the one job."""
    lines = text.splitlines()
    must(re.fullmatch(r"\w+:", lines[0]) and lines[1] == "  script:", "no job with a script")
    return [line[len("    - ") :] for line in lines if line.startswith("    - ")]


def gitlab_report(text):
    """The name of the dotenv report."""
    return re.search(r"^ +dotenv: (\S+)$", text, re.MULTILINE).group(1)


def dotenv(text):
    """As GitLab reads it: a name and a value on each line, nothing quoted."""
    pairs = [re.fullmatch(r"([A-Za-z_]\w*)=(.*)", line) for line in text.splitlines()]
    must(all(pairs), "a line is no assignment")
    return {pair.group(1): pair.group(2) for pair in pairs}


def cron_command(text):
    """The command of the one line of a crontab."""
    entry = re.fullmatch(r"((?:[\d*/,-]+ ){5})(.+)\n", text)
    must(entry, "not one line of a crontab")
    must("%" not in entry.group(2), "cron makes a line break of %")
    return entry.group(2)


SYSTEMD = ("DynamicUser", "LoadCredential", "Environment", "CacheDirectory", "CacheDirectoryMode", "RuntimeDirectory", "RuntimeDirectoryMode", "ExecStart")


def systemd_service(text):
    """{directive: [values]} of a [Service]."""
    service = {name: [] for name in SYSTEMD}
    for line in text.splitlines():
        if line == "[Service]":
            continue
        name, _, value = line.partition("=")
        must(name in service, f"a directive that this reader does not know: {line}")
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
    """(arguments, environment, mounts, startup probe or None) of the container that is kept running beside the others."""
    container = re.split(r"^ *containers:", text, flags=re.MULTILINE)[0]
    must(re.search(r"^ +restartPolicy: Always\b", container, re.MULTILINE), "the container is no sidecar")
    arguments = flow_list(re.search(r"^ +args: (\[.+\])$", container, re.MULTILINE).group(1))
    environment = dict(re.findall(r"\{name: (\w+), value: ([^},]+)\}", container))
    mounts = dict(re.findall(r"\{name: (\w+), mountPath: ([^},]+)[,}]", container))
    probe = re.search(r"exec: \{command: (\[.+\])\}", container)
    return arguments, environment, mounts, flow_list(probe.group(1)) if probe else None


def flow_list(text):
    return [word.strip().strip('"') for word in text.strip("[]").split(",")]


def dockerfile_command(text):
    """The shell command of the one RUN, and the id of the secret that it mounts."""
    instruction = re.fullmatch(r"RUN --mount=type=secret,id=(\w+) \\\n(.+)\n", text, re.DOTALL)
    must(instruction, "no RUN with a secret")
    return instruction.group(1), instruction.group(2).strip()


def must(fine, problem):
    if not fine:
        raise ValueError(problem)
