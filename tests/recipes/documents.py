"""The code blocks of the documents, each named after the heading above it."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Block:
    name: str
    text: str


def blocks(path):
    """Returns all fenced blocks of the document. Further blocks under one heading get #2, #3 …"""
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
