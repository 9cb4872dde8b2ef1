"""The code blocks of the project's documents, each with a name made of what stands above it."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Block:
    name: str
    text: str


def blocks(path):
    """Every fenced block of the document. Several under one heading are told apart by #2, #3 …"""
    found, counts, heading, fence = [], {}, "", None
    for line in path.read_text().splitlines():
        if fence is None and line.startswith("```"):
            fence = []
        elif fence is not None and line == "```":
            counts[heading] = counts.get(heading, 0) + 1
            number = "" if counts[heading] == 1 else f" #{counts[heading]}"
            found.append(Block(f"{path.name}: {heading}{number}", "\n".join(fence) + "\n"))
            fence = None
        elif fence is not None:
            fence.append(line)
        elif title := re.match(r"#+ (.+)|\*\*(.+?)\*\*", line):
            heading = title.group(1) or title.group(2)
    return found
