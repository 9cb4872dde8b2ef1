"""Reads the transcripts of a page: what is typed after `$ `, and the output that must follow."""

import dataclasses
import re


class PageError(Exception):
    """A page has no transcript that can be run."""


@dataclasses.dataclass(frozen=True)
class Step:
    command: str
    expected: list
    code: int


def steps(path):
    """Returns the commands of all blocks ```console. `exit=N` after that word is the exit code of the last command of
    the block; the others exit with 0. A line that begins with `> ` continues a command."""
    found, block, code = [], None, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        opened = re.fullmatch(r"```console(?: exit=(\d+))?", line)
        if block is None and opened:
            block, code = [], int(opened.group(1) or 0)
        elif block is not None and line == "```":
            found += of_block(path, block, code)
            block = None
        elif block is not None:
            block.append(line)
    if block is not None:
        raise PageError(f"{path.name}: a block is not closed")
    if not found:
        raise PageError(f"{path.name}: there is no block that begins with ```console")
    return found


def of_block(path, lines, code):
    commands = []
    for line in lines:
        if line.startswith("$ "):
            commands.append([line[2:], []])
        elif not commands:
            raise PageError(f"{path.name}: a block begins with `{line}`, which is no command: begin it with `$ `")
        elif line.startswith("> ") and not commands[-1][1]:
            commands[-1][0] += "\n" + line[2:]
        else:
            commands[-1][1].append(line)
    last = len(commands) - 1
    return [Step(command, expected, code if number == last else 0) for number, (command, expected) in enumerate(commands)]


def difference(expected, told):
    """Returns what differs, or None. `…` stands for anything within a line, and a line `…` for any lines."""
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n" for line in expected)
    text = "".join(line.rstrip() + "\n" for line in told.splitlines())
    if re.fullmatch(pattern, text):
        return None
    return "expected:\n" + "\n".join(expected) + "\nbut the output is:\n" + text
