"""Builds a distribution without an installer: `python3 -m tokenwell_build wheel|sdist PROJECT OUTPUT [TAG...]`.

Prints the path of the archive. TAG is a platform for which a wheel exists, for the source distribution. A wheel that
cannot be published is refused.
"""

from __future__ import annotations

import os
import sys

from . import build_sdist, build_wheel

kind, project, output = sys.argv[1:4]
output = os.path.abspath(output)
os.makedirs(output, exist_ok=True)
os.chdir(project)
if kind == "wheel":
    name = build_wheel(output, {"publish": True})
else:
    name = build_sdist(output, {"wheels": " ".join(sys.argv[4:])})
print(os.path.join(output, name))
