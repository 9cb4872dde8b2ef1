"""Makes PyInstaller include the shared library in a program. PyInstaller finds it by the entry point ``pyinstaller40``."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List


def hook_directories() -> List[str]:
    """Returns the directories that contain hooks for PyInstaller."""
    return [os.path.dirname(os.path.abspath(__file__))]
